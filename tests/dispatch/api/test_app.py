"""The application as a whole: what every answer carries, whoever gives it."""

import pytest
from litestar import Litestar

from dispatch.api.shield import HEADERS
from tests.dispatch.api.conftest import CALL, Api

pytestmark = pytest.mark.asyncio
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/nowhere"),
        ("PUT", "/v1/incidents"),
        ("GET", "/v1/incidents"),
        ("GET", "/schema/openapi.json"),
        ("OPTIONS", "/v1/incidents"),
    ],
)
async def test_every_answer_carries_the_security_headers(api: Api, method: str, path: str) -> None:
    """Successes, refusals, and what no route gave."""
    response = await api.client.request(method, path)
    for name, value in HEADERS:
        assert response.headers[name.decode()] == value.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nowhere"), ("PUT", "/v1/incidents"), ("GET", "/v1/incidents")],
)
async def test_every_answer_names_its_trace(api: Api, method: str, path: str) -> None:
    """The asker's where he gave one, else a new one; a problem has it in its body too."""
    given = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    told = await api.client.request(method, path, headers=given)
    assert told.headers["Kapok-Trace"] == TRACE
    assert told.json().get("trace", TRACE) == TRACE
    new = [(await api.client.request(method, path)).headers["Kapok-Trace"] for _ in range(2)]
    assert len({TRACE, *new}) == 3


@pytest.mark.parametrize(
    "given",
    [[("traceparent", "nonsense")], [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")] * 2],
)
async def test_a_trace_that_cannot_be_meant_is_none(api: Api, given: list[tuple[str, str]]) -> None:
    """Unreadable, or two of them: nothing is refused for it."""
    response = await api.client.get("/healthz", headers=given)
    assert response.status_code == 200
    assert response.headers["Kapok-Trace"] not in {"", TRACE}


async def test_a_bug_carries_them_too(api: Api) -> None:
    """The handler of last resort is inside the shield."""
    api.desk.failure = RuntimeError("bug")
    response = await api.post("/v1/incidents", CALL)
    assert response.status_code == 500
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.json()["trace"] == response.headers["Kapok-Trace"]


async def test_a_trailing_slash_is_the_same_change(api: Api) -> None:
    """For the router, and for the idempotency key."""
    first = await api.post("/v1/incidents", CALL, once="a")
    second = await api.post("/v1/incidents/", CALL, once="a")
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.content == first.content


async def test_query_parameters_nobody_reads_are_refused_on_changes_too(api: Api) -> None:
    """A misspelt one would pass in silence."""
    response = await api.post("/v1/incidents?dry_run=true", CALL)
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "dry_run"
    assert api.desk.cases == {}


async def test_the_application_serves_no_page(app: Litestar) -> None:
    """Nothing a browser would load scripts for; nothing from another host."""
    assert app.openapi_config is None
