"""Memory is held against the store: what differs is counted and read again, what changes is not."""

import asyncio

import pytest

from dispatch.desk.agreement import UNITS_SAMPLED, Agreement
from schemas.base import DeviceId, IncidentId, UnitId
from schemas.unit import Duty, UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def differences(station: Station, of: str) -> float:
    """Return how many were counted."""
    return station.registry.get_sample_value("kapok_memory_differences_total", {"of": of}) or 0.0


async def test_a_unit_another_process_sent_is_found(start: Start) -> None:
    """Engaged on disk and free in memory: it would be asked in vain."""
    one, two = await start(), await start()
    case = await one.open()
    await one.accept(case)
    sent = case.offers[0].unit_id
    assert two.desk.fleet.state(sent) is UnitState.AVAILABLE
    assert sent in await Agreement(two.desk).states()
    assert two.desk.fleet.state(sent) is UnitState.ENGAGED
    assert differences(two, "unit") == 1
    assert await Agreement(two.desk).states() == []


async def test_a_member_another_process_clocked_out_is_found(start: Start) -> None:
    """Whatever decides a unit's state: its crew, and whether it is disabled, too."""
    one, two = await start(), await start()
    first, second = one.issued[0].unit, one.issued[1].unit
    await one.say(first, one.clock_out())
    await sql(one.dsn, "update unit set disabled = true where id = $1", second)
    assert await Agreement(two.desk).states() == sorted([first, second])
    assert two.desk.fleet.state(first) is UnitState.OFF
    assert two.desk.fleet.state(second) is UnitState.DISABLED


async def test_what_this_process_changes_meanwhile_is_no_difference(start: Start) -> None:
    """A decision whose commit is on its way, or whose effect came while the store was asked."""
    station = await start()
    comparing = Agreement(station.desk)
    for _ in range(10):
        case, wrong, cases = await asyncio.gather(
            station.open(), comparing.states(), comparing.cases()
        )
        assert (wrong, cases) == ([], [])
        _, wrong, cases = await asyncio.gather(
            station.cancel(case), comparing.states(), comparing.cases()
        )
        assert (wrong, cases) == ([], [])
    assert differences(station, "unit") == 0


async def test_a_case_another_process_opened_changed_or_ended_is_found(start: Start) -> None:
    """By its version; phones hear of their offers and tasks from there on."""
    one, two = await start(), await start()
    case = await one.open()
    incident_id = case.incident.id
    assert await Agreement(two.desk).cases() == [incident_id]
    assert two.desk.board.case(incident_id) == case
    await one.accept(case)
    assert await Agreement(two.desk).cases() == [incident_id]
    assert [t.unit_id for _, t in two.desk.board.tasks_of(case.offers[0].unit_id)] == [
        case.offers[0].unit_id
    ]
    await one.cancel(case)
    assert await Agreement(two.desk).cases() == [incident_id]
    assert len(two.desk.board) == 0
    assert differences(two, "case") == 3
    assert await Agreement(two.desk).cases() == []


async def test_a_delivery_is_no_difference(station: Station) -> None:
    """It is written beside the version of its case."""
    case = await station.open()
    device = (await station.phone(case.offers[0].unit_id)).device_id
    await station.store.acknowledge({DeviceId(device): 1}, station.clock.now())
    assert (await station.case(case.incident.id)).offers[0].delivered_at is not None
    await Agreement(station.desk).check()
    assert differences(station, "case") == 0


async def test_a_sample_is_compared_whole(station: Station) -> None:
    """Names, homes, crews, cases: all of them have their turn, a part every ten seconds."""
    case = await station.open()
    last = max(phone.unit for phone in station.issued)
    await sql(station.dsn, "update unit set offers = 70 where id = $1", last)
    await sql(station.dsn, "update member set name = '新' where unit_id = $1", last)
    await sql(station.dsn, "update incident set title = '改' where id = $1", case.incident.id)
    for _ in range(len(station.issued) // UNITS_SAMPLED):
        station.clock.advance(10)
        await Agreement(station.desk).sample()
    crew = {member.name for member in station.desk.roster.crew(UnitId(last))}
    known = station.desk.board.case(IncidentId(case.incident.id))
    assert crew == {"新"}
    assert known is not None
    assert known.incident.title == "改"
    found = [differences(station, of) for of in ("unit", "crew", "case")]
    assert found == [1, len(station.desk.roster.crew(UnitId(last))), 1]


async def test_word_that_comes_while_units_are_read_is_not_overwritten(station: Station) -> None:
    """What was read before it is older, whenever it arrives."""
    unit_id = station.issued[0].unit
    station.clock.advance(1)
    reading = asyncio.create_task(station.desk.refresh([unit_id]))
    case = await station.open()
    await reading
    assert unit_id in {offer.unit_id for offer in case.offers}
    assert station.desk.fleet.state(unit_id) is UnitState.OFFERED
    assert await Agreement(station.desk).states() == []


async def test_a_unit_that_never_rests_is_read_again_later(station: Station) -> None:
    """A reader gives way after a few times; the sweep of the next half second sees to it."""
    unit_id = station.issued[0].unit
    with station.desk.in_flight.changing([unit_id]):
        await station.desk.refresh([unit_id])
    assert station.desk.reread == {unit_id}
    assert station.desk.roster.crew(unit_id)[0].duty is Duty.ON
