"""Alarms by the desk: durable clocks, staffed desks, and who takes note."""

import pytest

from dispatch.auth import Grant, Right, Role
from dispatch.core import commands
from dispatch.core.errors import Forbidden, NotFound, Unavailable
from dispatch.core.events import Event
from dispatch.desk.alarms import alarm_view
from schemas import wire
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import IncidentId, KeyId
from schemas.incident import Case
from schemas.plan import Rung
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import DISPATCHER, FEED, STRANGER, Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
PUT_KEY = "insert into api_key (id, name, role, juris, hash) values ($1, $1, $2, $3, $4)"


async def key(station: Station, number: int, juris: str) -> Grant:
    """Return the grant of a dispatcher's key that the store knows."""
    name = f"k{number}"
    await sql(station.dsn, PUT_KEY, name, "dispatcher", juris, bytes([number]) * 32)
    return Grant(key_id=KeyId(name), role=Role.DISPATCHER, juris=juris)


async def rung(station: Station) -> Case:
    """Return an incident for which a person called the police."""
    case = await station.open()
    await station.desk.act(
        case.incident.id,
        commands.Escalate(rung=Rung.POLICE, why="刀"),
        DISPATCHER,
        Right.CHANGE_INCIDENTS,
        station.once(),
    )
    return case


async def alarms(station: Station, grant: Grant = DISPATCHER) -> list[Alarm]:
    """Return the open alarms."""
    return await station.desk.alarms.page(grant, None, None, 100)


def street(case: Case) -> str:
    """Return the street an incident lies in."""
    return ".".join(case.incident.juris.split(".")[:3])


async def test_an_alarm_climbs_over_staffed_desks_and_over_a_restart(
    station: Station, start: Start
) -> None:
    """Street, half a minute later the city: the next process goes on with the same clocks."""
    case = await rung(station)
    clerk = await key(station, 1, street(case))
    chief = await key(station, 2, "gz")
    await station.desk.alarms.attend(street(case), clerk)
    await station.desk.alarms.attend("gz", chief)
    assert await station.desk.alarms.ask_desks() == 1
    (found,) = await alarms(station)
    assert (found.addressee, found.kind) == (street(case), AlarmKind.POLICE)
    assert await station.desk.alarms.ask_desks() == 0
    station.clock.advance(30)
    other = await start()
    assert await other.desk.alarms.ask_desks() == 1
    (found,) = await alarms(other)
    assert (found.addressee, found.next_at) == ("gz", None)
    log = await other.desk.timeline(case.incident.id, DISPATCHER, 0, 100)
    steps = [e.data["to"] for e in log if e.type is Event.ALARM_ADDRESSED]
    assert steps == [street(case), "gz"]


async def test_who_left_is_asked_no_more(station: Station) -> None:
    """A minute after the last word the desk counts as empty; then the city is asked."""
    case = await rung(station)
    clerk = await key(station, 1, street(case))
    await station.desk.alarms.attend(street(case), clerk)
    station.clock.advance(61)
    await station.desk.alarms.ask_desks()
    (found,) = await alarms(station)
    assert found.addressee == "gz"


async def test_taking_note_ends_it_and_tells_who_was_first(station: Station) -> None:
    """The second one changes nothing."""
    case = await rung(station)
    (found,) = await alarms(station)
    first = await station.desk.alarms.acknowledge(found.id, "我来", DISPATCHER)
    chief = await key(station, 2, "gz")
    second = await station.desk.alarms.acknowledge(found.id, "也看到", chief)
    assert first == second
    assert (first.acknowledged_by, first.note) == ("key:k1", "我来")
    assert await alarms(station) == []
    log = await station.desk.timeline(case.incident.id, DISPATCHER, 0, 100)
    assert log[-1].type is Event.ALARM_ACKNOWLEDGED
    assert alarm_view(first).acknowledged_by == "key:k1"


async def test_alarms_are_seen_in_scope_only(station: Station) -> None:
    """Elsewhere they do not exist; a feed may not even ask."""
    await rung(station)
    (found,) = await alarms(station)
    assert await alarms(station, STRANGER) == []
    with pytest.raises(NotFound):
        await station.desk.alarms.acknowledge(found.id, "", STRANGER)
    with pytest.raises(NotFound):
        await station.desk.alarms.acknowledge(AlarmId("x"), "", DISPATCHER)
    with pytest.raises(NotFound):
        await station.desk.alarms.attend("gz.huangpu", STRANGER)
    with pytest.raises(Forbidden):
        await alarms(station, FEED)


async def test_a_clock_that_fails_rings_once(station: Station) -> None:
    """An incident nobody decides any more needs a person; one that is over needs none."""
    case = await station.open()
    for _ in range(2):
        await station.desk.clock_failed(case.incident.id)
    (found,) = await alarms(station)
    assert (found.kind, found.incident_id) == (AlarmKind.CLOCK, case.incident.id)
    await station.desk.clock_failed(IncidentId("unknown"))
    assert len(await alarms(station)) == 1


async def test_rows_that_were_lost_ring_in_the_city(station: Station) -> None:
    """A phone holds what the store never gave."""
    phone = await station.phone(station.issued[0].unit)
    await station.phones.lost(phone, 99)
    (found,) = await alarms(station)
    assert (found.kind, found.juris, found.incident_id) == (AlarmKind.LOST_ROWS, "gz", None)
    assert await station.desk.alarms.ask_desks() == 1


async def test_help_asked_for_by_a_unit_rings(station: Station) -> None:
    """With its own words."""
    case = await station.open()
    told = await station.accept(case)
    assert isinstance(told, wire.Ok)
    unit = case.offers[0].unit_id
    ask = wire.Assist(
        id=station.clock.new_id(),
        aid=told.result["aid"],
        what=wire.Assistance.POLICE,
        text="有刀",
    )
    assert isinstance(await station.say(unit, ask), wire.Ok)
    (found,) = await alarms(station)
    assert (found.kind, found.unit_id) == (AlarmKind.ASSISTANCE, unit)
    assert found.reason == "police asked for on the scene: 有刀"


async def test_an_order_nobody_sees_rings_by_its_own_clock(station: Station) -> None:
    """15 s; the clock is a row like any other."""
    case = await station.open()
    unit = case.offers[0].unit_id
    await station.desk.act(
        case.incident.id,
        commands.Order(unit_id=unit),
        DISPATCHER,
        Right.CHANGE_INCIDENTS,
        station.once(),
    )
    await station.pass_by(15)
    assert [a.kind for a in await alarms(station)] == [AlarmKind.UNSEEN]


async def test_without_the_store_nobody_is_promised_anything(start: Start, line: Line) -> None:
    """What has to ring and cannot be kept is logged."""
    station = await start(line.dsn)
    await rung(station)
    await line.cut()
    with pytest.raises(Unavailable):
        await alarms(station)
    assert not await station.desk.alarms.ring(AlarmKind.LOST_ROWS, "x", "gz")
