"""Alarms over REST."""

import pytest

from schemas.alarm import AlarmKind
from tests.dispatch.api.conftest import Api

pytestmark = pytest.mark.asyncio


async def rung(api: Api, kind: AlarmKind = AlarmKind.LOST_ROWS, juris: str = "gz.huangpu") -> None:
    """Let something ring, and ask the desks."""
    assert await api.desk.alarms.ring(kind, "rows were lost", juris)
    await api.desk.alarms.ask_desks()


async def test_an_alarm_goes_to_who_is_there_and_is_acknowledged_once(api: Api) -> None:
    """The second one is shown who was first."""
    here = await api.post("/v1/desk/presence", {"jurisdiction": "gz.huangpu"})
    assert here.json() == {"jurisdiction": "gz.huangpu", "until": "2026-11-21T08:01:00Z"}
    await rung(api)
    (found,) = (await api.get("/v1/alarms")).json()["items"]
    assert (found["kind"], found["addressee"], found["level"]) == (
        "rows_lost",
        "gz.huangpu",
        "district",
    )
    address = f"/v1/alarms/{found['id']}/acknowledge"
    first = await api.post(address, {"note": "我来"})
    second = await api.post(address, {}, key="kk_commander")
    assert first.json() == second.json()
    assert (first.json()["acknowledged_by"], first.json()["note"]) == ("key:k1", "我来")
    assert (await api.get("/v1/alarms")).json()["items"] == []


async def test_alarms_are_listed_page_by_page(api: Api) -> None:
    """Of one desk, where it is named."""
    await rung(api)
    await rung(api, AlarmKind.CLOCK)
    page = (await api.get("/v1/alarms", params={"limit": 1})).json()
    rest = (await api.get("/v1/alarms", params={"cursor": page["next"]})).json()
    assert [i["kind"] for i in (*page["items"], *rest["items"])] == ["clock_failed", "rows_lost"]
    at_city = (await api.get("/v1/alarms", params={"addressee": "gz"})).json()
    assert len(at_city["items"]) == 2
    assert (await api.get("/v1/alarms", params={"addressee": "G Z"})).status_code == 400


async def test_what_is_not_ones_own_does_not_exist(api: Api) -> None:
    """Alarms and desks of others; a feed may do nothing here."""
    await rung(api)
    (found,) = (await api.get("/v1/alarms")).json()["items"]
    address = f"/v1/alarms/{found['id']}/acknowledge"
    assert (await api.get("/v1/alarms", key="kk_tianhe")).json()["items"] == []
    assert (await api.post(address, {}, key="kk_tianhe")).status_code == 404
    assert (await api.post("/v1/alarms/nothing/acknowledge", {})).status_code == 404
    assert (await api.post("/v1/desk/presence", {"jurisdiction": "gz"})).status_code == 404
    assert (await api.get("/v1/alarms", key="kk_feed")).status_code == 403
