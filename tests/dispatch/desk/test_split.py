"""What the command centre hears of processes that do not hear each other."""

import pytest

from dispatch.desk.split import LASTS, Split
from schemas.alarm import Alarm
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import DISPATCHER, Station
from tests.fakes import ManualClock

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


async def alarms(station: Station) -> list[Alarm]:
    """Return the open alarms."""
    return await station.desk.alarms.page(DISPATCHER, None, None, 100)


async def test_a_partial_picture_rings_once_at_the_city_whoever_sees_it(
    station: Station, start: Start
) -> None:
    """Two processes that do not hear each other are one matter; the desk is asked at once."""
    other = await start()
    for seen in (station, other):
        seen.desk.partial = True
        await Split(seen.desk).look()
    assert await station.desk.alarms.ask_desks() == 1
    (alarm,) = await alarms(station)
    assert (alarm.kind, alarm.juris, alarm.addressee) == ("picture_partial", "gz", "gz")
    assert "do not hear each other" in alarm.reason


async def test_it_ends_when_nobody_sees_it_any_more(
    station: Station, start: Start, clock: ManualClock
) -> None:
    """One that is whole sooner does not end what the other still sees; and one may have died."""
    other = await start()
    ours, theirs = Split(station.desk), Split(other.desk)
    station.desk.partial = True
    await ours.look()
    clock.advance(LASTS.total_seconds() - 1)
    await ours.look()
    clock.advance(1)
    await theirs.look()
    assert len(await alarms(station)) == 1
    clock.advance(LASTS.total_seconds())
    await theirs.look()
    assert await alarms(station) == []
    await ours.look()
    assert len(await alarms(station)) == 1
