"""Who may call what: everything is shut that does not say otherwise."""

import re
from collections.abc import Iterator

import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler

from dispatch.api.app import guarded
from dispatch.auth import RIGHTS, Right
from tests.dispatch.api.conftest import KEYS, Api
from tests.fakes import FakeDesk

OPEN = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/schema/openapi.json",
    "/schema/asyncapi.json",
    "/v1/device/enrol",
}
NAME = "019ab000-0000-7000-8000-000000000001"


def routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield every path, method and handler of the application, OPTIONS too."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in handler.http_methods:
                path = re.sub(r"\{[a-z_]+\}", NAME, route.path_format)
                yield path, method, handler


@pytest.mark.asyncio
async def test_every_route_is_shut_without_a_key(app: Litestar, api: Api) -> None:
    """But for those that are named here, and they are marked as public."""
    walked, public = 0, set()
    for path, method, handler in routes(app):
        response = await api.client.request(method, path)
        is_public = handler.opt.get("public") is True
        assert (response.status_code != 401) is is_public, (method, path)
        public |= {path} if is_public else set()
        walked += 1
    assert public == OPEN
    assert walked >= 24


@pytest.mark.asyncio
@pytest.mark.parametrize("key", list(KEYS))
async def test_every_route_asks_for_its_right(app: Litestar, api: Api, key: str) -> None:
    """A role without it is told 403, one with it gets further."""
    for path, method, handler in routes(app):
        if path in OPEN:
            continue
        right = handler.opt.get("right")
        headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": "no stream, please"}
        response = await api.client.request(method, path, headers=headers)
        if handler.opt.get("phones") is True:
            assert response.status_code == 401, "a key is no token of a phone"
            continue
        also = set(handler.opt.get("also", ()))
        holds = isinstance(right, Right) and {right, *also} <= RIGHTS[KEYS[key].role]
        assert (response.status_code != 403) is holds, (method, path)


@pytest.mark.asyncio
async def test_a_route_that_names_no_right_is_open_to_nobody(desk: FakeDesk) -> None:
    """Forgetting is safe."""

    @get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    app = guarded(desk, [forgotten])
    client = Api.of(app, desk)
    assert (await client.client.get("/forgotten")).status_code == 401
    for key in KEYS:
        response = await client.get("/forgotten", key=key)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "kk_dispatcher",
        "Basic kk_dispatcher",
        "Bearer kd_dispatcher",
        "Bearer kk_nobody",
        "Bearer kk_dispatcher2",
        "Bearer kk_" + "x" * 5000,
        "Bearer kk_é",
    ],
)
async def test_who_is_not_known_is_told_how_to_ask(api: Api, authorization: str) -> None:
    """401, with the scheme."""
    headers = {b"authorization": authorization.encode()}
    response = await api.client.get("/v1/incidents", headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "unauthenticated"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="kapok"'


@pytest.mark.asyncio
async def test_two_authorizations_are_none(api: Api) -> None:
    """A proxy in between must not see another one than we do."""
    twice = [("Authorization", "Bearer kk_dispatcher")] * 2
    assert (await api.client.get("/v1/incidents", headers=twice)).status_code == 401


@pytest.mark.asyncio
async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    """RFC 9110, 11.1."""
    headers = {"Authorization": "bearer kk_dispatcher"}
    assert (await api.client.get("/v1/incidents", headers=headers)).status_code == 200


@pytest.mark.asyncio
async def test_a_revoked_key_opens_nothing_from_there_on(api: Api) -> None:
    """The key ring decides at each request."""
    assert (await api.get("/v1/incidents")).status_code == 200
    api.desk.keyring.replace([])
    assert (await api.get("/v1/incidents")).status_code == 401
