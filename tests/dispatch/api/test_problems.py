"""Problems: every refusal has its row, and every answer that is no success is a problem."""

import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException

from dispatch.api.access import PUBLIC
from dispatch.api.app import guarded
from dispatch.api.problems import KINDS, Code
from dispatch.core import errors
from schemas.wire import TEMPORARY, ErrorCode
from tests.dispatch.api.conftest import CALL, Api
from tests.fakes import FakeDesk

STATUSES = {
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.Unauthenticated: 401,
    errors.Invalid: 422,
    errors.NotOnDuty: 409,
    errors.ConsentRequired: 403,
    errors.Conflict: 409,
    errors.Taken: 409,
    errors.Expired: 409,
    errors.Withdrawn: 409,
    errors.Cancelled: 409,
    errors.Stale: 409,
    errors.IdReuse: 422,
    errors.Overloaded: 503,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
    errors.NoRoom: 503,
    errors.Refusal: 500,
}


def tree(top: type[errors.Refusal]) -> set[type[errors.Refusal]]:
    """Return a class and all under it."""
    return {top}.union(*(tree(under) for under in top.__subclasses__()))


def test_every_code_has_its_row() -> None:
    """One table for the codes of the wire and for those of HTTP; no row is left over."""
    assert set(KINDS) == {*Code, *ErrorCode}
    assert all(400 <= kind.status <= 599 and kind.title for kind in KINDS.values())


def test_what_is_worth_another_try_says_so_by_its_status() -> None:
    """And nothing else does."""
    again = {code for code in ErrorCode if KINDS[code].status in {429, 500, 503}}
    assert again == TEMPORARY


def test_every_refusal_of_the_tree_is_in_the_table_of_this_test() -> None:
    """A new one is thought about here; `Temporary` and the like are never raised themselves.

    What is a refusal of its own module is told as the one it is a kind of.
    """
    drawn = {refusal for refusal in tree(errors.Refusal) if refusal.__module__ == errors.__name__}
    assert drawn - set(STATUSES) == {errors.Temporary}


@pytest.mark.asyncio
@pytest.mark.parametrize(("refusal", "status"), list(STATUSES.items()))
async def test_every_refusal_is_answered_as_its_problem(
    api: Api, refusal: type[errors.Refusal], status: int
) -> None:
    """For reads and changes alike, with all five members, and what to quote."""
    api.desk.failure = refusal("that cannot be", path="$.position", state="closed")
    for response in (
        await api.post("/v1/incidents", CALL),
        await api.post("/v1/candidates", CALL),
        await api.get("/v1/incidents"),
        await api.get("/v1/units"),
    ):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json() == {
            "type": f"/problems/{refusal.code}",
            "title": KINDS[refusal.code].title,
            "status": status,
            "code": refusal.code,
            "detail": "that cannot be",
            "errors": [{"pointer": "/position", "detail": "that cannot be"}],
            "state": "closed",
            "trace": response.headers["Kapok-Trace"],
        }


@pytest.mark.asyncio
async def test_what_is_absent_is_left_out(api: Api) -> None:
    """No null stands for nothing."""
    api.desk.failure = errors.NotFound("no such incident")
    assert set((await api.get("/v1/incidents")).json()) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
        "trace",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(("retry_ms", "after"), [(1, "1"), (1000, "1"), (1500, "2")])
async def test_a_temporary_refusal_says_when_to_come_again(
    api: Api, retry_ms: int, after: str
) -> None:
    """In whole seconds, rounded up."""
    failure = errors.Unavailable("the store does not answer")
    failure.retry_ms = retry_ms
    api.desk.failure = failure
    response = await api.post("/v1/incidents", CALL)
    assert (response.status_code, response.headers["Retry-After"]) == (503, after)


@pytest.mark.asyncio
async def test_a_bug_is_told_without_its_words(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """They go to the log, with the route and not the id in it."""
    api.desk.failure = RuntimeError("password=hunter2")
    response = await api.get("/v1/incidents/019ab000-0000-7000-8000-000000000001")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "hunter2" not in response.text
    said = capsys.readouterr()
    assert "request_failed" in said.out + said.err
    assert "/v1/incidents/{incident_id}" in said.out + said.err


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/v1", "/v2/incidents", "/schema", "/schema/swagger"])
async def test_an_unknown_address_is_a_problem(api: Api, path: str) -> None:
    """Also under /schema."""
    response = await api.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "BREW"])
async def test_a_method_an_address_does_not_have_is_a_problem(api: Api, method: str) -> None:
    """With the methods it has."""
    response = await api.client.request(method, "/v1/incidents")
    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "code"), [(400, "bad_request"), (418, "bad_request"), (500, "internal")]
)
async def test_whatever_litestar_raises_is_a_problem(
    desk: FakeDesk, status: int, code: str
) -> None:
    """With the nearest row of the table."""

    @get("/raises", opt=PUBLIC)
    async def raises() -> str:
        raise HTTPException(status_code=status, detail="teapot")

    response = await Api.of(guarded(desk, [raises]), desk).client.get("/raises")
    assert response.json()["code"] == code
    assert response.status_code == KINDS[code].status


@pytest.mark.asyncio
async def test_a_bad_host_is_a_problem(app: Litestar, desk: FakeDesk) -> None:
    """It is refused before any route is found."""
    response = await Api.of(app, desk).client.get("/healthz", headers={"Host": "a b"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
