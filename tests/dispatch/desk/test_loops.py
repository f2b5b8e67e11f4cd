"""What runs by itself, over a real store."""

import asyncio

import pytest

from dispatch.auth import KEY_PREFIX, Grant, Right, Role, token_hash
from dispatch.core import commands
from dispatch.core.errors import Unauthenticated
from dispatch.core.events import Event
from dispatch.core.fixes import Fix
from dispatch.desk.agreement import Agreement
from dispatch.store.registry import registry
from dispatch.trace import traced
from schemas import wire
from schemas.base import KeyId
from schemas.incident import OfferState
from schemas.unit import UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
TOKEN = f"{KEY_PREFIX}_secret"
TRACE = "ab" * 16
COMMANDER = Grant(key_id=KeyId("k9"), role=Role.COMMANDER, juris="gz")


async def test_what_has_come_is_run(station: Station) -> None:
    """Silence is answered by a replacement; before its time nothing happens."""
    case = await station.open()
    assert await station.pass_by(19) == 0
    assert await station.pass_by(1) == 1
    states = [o.state for o in (await station.case(case.incident.id)).offers]
    assert states.count(OfferState.LAPSED) == 3
    assert states.count(OfferState.OPEN) == 3
    assert await station.pass_by(0) == 0


async def test_a_moment_is_run_under_the_work_it_follows_from(station: Station) -> None:
    """Who is sent there from here is sent by one request; what time brings is of its own."""
    first, second = await station.open(), await station.open()
    await station.accept(first)
    (task,) = (await station.case(first.incident.id)).assignments
    away = commands.Reassign(task_id=task.id, to=second.incident.id, why="更近")
    with traced(TRACE):
        await station.desk.act(first.incident.id, away, COMMANDER, Right.ORDER, station.once())
    await station.pass_by(0)
    await station.pass_by(20)
    log = await station.store.timeline(second.incident.id, 0, 100)
    traces = {entry.type: entry.trace for entry in log}
    assert traces[Event.ASSIGNED] == TRACE
    assert traces[Event.UNSEEN] not in {"", TRACE}


async def test_many_moments_are_run_in_parts(station: Station) -> None:
    """More than one claim takes, all in one look."""
    for near in range(105):
        await station.open(near)
    assert await station.pass_by(20) == 105


async def test_a_case_that_cannot_be_decided_does_not_stop_the_others(station: Station) -> None:
    """Its moment comes again after its lease; the others are run."""
    bad, good = await station.open(), await station.open(100)
    rule = f"id <> '{bad.incident.id}' or version < 2"
    await sql(station.dsn, f"alter table incident add constraint broken check ({rule})")
    assert await station.pass_by(20) == 2
    assert (await station.case(bad.incident.id)).incident.version == 1
    assert (await station.case(good.incident.id)).incident.version > 1
    assert station.registry.get_sample_value("kapok_clock_failures_total") == 1
    await sql(station.dsn, "alter table incident drop constraint broken")
    await station.pass_by(10)
    assert (await station.case(bad.incident.id)).incident.version == 2


async def test_a_clock_that_finds_the_store_away_comes_again(start: Start, line: Line) -> None:
    """The refusal is a line in the log; its lease brings it back."""
    station = await start(line.dsn)
    case = await station.open()
    station.clock.advance(20)
    (due,) = await station.store.claim_due(1, station.clock.now())
    await line.cut()
    await station.loops._tick(due, asyncio.Semaphore(1))
    await line.mend()
    assert await station.pass_by(10) == 1
    assert (await station.case(case.incident.id)).incident.version == 2


async def test_positions_are_written_down(station: Station) -> None:
    """Those that moved, once; a start finds them again."""
    unit_id = station.issued[0].unit
    now_s = station.clock.now().timestamp()
    station.desk.fleet.fix(unit_id, Fix(lon=113.25, lat=23.25, acc_m=8.0, at_s=now_s))
    await station.loops.keep_positions()
    station.statements.clear()
    await station.loops.keep_positions()
    assert station.statements == []
    (row,) = await station.store.unit_rows(station.clock.now(), [unit_id])
    assert row.position is not None
    assert (row.position.lon, row.position.lat, row.position.acc_m) == (113.25, 23.25, 8.0)
    assert row.position.at == station.clock.now()


async def test_a_released_unit_is_read_again(station: Station) -> None:
    """Who clocked out on the call is off duty, in memory too."""
    case = await station.open()
    await station.accept(case)
    unit_id = case.offers[0].unit_id
    await station.say(unit_id, station.clock_out())
    assert station.desk.fleet.state(unit_id) is UnitState.ENGAGED
    await station.cancel(case)
    await station.loops.reread_freed()
    assert station.desk.fleet.state(unit_id) is UnitState.OFF
    station.statements.clear()
    await station.loops.reread_freed()
    assert station.statements == []


