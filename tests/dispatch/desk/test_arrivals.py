"""Who set out, and who is there, by their fixes."""

import msgspec
import pytest

from dispatch.core.events import Event
from dispatch.core.fixes import Fix
from dispatch.desk import arrivals
from dispatch.ports import Identity
from geo.datum import Datum
from schemas import wire
from schemas.base import ms
from schemas.incident import AssignmentState, Case, Status
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

DEGREE_M = 110_770.0


async def sent(station: Station) -> tuple[Case, Identity]:
    """Open an incident, and let the unit at its place accept."""
    case = await station.open()
    identity = await station.phone(case.offers[0].unit_id)
    await station.accept(case)
    return case, identity


async def stand(station: Station, case: Case, identity: Identity, away_m: float) -> None:
    """Let ten seconds pass, and a fix so far from the scene come; write down what it proves."""
    station.clock.advance(10)
    now_ms = ms(station.clock.now())
    lat = case.incident.lat + away_m / DEGREE_M
    row = msgspec.Raw(msgspec.json.encode([now_ms, case.incident.lon, lat, 5.0]))
    station.phones.fixes(identity, wire.Loc(d=Datum.WGS84, ts=now_ms, f=[row]))
    await station.phones.arrivals.write_down()


async def test_fixes_tell_that_a_unit_set_out_and_that_it_is_there(station: Station) -> None:
    """Each once, as the log says by what; its phones are asked to confirm."""
    case, identity = await sent(station)
    states = []
    for away_m in (500, 400, 300, 20, 20, 20):
        await stand(station, case, identity, away_m)
        states.append((await station.case(case.incident.id)).assignments[0].state)
    assert [state.value for state in states] == [
        "assigned",
        *["en_route"] * 3,
        *["arrived"] * 2,
    ]
    known = await station.case(case.incident.id)
    assert known.incident.status is Status.ON_SCENE
    log = await station.store.timeline(case.incident.id, 0, 100)
    steps = [(e.via, e.data["proof"]) for e in log if e.type is Event.PROGRESSED]
    assert steps == [("gps", "gps"), ("gps", "gps")]
    assert station.phones.state(identity).assigns[0].confirm


async def test_a_step_somebody_said_meanwhile_is_not_written_down_again(station: Station) -> None:
    """His word stands."""
    case, identity = await sent(station)
    await stand(station, case, identity, 20)
    task = station.phones.state(identity).assigns[0]
    station.clock.advance(10)
    now_ms = ms(station.clock.now())
    row = msgspec.Raw(msgspec.json.encode([now_ms, case.incident.lon, case.incident.lat, 5.0]))
    station.phones.fixes(identity, wire.Loc(d=Datum.WGS84, ts=now_ms, f=[row]))
    said = wire.Progress(id=station.clock.new_id(), aid=task.aid, s=wire.Reached.ARRIVED, at=now_ms)
    await station.say(identity.unit_id, said)
    await station.phones.arrivals.write_down()
    known = (await station.case(case.incident.id)).assignments[0]
    assert (known.state, known.warned) == (AssignmentState.ARRIVED, ())


async def test_what_a_store_away_prevents_is_found_again(start: Start, line: Line) -> None:
    """By the next fix."""
    station = await start(line.dsn)
    case, identity = await sent(station)
    await stand(station, case, identity, 500)
    await line.cut()
    await stand(station, case, identity, 300)
    await line.mend()
    assert (await station.case(case.incident.id)).assignments[0].state is AssignmentState.ASSIGNED
    await stand(station, case, identity, 250)
    assert (await station.case(case.incident.id)).assignments[0].state is AssignmentState.EN_ROUTE


async def test_what_there_is_no_room_for_is_left_to_the_next_fix(station: Station) -> None:
    """So many steps wait at most; nothing grows while a store is away."""
    case, identity = await sent(station)
    full = arrivals.Arrivals(station.desk, waiting_most=0)
    for away in (0.01, 0.005):
        fix = Fix(lon=case.incident.lon, lat=case.incident.lat + away, acc_m=5.0, at_s=away)
        full.take(identity.unit_id, fix, station.clock.now())
    await full.write_down()
    assert (await station.case(case.incident.id)).assignments[0].state is AssignmentState.ASSIGNED
