"""/v1/device: the door of phones, and what is behind it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from httpx import Response
from litestar import Litestar
from prometheus_client import CollectorRegistry

from dispatch.api import build
from dispatch.api.measured import Measured
from dispatch.core.errors import Unavailable
from dispatch.gateway.twin import Twin
from dispatch.ports import Identity
from schemas.base import ms
from schemas.wire import Close
from tests.dispatch.api.conftest import Api
from tests.dispatch.api.test_openapi import by_id
from tests.fakes import FakeDesk
from tests.memory_phones import MemoryPhones, offer, phone

PING: Final = {"t": "ping", "ts": 1}
SEEN: Final = {"t": "offer.seen", "id": "0123456789abcdef", "oid": "o1"}
LOC: Final = {"d": "wgs84", "ts": 1, "f": [[1, 113.4, 23.1, 5]]}
ROUTES: Final = [
    ("GET", "/v1/device/state"),
    ("GET", "/v1/device/inbox"),
    ("POST", "/v1/device/messages"),
    ("POST", "/v1/device/location"),
]

pytestmark = pytest.mark.asyncio


class Tokened(MemoryPhones):
    """Phones whose tokens look like tokens: kd_ before the device's id."""

    async def identify(self, token: str) -> Identity:
        """Know a phone by what follows the prefix."""
        return await super().identify(token.removeprefix("kd_"))


@pytest.fixture
def phones() -> Tokened:
    """One phone, d1."""
    return Tokened([phone()])


@pytest.fixture
def served(desk: FakeDesk, phones: Tokened, registry: CollectorRegistry) -> Litestar:
    """The application with the twin behind it; apps called `old` need 2.1."""
    return build(desk, measured=Measured("0", registry), twin=Twin(phones, {"old": (2, 1)}))


@pytest_asyncio.fixture
async def door(served: Litestar, desk: FakeDesk) -> AsyncIterator[Api]:
    """A client of the application."""
    api = Api.of(served, desk)
    async with api.client:
        yield api


def headers(**more: str) -> dict[str, str]:
    """Return the headers of a phone."""
    given = {"Authorization": "Bearer kd_d1", "Kapok-Datum": "wgs84"}
    return given | {name.replace("_", "-"): value for name, value in more.items()}


async def say(door: Api, *frames: Any, **more: str) -> Any:
    """Post frames; return the reply."""
    response = await door.client.post(
        "/v1/device/messages", json={"frames": list(frames)}, headers=headers(**more)
    )
    assert response.status_code == 200, response.text
    return response.json()


def code(response: Response) -> tuple[int, str]:
    """Return the status and code of a problem."""
    return response.status_code, response.json()["code"]


# The door. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer kd_stranger", "Bearer kk_dispatcher", "Basic kd_d1", "kd_d1", "Bearer d1"],
)
async def test_only_the_token_of_a_phone_opens(
    door: Api, method: str, path: str, authorization: str
) -> None:
    """An API key is none."""
    response = await door.client.request(method, path, headers={"Authorization": authorization})
    assert code(response) == (401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_the_token_of_a_phone_opens_nothing_else(door: Api) -> None:
    """Not even what every key may read."""
    for path in ("/v1/incidents", "/v1/units"):
        assert code(await door.client.get(path, headers=headers())) == (401, "unauthenticated")


async def test_without_a_twin_nobody_comes_in(app: Litestar, desk: FakeDesk) -> None:
    """A process that has no phones has no door for them."""
    response = await Api.of(app, desk).client.get("/v1/device/state", headers=headers())
    assert code(response) == (401, "unauthenticated")


async def test_a_token_that_cannot_be_checked_is_no_wrong_token(door: Api, phones: Tokened) -> None:
    """The phone comes again."""
    phones.refusals["d1"] = Unavailable("the store is away")
    response = await door.client.get("/v1/device/state", headers=headers())
    assert code(response) == (503, "overloaded")
    assert response.headers["retry-after"]


async def test_a_unit_that_is_disabled_is_told_so(door: Api, phones: Tokened) -> None:
    """As by 4006 on the socket."""
    phones.barring = Close.UNIT_DISABLED
    response = await door.client.get("/v1/device/state", headers=headers())
    assert code(response) == (403, "forbidden")
    assert response.json()["state"] == "unit_disabled"


@pytest.mark.parametrize(
    ("app", "status"),
    [("old/2.0.9 (android)", 403), ("old/2.1 (android)", 200), ("new/0.1", 200), ("/1", 200)],
)
async def test_an_app_that_is_too_old_is_told_so(door: Api, app: str, status: int) -> None:
    """As by 4005 on the socket."""
    response = await door.client.get("/v1/device/state", headers=headers(Kapok_App=app))
    assert response.status_code == status
    assert (response.json().get("state") == "upgrade_app") is (status == 403)


@pytest.mark.parametrize(("method", "path"), ROUTES[:3])
@pytest.mark.parametrize("datum", [None, "mars"])
async def test_who_wants_positions_names_the_datum(
    door: Api, method: str, path: str, datum: str | None
) -> None:
    """A map that guesses it is half a kilometre off."""
    given = {"Authorization": "Bearer kd_d1"} | ({"Kapok-Datum": datum} if datum else {})
    body = {"frames": [PING]} if method == "POST" else None
    response = await door.client.request(method, path, headers=given, json=body)
    assert code(response) == (400, "bad_parameter")
    assert response.json()["errors"][0]["parameter"] == "Kapok-Datum"


# What is behind it. ------------------------------------------------------------------------------


async def test_frames_are_answered_in_their_order(door: Api, phones: Tokened) -> None:
    """A bad one loses no neighbour."""
    phones.seal("d1", offer())
    told = await say(door, PING, {"t": "dance"}, SEEN, {"t": "progress", "id": "x"}, 7)
    assert [(r["t"], r.get("code")) for r in told["replies"]] == [
        ("pong", None),
        ("err", "unknown_type"),
        ("ok", None),
        ("err", "invalid"),
        ("err", "invalid"),
    ]
    assert told["replies"][2]["re"] == SEEN["id"]
    assert (told["epoch"], told["head"], told["now"]) == ("epoch-1", 1, ms(phones.clock.now()))
    assert [(f["t"], f["seq"], f["d"]) for f in told["out"]] == [("offer", 1, "wgs84")]


async def test_a_character_the_database_has_not_is_refused_in_its_frame(
    door: Api, phones: Tokened
) -> None:
    """The neighbours are done."""
    told = await say(door, {**SEEN, "oid": "o\x00"}, SEEN)
    assert [(r["t"], r.get("code"), r["re"]) for r in told["replies"]] == [
        ("err", "invalid", SEEN["id"]),
        ("ok", None, SEEN["id"]),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"frames": []}, 422),
        ({"frames": [PING] * 21}, 422),
        ({"frames": PING}, 422),
        ({"frames": [PING], "more": 1}, 422),
        ({}, 422),
        ([], 422),
    ],
)
async def test_a_body_that_holds_no_frames_is_a_problem(door: Api, body: Any, status: int) -> None:
    """At most twenty."""
    response = await door.client.post("/v1/device/messages", json=body, headers=headers())
    assert code(response) == (status, "invalid")


