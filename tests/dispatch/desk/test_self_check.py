"""What is broken on disk is counted, and healed by a command where one can heal it."""

import pytest

from dispatch.core.events import Entry
from dispatch.desk.self_check import HEALED_BY, SelfCheck
from dispatch.store.invariants import INVARIANTS
from schemas.incident import Case, OfferState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import DISPATCHER, Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def broken(station: Station, rule: str) -> float | None:
    """Return how many rows break a rule, as last counted."""
    return station.registry.get_sample_value("kapok_invariants_broken", {"rule": rule})


async def by_system(station: Station, case: Case) -> list[Entry]:
    """Return what the check did to a case."""
    lines = await station.desk.timeline(case.incident.id, DISPATCHER, 0, 100)
    return [line for line in lines if line.by == "system"]


async def test_all_is_well(station: Station) -> None:
    """Nothing is counted, and nothing done."""
    case = await station.open()
    await station.accept(case)
    await sql(station.dsn, "update due set at = now() + interval '1 minute'")
    version = (await station.case(case.incident.id)).incident.version
    await SelfCheck(station.desk).run()
    assert [rule for rule in INVARIANTS if broken(station, rule)] == []
    assert (await station.case(case.incident.id)).incident.version == version


async def test_an_incident_without_a_clock_gets_one(station: Station) -> None:
    """A lost row would leave it lying there for ever."""
    await station.open()
    await sql(station.dsn, "delete from due")
    check = SelfCheck(station.desk)
    await check.run()
    assert broken(station, "no_clock_nor_owner") == 1
    assert len(await sql(station.dsn, "select 1 from due")) == 1
    station.clock.advance(10)
    await check.run()
    assert broken(station, "no_clock_nor_owner") == 0


async def test_an_overdue_clock_is_answered(station: Station) -> None:
    """Whoever should have done it."""
    case = await station.open()
    await sql(station.dsn, "update due set at = now() - interval '3 seconds'")
    await SelfCheck(station.desk).run()
    assert broken(station, "clock_overdue") == 1
    assert (await station.case(case.incident.id)).incident.version > case.incident.version


async def test_nobody_is_left_asked_or_sent_where_it_is_over(station: Station) -> None:
    """They are called back, as the end of it should have."""
    case = await station.open()
    await station.accept(case)
    await sql(station.dsn, "update incident set status = 'closed', ended_at = now()")
    await SelfCheck(station.desk).run()
    assert broken(station, "assignment_on_final_incident") == 1
    assert await station.store.broken(10) == []


async def test_an_engaged_unit_is_asked_nowhere_else(station: Station) -> None:
    """Its other offer is withdrawn, in the name of the system."""
    case = await station.open()
    unit_id = case.offers[0].unit_id
    other = await station.open(near=1)
    await sql(
        station.dsn, "update offer set unit_id = $1 where id = $2", unit_id, other.offers[0].id
    )
    await station.accept(case)
    await sql(station.dsn, "delete from due where kind = 'unit_engaged'")
    await SelfCheck(station.desk).run()
    assert broken(station, "offer_to_engaged_unit") == 1
    now = await station.case(other.incident.id)
    assert now.offers[0].state is OfferState.WITHDRAWN
    assert [line.unit_id for line in await by_system(station, other)] == [unit_id]


async def test_a_unit_without_its_crew_is_not_asked(station: Station) -> None:
    """An offer that came while the last of the crew left is ended like the others."""
    case = await station.open()
    unit_id = case.offers[0].unit_id
    await sql(station.dsn, "update member set duty = 'off' where unit_id = $1", unit_id)
    await SelfCheck(station.desk).run()
    assert broken(station, "offer_to_unit_off_duty") == 1
    now = await station.case(case.incident.id)
    assert now.offers[0].state is OfferState.DECLINED
    assert {line.via for line in await by_system(station, case)} == {"self_check"}


async def test_what_no_command_heals_is_counted_until_a_person_does(station: Station) -> None:
    """A line that is missing in the log comes back by no decision."""
    case = await station.open()
    await sql(station.dsn, "update incident set events = events + 1")
    check = SelfCheck(station.desk)
    for _ in range(2):
        await check.run()
        assert broken(station, "event_gap") == 1
        station.clock.advance(10)
    assert "event_gap" not in HEALED_BY
    assert await by_system(station, case) == []


async def test_one_process_of_an_installation_checks(start: Start) -> None:
    """The others tell of nothing: what is broken is not counted twice."""
    one, two = await start(), await start()
    await one.open()
    await sql(one.dsn, "update incident set events = events + 1")
    await SelfCheck(one.desk).run()
    await SelfCheck(two.desk).run()
    assert (broken(one, "event_gap"), broken(two, "event_gap")) == (1, None)


async def test_every_rule_that_is_healed_is_asked() -> None:
    """No command waits for a rule of another name."""
    assert set(HEALED_BY) <= set(INVARIANTS)
