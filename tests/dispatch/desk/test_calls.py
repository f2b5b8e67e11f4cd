"""What members report and call for help with, over a real store."""

import pytest

from geo.datum import Datum
from schemas import wire
from tests.dispatch.desk.station import Station

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def found(station: Station, kind: str) -> wire.Report:
    """Return a report from where the first unit has its post."""
    here = station.home()
    return wire.Report(
        id=station.clock.new_id(),
        kind=kind,
        pri=3,
        d=Datum.WGS84,
        lon=here.lon,
        lat=here.lat,
        text="",
    )


async def test_a_kind_only_a_newer_app_knows_is_other(station: Station) -> None:
    """The report is not lost by it."""
    unit_id = station.issued[0].unit
    answer = await station.say(unit_id, found(station, "drone_crash"))
    assert isinstance(answer, wire.Ok)
    incident = (await station.case(answer.result["iid"])).incident
    assert (incident.kind, incident.title) == ("other", "other")


async def test_a_phone_may_call_for_help_six_times_a_minute(station: Station) -> None:
    """The seventh is told when to try again, with the same id; the store keeps no refusal of it."""
    unit_id = station.issued[0].unit
    for _ in range(6):
        assert isinstance(await station.say(unit_id, found(station, "theft")), wire.Ok)
    sos = wire.Sos(id=station.clock.new_id())
    refused = await station.say(unit_id, sos)
    assert isinstance(refused, wire.Err)
    assert (refused.code, refused.retry_ms) == ("rate_limited", 60_000)
    station.clock.advance(60)
    assert isinstance(await station.say(unit_id, sos), wire.Ok)