async def test_the_state_is_what_a_welcome_would_say(door: Api, phones: Tokened) -> None:
    """Complete, in the datum asked for."""
    phones.seal("d1", offer())
    response = await door.client.get(
        "/v1/device/state", headers=headers(Kapok_Epoch="epoch-1") | {"Kapok-Datum": "bd09"}
    )
    told = response.json()
    assert response.headers["kapok-datum"] == "bd09"
    assert (told["t"], told["rec"], told["head"], told["unit"]) == ("welcome", True, 1, "u1")
    assert [(o["oid"], o["d"]) for o in told["state"]["offers"]] == [("o1", "bd09")]


async def test_the_inbox_is_what_is_not_acknowledged(door: Api, phones: Tokened) -> None:
    """Above `after`, in the epoch that is named; of another epoch all."""
    for number in (1, 2):
        phones.seal("d1", offer(number))
    paths = [("epoch-1", [2]), ("epoch-0", [1, 2])]
    for epoch, seqs in paths:
        response = await door.client.get(
            "/v1/device/inbox?after=1", headers=headers(Kapok_Epoch=epoch)
        )
        assert [frame["seq"] for frame in response.json()["out"]] == seqs


async def test_positions_are_counted(door: Api, phones: Tokened) -> None:
    """As by a loc; no datum is named for the answer, there is none to give."""
    phones.bad = [(1, "old")]
    body = {**LOC, "f": [[1, 113.4, 23.1, 5], [0, 113.4, 23.1, 5]], "is_moving": True}
    response = await door.client.post(
        "/v1/device/location", json=body, headers={"Authorization": "Bearer kd_d1"}
    )
    assert response.json() == {"stored": 1, "bad": [[1, "old"]]}


@pytest.mark.parametrize("broken", [{"d": "mars"}, {"f": []}, {"f": [[1]] * 61}, {"ts": "now"}])
async def test_a_report_that_is_none_is_a_problem(door: Api, broken: dict[str, Any]) -> None:
    """The rows themselves are judged one by one."""
    response = await door.client.post("/v1/device/location", json=LOC | broken, headers=headers())
    assert code(response) == (422, "invalid")


async def test_the_routes_of_phones_are_documented_as_theirs() -> None:
    """Their own token, their datum required where positions are shown."""
    found = {name: op for name, op in by_id().items() if op["tags"] == ["device"]}
    assert len(found) == len(ROUTES)
    for name, operation in found.items():
        assert operation["security"] == [{"phone": []}]
        named = {p["name"]: p for p in operation["parameters"]}
        shows = name != "post_device_location"
        assert named.get("Kapok-Datum", {}).get("required", False) is shows
        assert ("Kapok-Datum" in operation["responses"]["200"].get("headers", {})) is shows
        assert "datum" not in named