async def test_what_another_process_did_to_the_busy_is_read(start: Start) -> None:
    """Memory is only a hint: an end that was never heard of is found."""
    one, two = await start(), await start()
    case = await one.open()
    later = await start()
    await one.cancel(case)
    unit_id = case.offers[0].unit_id
    assert later.desk.fleet.state(unit_id) is UnitState.OFFERED
    await later.loops.compare_states()
    assert later.desk.fleet.state(unit_id) is UnitState.AVAILABLE
    assert two.desk.fleet.state(unit_id) is UnitState.AVAILABLE


async def test_a_key_opens_until_it_is_revoked(station: Station) -> None:
    """A second later it opens nothing."""
    async with registry(station.dsn) as registered:
        await registered.put_key(KeyId("k1"), "desk", "dispatcher", "gz", token_hash(TOKEN))
        await station.loops.reread_keys()
        grant = station.desk.keyring.authenticate(TOKEN)
        assert (grant.key_id, grant.role, grant.juris) == ("k1", Role.DISPATCHER, "gz")
        await registered.revoke_key(KeyId("k1"))
    await station.loops.reread_keys()
    with pytest.raises(Unauthenticated):
        station.desk.keyring.authenticate(TOKEN)


async def test_a_revoked_phone_is_cut_off(station: Station) -> None:
    """Within a look at what is registered; nothing is read while that is the same."""
    station.statements.clear()
    await station.loops.follow_registry()
    assert len(station.statements) == 1
    issued = station.issued[0]
    await sql(
        station.dsn,
        "update device set revoked_at = now() where id = $1 returning id",
        issued.device,
    )
    await station.loops.follow_registry()
    assert (issued.device, wire.Close.DEVICE_REVOKED) in station.lane.closed
    with pytest.raises(Unauthenticated):
        await station.phones.identify(issued.token)


async def test_what_is_decided_while_the_register_is_read_stays(station: Station) -> None:
    """Memory knows it better than what was read before."""
    comparing = Agreement(station.desk)
    for _ in range(5):
        case, _ = await asyncio.gather(station.open(), station.desk.read_registered())
        await station.loops.reread_freed()
        assert await comparing.states() == []
        await asyncio.gather(station.cancel(case), station.desk.read_registered())
        await station.loops.reread_freed()
        assert await comparing.states() == []


async def test_a_unit_that_is_registered_elsewhere_is_changed_without_the_others(
    station: Station,
) -> None:
    """Only what is other is taken; a city that is read anew stops everything for a while."""
    first, second = (issued.unit for issued in station.issued[:2])
    kept = station.desk.fleet.unit(second)
    await sql(station.dsn, "update unit set name = '另一队' where id = $1", first)
    await station.desk.read_registered()
    changed = station.desk.fleet.unit(first)
    assert changed is not None
    assert changed.name == "另一队"
    assert station.desk.fleet.unit(second) is kept


async def test_old_answers_are_forgotten(station: Station) -> None:
    """A day later; those of today stay."""
    await station.answered(station.body(), station.once("c1"))
    await station.loops.forget()
    assert len(await sql(station.dsn, "select id from reply")) == 1
    station.clock.advance(24 * 3600 + 1)
    await station.loops.forget()
    assert await sql(station.dsn, "select id from reply") == []


async def test_the_loops_run_until_they_are_stopped(station: Station) -> None:
    """A case is woken by itself; afterwards the desk knows that its clocks stand."""
    case = await station.open()
    station.clock.advance(20)
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        station.loops.start(group)
        station.desk.poke.set()
        for _ in range(500):
            if (await station.case(case.incident.id)).incident.version > 1:
                break
            await asyncio.sleep(0.01)
        assert (await station.case(case.incident.id)).incident.version > 1
        assert station.desk.ready()["clocks"]
        station.loops.stop()
    assert not station.desk.ready()["clocks"]


async def test_the_loops_outlive_the_stores_absence(start: Start, line: Line) -> None:
    """It is said while it lasts, and over when it is over."""
    station = await start(line.dsn)
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        station.loops.start(group)
        await line.cut()
        await _until_store(station, answers=False)
        assert station.desk.ready()["clocks"]
        await line.mend()
        await _until_store(station, answers=True)
        station.loops.stop()


async def _until_store(station: Station, *, answers: bool) -> None:
    """Wait until the desk says so of its store."""
    for _ in range(900):
        if station.desk.ready()["store"] is answers:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the desk has not noticed")
