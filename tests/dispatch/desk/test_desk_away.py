"""The desk without its store: what it promises, and what it finds again."""

import asyncio

import asyncpg
import pytest

from dispatch.core.errors import Unavailable
from schemas import wire
from schemas.unit import UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import DISPATCHER, Station, sql, view
from tests.dispatch.desk.test_desk import ASSIGNED

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
COMMIT_MARK = b'"entries":'
"""Only the body of a commit has this."""


async def test_a_commit_whose_answer_was_lost_is_found_again(start: Start, line: Line) -> None:
    """The command's id tells that it happened: it is answered, and does not happen twice."""
    station = await start(line.dsn)
    line.lose_answer_to(COMMIT_MARK)
    outcome = await station.answered(station.body(), station.once("c1"))
    told = view(outcome)
    assert (outcome.replayed, len(told.offers)) == (True, 3)
    assert len(await sql(station.dsn, "select id from incident")) == 1
    assert len(await sql(station.dsn, "select id from offer")) == 3


async def test_memory_knows_what_was_committed_without_an_answer(start: Start, line: Line) -> None:
    """Board, fleet and streams are as on disk, so that phones are told the truth."""
    station = await start(line.dsn)
    line.lose_answer_to(COMMIT_MARK)
    told = view(await station.answered(station.body()))
    await station.loops.reread_freed()
    case = await station.case(told.id)
    assert station.desk.board.case(case.incident.id) == case
    unit_id = case.offers[0].unit_id
    assert station.desk.fleet.state(unit_id) is UnitState.OFFERED
    phone = await station.phone(unit_id)
    assert [o.oid for o in station.phones.state(phone).offers] == [case.offers[0].id]
    assert station.phones.head(phone.device_id) == 1


async def test_an_acceptance_whose_answer_was_lost_counts_once(start: Start, line: Line) -> None:
    """The phone hears its ok; the unit has one task, in memory too."""
    station = await start(line.dsn)
    case = await station.open()
    line.lose_answer_to(COMMIT_MARK)
    assert isinstance(await station.accept(case), wire.Ok)
    assert len(await sql(station.dsn, ASSIGNED)) == 1
    await station.loops.reread_freed()
    phone = await station.phone(case.offers[0].unit_id)
    assert len(station.phones.state(phone).assigns) == 1


async def test_a_connection_killed_while_it_commits_does_no_harm(station: Station) -> None:
    """Nothing of it was written, so it is decided again, once."""
    case = await station.open()
    admin = await asyncpg.connect(station.dsn)
    async with admin.transaction():
        await admin.execute("select 1 from unit for update")
        answer = asyncio.create_task(station.accept(case))
        await _killed_while_it_waits(station.dsn, answer)
    await admin.close()
    assert isinstance(await answer, wire.Ok)
    assert [r["incident_id"] for r in await sql(station.dsn, ASSIGNED)] == [case.incident.id]
    assert len(station.desk.board.tasks_of(case.offers[0].unit_id)) == 1


async def test_without_the_store_nothing_is_promised(start: Start, line: Line) -> None:
    """A call is answered "try again" within seconds; the same id works once the store is back."""
    station = await start(line.dsn)
    case = await station.open()
    pushed = len(station.lane.pushed)
    await line.cut()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await station.answered(station.body(7), station.once("c1"))
        told = await station.say(case.offers[0].unit_id, station.yes(case.offers[0].id, "y1"))
    assert isinstance(told, wire.Err)
    assert (told.code, told.retry_ms) == (wire.ErrorCode.OVERLOADED, 1000)
    assert (len(station.lane.pushed), len(station.desk.board)) == (pushed, 1)
    assert station.desk.fleet.state(case.offers[0].unit_id) is UnitState.OFFERED
    await line.mend()
    outcome = await station.answered(station.body(7), station.once("c1"))
    assert not outcome.replayed
    again = await station.say(case.offers[0].unit_id, station.yes(case.offers[0].id, "y1"))
    assert isinstance(again, wire.Ok)


async def test_a_look_without_the_store_says_so(start: Start, line: Line) -> None:
    """What is only in the store cannot be shown; what is in memory can."""
    station = await start(line.dsn)
    case = await station.open()
    await line.cut()
    for look in (
        station.desk.case(case.incident.id, DISPATCHER),
        station.desk.incidents(DISPATCHER, status=[], before=None, limit=10),
        station.desk.timeline(case.incident.id, DISPATCHER, 0, 10),
    ):
        with pytest.raises(Unavailable):
            await look
    assert len(station.desk.units(DISPATCHER, juris=None, box=None, after=None, limit=500)) == 200


async def _killed_while_it_waits(dsn: str, answer: asyncio.Task[wire.Ok | wire.Err]) -> None:
    """End the connection that waits for a lock in the middle of a commit."""
    kill = (
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
        " and query like 'select commit_decision%' and datname = current_database()"
    )
    watcher = await asyncpg.connect(dsn)
    for _ in range(1000):
        if await watcher.fetch(kill):
            break
        assert not answer.done(), answer.result()
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("nothing waits")
    await watcher.close()
