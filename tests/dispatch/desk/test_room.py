"""A nearly full store by the desk: who is refused, who is served, and what operators see."""

import asyncio
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from dispatch.auth import Keyring
from dispatch.core.errors import NoRoom, Unavailable
from dispatch.core.fixes import Fix
from dispatch.desk.desk import Desk
from dispatch.desk.register import Register
from dispatch.desk.retention import Retention
from dispatch.desk.room import RoomWatch
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.room import HOLD_S, Level, Room
from dispatch.live.roster import Roster
from dispatch.ports import StoreAway
from dispatch.store.memory import MemoryStore
from dispatch.store.pools import translated
from dispatch.store.postgres import PostgresStore
from dispatch.telemetry import Metrics
from geo.datum import Datum
from geo.eta import StraightLine
from schemas import register as rest
from schemas import wire
from schemas.base import MemberId
from schemas.notices import NoticeView
from schemas.rest import Place
from schemas.unit import UnitKind
from tests.dispatch.desk.station import DISPATCHER, REGISTRAR, Station, sql
from tests.dispatch.desk.test_notices import body as notice
from tests.fakes import ManualClock

pytestmark = pytest.mark.asyncio

BALLAST: Final = 100
SAYS_FULL: Final = "do $$ begin raise exception 'no space' using errcode = '53100'; end $$"
MEMBER: Final = "select id from member where unit_id = $1 limit 1"
REVOKED: Final = "select revoked_at from device where id = $1"


def cramped() -> Desk:
    """Return a desk whose disk has a ballast."""
    clock = ManualClock()
    return Desk(
        store=MemoryStore(clock.now),
        clock=clock,
        fleet=Fleet(StraightLine()),
        board=Board(),
        roster=Roster(),
        keyring=Keyring(),
        metrics=Metrics(),
        room=Room(BALLAST),
    )


def full(station: Station) -> None:
    """Let the store have said that it is full."""
    RoomWatch(station.desk).told_full()


def room_again(station: Station) -> None:
    """Let it be long ago that the store said so."""
    station.desk.room.look(None, asyncio.get_running_loop().time() + HOLD_S)


def registrar(station: Station) -> Register:
    """Return the registrar's part of the desk."""
    return Register(station.desk, new_code=lambda: "ABCD2345", new_token=lambda kind: kind)


async def test_operators_see_how_much_room_there_is() -> None:
    """As a number, as a level, and as a part that is not as it should be."""
    desk, seen = cramped(), [150, 300]
    watch, measured = RoomWatch(desk, store_bytes=seen.pop), desk.metrics.registry.get_sample_value
    await watch.look()
    assert (desk.degraded(), measured("kapok_room_level")) == ([], 0)
    await watch.look()
    assert (desk.degraded(), measured("kapok_room_level")) == (["room"], 1)
    assert measured("kapok_room_bytes", {"disk": "store"}) == 150


async def test_an_archive_without_room_is_told_apart() -> None:
    """Nothing is refused for it; the log waits for it up to a bound."""
    desk, seen = cramped(), [BALLAST, BALLAST - 1]
    watch = RoomWatch(
        desk, store_bytes=lambda: 300, archive_bytes=seen.pop, archive_least_bytes=BALLAST
    )
    await watch.look()
    assert (desk.degraded(), desk.room.level) == (["archive_room"], Level.AMPLE)
    await watch.look()
    assert desk.degraded() == []


async def test_a_disk_that_cannot_be_looked_at_changes_nothing() -> None:
    """It is said; the store's own word still counts."""

    def gone() -> int:
        raise OSError("stale file handle")

    desk = cramped()
    watch = RoomWatch(desk, store_bytes=gone)
    await watch.look()
    assert desk.degraded() == []
    watch.told_full()
    await watch.look()
    assert desk.degraded() == ["room"]


@pytest.mark.postgres
async def test_a_store_that_says_it_is_full_is_heard(database: str) -> None:
    """Whoever asked it, on whatever pool: one of another machine has no other way to say so."""
    store, heard = await PostgresStore.open(database), list[str]()
    store.tell_full(lambda: heard.append("full"))
    for pool in (store._desk, store._side, store._pulse):
        with pytest.raises(StoreAway, match="no space"), translated():
            await pool.execute(SAYS_FULL)
    assert heard == ["full"] * 3
    await store.close()


@pytest.mark.postgres
async def test_incidents_go_on_while_notices_wait(station: Station) -> None:
    """What was acknowledged is not taken back: it is answered again, and sent in time."""
    notices, sent_before = station.desk.notices, station.once()
    answer, _ = await notices.send(notice(), DISPATCHER, sent_before)
    full(station)
    case = await station.open()
    assert case.offers
    assert isinstance(await station.accept(case), wire.Ok)
    with pytest.raises(NoRoom, match="notices wait"):
        await notices.send(notice(), DISPATCHER, station.once())
    again, replayed = await notices.send(notice(), DISPATCHER, sent_before)
    shown = [msgspec.json.decode(each.body, type=NoticeView) for each in (answer, again)]
    assert (shown[0], replayed) == (shown[1], True)
    assert await notices.send_waiting() == 0
    room_again(station)
    assert await notices.send_waiting() == len(station.issued)


@pytest.mark.postgres
async def test_registrations_wait_but_what_takes_a_right_away(station: Station) -> None:
    """A lost phone is cut off, and a consent taken back, whatever the disk."""
    register, phone = registrar(station), station.issued[0]
    home = Place(lon=phone.lon, lat=phone.lat, datum=Datum.WGS84)
    unit = rest.CreateUnit(code="N-1", name="新", kind=UnitKind.VILLAGE, home=home)
    ((member,),) = await sql(station.dsn, MEMBER, phone.unit)
    full(station)
    for attempt in (
        register.create(unit, REGISTRAR, station.once()),
        register.change(phone.unit, rest.ChangeUnit(name="新"), REGISTRAR, station.once()),
        register.add_member(phone.unit, rest.AddMember(name="李"), REGISTRAR, station.once()),
        register.issue_code(MemberId(member), REGISTRAR),
        register.enrol(rest.EnrolDevice(code="ABCD2345")),
    ):
        with pytest.raises(NoRoom, match="registrations wait"):
            await attempt
    refusing, lost = rest.ChangeMember(consent=None), rest.RevokeDevice(why="lost")
    await register.change_member(MemberId(member), refusing, REGISTRAR, station.once())
    await register.revoke(phone.device, lost, REGISTRAR, station.once())
    ((revoked_at,),) = await sql(station.dsn, REVOKED, phone.device)
    assert revoked_at is not None


@pytest.mark.postgres
async def test_what_runs_by_itself_waits_too(station: Station) -> None:
    """Positions stay in memory, and nothing is deleted: that is written to the log first."""
    unit_id, now_s = station.issued[0].unit, station.clock.now().timestamp()
    retention = Retention(station.desk, station.store, timedelta(days=400))
    station.desk.fleet.fix(unit_id, Fix(lon=113.25, lat=23.25, acc_m=8.0, at_s=now_s))
    full(station)
    await station.loops.keep_positions()
    await retention.run()
    assert (station.statements, station.desk.fleet.moved()) == ([], 1)
    room_again(station)
    await station.loops.keep_positions()
    assert (len(station.statements), station.desk.fleet.moved()) == (1, 0)
    await retention.run()
    assert len(station.statements) > 1
    full(station)
    await station.store.close()
    with pytest.raises(Unavailable, match="the store is full; try again"):
        await station.open()
