"""Health, readiness and metrics: open to all, telling little."""

import pytest

from tests.dispatch.api.conftest import Api

pytestmark = pytest.mark.asyncio


async def test_a_process_that_answers_is_up(api: Api) -> None:
    """Whatever else is away."""
    api.desk.parts["store"] = False
    response = await api.client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "up"})


async def test_a_service_is_ready_when_all_its_parts_are(api: Api) -> None:
    """And says so part by part."""
    response = await api.client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "parts": {"store": True, "fleet": True, "due": True},
        "degraded": [],
    }


async def test_what_is_worse_than_usual_holds_up_nothing(api: Api) -> None:
    """A picture in part is better than no service: whoever asks is told."""
    api.desk.worse = ["picture"]
    response = await api.client.get("/readyz")
    assert (response.status_code, response.json()["degraded"]) == (200, ["picture"])


async def test_a_part_that_is_not_ready_holds_up_the_service(api: Api) -> None:
    """503, with the part's name, and worth another try."""
    api.desk.parts["store"] = False
    response = await api.client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json()["parts"]["store"] is False


async def test_metrics_are_those_of_the_registry(api: Api) -> None:
    """In the text format of Prometheus."""
    response = await api.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'kapok_calls_total{worker="0"} 1.0' in response.text
