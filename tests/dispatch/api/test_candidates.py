"""Candidates over REST: a look, not a deed."""

import msgspec
import pytest

from schemas.rest import Candidates
from tests.dispatch.api.conftest import CALL, Api

pytestmark = pytest.mark.asyncio


async def test_one_sees_who_would_be_asked(api: Api) -> None:
    """No key of idempotency is asked for, since nothing happens."""
    headers = {"Authorization": "Bearer kk_dispatcher"}
    response = await api.client.post("/v1/candidates", json=CALL, headers=headers)
    assert response.status_code == 200
    told = msgspec.json.decode(response.content, type=Candidates)
    assert len(told.candidates) == 5
    assert api.desk.cases == {}


async def test_a_shortfall_is_told_with_its_reason(api: Api) -> None:
    """An empty list is an answer."""
    api.desk.fleet = []
    response = await api.post("/v1/candidates", CALL)
    assert response.json()["shortfall"] == "no_unit"


async def test_the_call_time_is_handed_over_in_utc(api: Api) -> None:
    """As of an incident."""
    await api.post("/v1/candidates", {**CALL, "called_at": "2026-11-21T15:59:30+08:00"})
    called_at = api.desk.asked[0].called_at
    assert called_at is not None
    assert called_at.isoformat() == "2026-11-21T07:59:30+00:00"


async def test_a_feed_may_not_look(api: Api) -> None:
    """Candidates are units, and it does not see units."""
    assert (await api.post("/v1/candidates", CALL, key="kk_feed")).status_code == 403
