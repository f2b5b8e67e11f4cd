"""Notices by the desk: who is addressed, a job that survives a crash, what phones say back."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import shapely

from dispatch.auth import Grant, Role
from dispatch.core.errors import (
    Conflict,
    Forbidden,
    IdReuse,
    Invalid,
    NotFound,
    Unavailable,
)
from dispatch.desk.notices import BATCH, SLICE
from dispatch.ports import Sealed, StoreAway
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas import wire
from schemas.base import KeyId, UnitId
from schemas.notice import NoticeId, NoticeLevel
from schemas.notices import NoticeView, Polygon, SendNotice
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import DISPATCHER, FEED, STRANGER, Lane, Station

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def body(**facts: Any) -> SendNotice:
    """Return a warning to all phones of the city."""
    given: dict[str, Any] = {"level": NoticeLevel.WARN, "text": "台风红色预警", "drill": False}
    return SendNotice(**{**given, **facts})


def around(station: Station, near: int, datum: Datum, degrees: float = 0.002) -> Polygon:
    """Return a square around a unit's post, in a datum."""
    here = station.issued[near]
    ring = shapely.box(
        here.lon - degrees, here.lat - degrees, here.lon + degrees, here.lat + degrees
    ).exterior.coords
    moved = [list(point_from_wgs84(Point(lon, lat), datum)) for lon, lat in ring]
    return Polygon(type="Polygon", coordinates=[moved], datum=datum)


async def send(station: Station, **facts: Any) -> NoticeView:
    """Keep a notice to be sent; nothing is sent yet."""
    answer, _ = await station.desk.notices.send(body(**facts), DISPATCHER, station.once())
    return msgspec.json.decode(answer.body, type=NoticeView)


async def sent(station: Station, **facts: Any) -> NoticeView:
    """Send a notice to its end."""
    view = await send(station, **facts)
    await station.desk.notices.send_waiting()
    return view


def told(station: Station) -> list[str]:
    """Return the units whose phones were handed a notice, in order."""
    return [row.mail.unit_id for row in station.lane.pushed]


def read(station: Station, view: NoticeView, command: str = "") -> wire.NoticeRead:
    """Return what a phone says when its member has read a notice."""
    return wire.NoticeRead(id=command or station.clock.new_id(), nid=view.id)


async def test_all_phones_hear_of_it_at_once(station: Station) -> None:
    """One frame for all, each with its own place in its stream."""
    view = await sent(station)
    assert sorted(told(station)) == sorted(p.unit for p in station.issued)
    assert len({id(row.mail.frame) for row in station.lane.pushed}) == 1
    phone = await station.phone(station.issued[0].unit)
    assert (station.phones.head(phone.device_id), station.phones.notices_till(phone.device_id)) == (
        1,
        1,
    )
    kept = await station.desk.notices.notice(NoticeId(view.id), DISPATCHER)
    assert (kept.addressed, kept.delivered, kept.read) == (200, 0, 0)


async def test_a_process_that_dies_between_two_batches_leaves_the_rest_to_the_next(
    station: Station, start: Start
) -> None:
    """Nobody is told twice, nobody left out."""
    await send(station)
    first = await station.store.post_notice(70, station.clock.now())
    assert first is not None
    other = await start()
    assert await other.desk.notices.send_waiting() == 130
    units = [row.mail.unit_id for row in (*first, *other.lane.pushed)]
    assert sorted(units) == sorted(p.unit for p in station.issued)
    phone = await other.phone(first[0].mail.unit_id)
    assert other.phones.notices_till(phone.device_id) == 1


async def test_no_transaction_writes_to_more_phones_than_a_batch(station: Station) -> None:
    """An offer waits behind at most one of them."""
    assert BATCH <= 500
    await sent(station)
    assert station.lane.pushed


async def test_a_turn_of_the_loop_writes_to_few_phones(station: Station) -> None:
    """Between two of them an offer is written: it waits behind no more frames than these."""
    turns: list[int] = []

    class Turns(Lane):
        def push(self, sealed: Sequence[Sealed]) -> None:
            turns.append(len(sealed))

    station.desk.notices.send_through(Turns())
    await sent(station)
    assert turns == [SLICE] * (len(station.issued) // SLICE)


async def test_a_decision_under_way_goes_first(station: Station) -> None:
    """The next slice waits until it is written."""
    order: list[str] = []
    deciding: list[asyncio.Task[None]] = []

    async def decide() -> None:
        with station.desk.in_flight.changing(["i1"]):
            for _ in range(3):
                await asyncio.sleep(0)
            order.append("decided")

    class Turns(Lane):
        def push(self, sealed: Sequence[Sealed]) -> None:
            order.append("told")
            if not deciding:
                deciding.append(asyncio.create_task(decide()))

    station.desk.notices.send_through(Turns())
    await sent(station)
    assert order[:3] == ["told", "decided", "told"]


async def test_a_decision_that_does_not_end_holds_no_notice_up(station: Station) -> None:
    """A batch waits for a moment only, all in all."""
    with station.desk.in_flight.changing(["i1"]):
        await sent(station)
    assert len(told(station)) == len(station.issued)


async def test_a_polygon_chooses_the_units_that_stand_in_it(station: Station) -> None:
    """In whatever datum it was drawn; it is kept as it was given."""
    for datum in Datum:
        station.lane.pushed.clear()
        drawn = around(station, 3, datum)
        view = await sent(station, polygon=drawn)
        assert station.issued[3].unit in told(station)
        assert 1 <= len(told(station)) < 20
        assert view.polygon == msgspec.to_builtins(drawn)


async def test_a_polygon_counts_within_the_jurisdiction_only(station: Station) -> None:
    """Both have to hold."""
    unit = station.desk.fleet.unit(UnitId(station.issued[3].unit))
    assert unit is not None
    other = next(
        j.path for j in station.desk.places if j.path.count(".") == 2 and j.path not in unit.juris
    )
    await sent(station, polygon=around(station, 3, Datum.WGS84), jurisdiction=other)
    assert station.issued[3].unit not in told(station)


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"jurisdiction": "sz"}, Forbidden),
        ({"expires_at": timedelta(0)}, Invalid),
        ({"expires_at": timedelta(days=8)}, Invalid),
        ({"polygon": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, Invalid),
        ({"polygon": [[["a"]]]}, Invalid),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    station: Station, facts: dict[str, Any], refusal: type[Exception]
) -> None:
    """Beyond one's jurisdiction, without a future, or with a polygon that is none."""
    given = dict(facts)
    if "expires_at" in given:
        given["expires_at"] = station.clock.now() + given["expires_at"]
    if "polygon" in given:
        shape = Polygon(type="Polygon", coordinates=given["polygon"], datum=Datum.WGS84)
        given["polygon"] = shape
    with pytest.raises(refusal):
        await send(station, **given)


async def test_the_same_request_sends_one_notice(station: Station) -> None:
    """Another one under its id is refused."""
    once = station.once("c1")
    first, again = [await station.desk.notices.send(body(), DISPATCHER, once) for _ in range(2)]
    assert (first[1], again[1]) == (False, True)
    assert msgspec.json.decode(first[0].body) == msgspec.json.decode(again[0].body)
    assert len(await station.desk.notices.page(DISPATCHER, None, 10)) == 1
    with pytest.raises(IdReuse):
        await station.desk.notices.send(body(), DISPATCHER, station.once("c1", b"other"))


async def test_only_those_of_the_jurisdiction_see_it(station: Station) -> None:
    """A feed may not even ask."""
    view = await sent(station)
    with pytest.raises(NotFound):
        await station.desk.notices.notice(NoticeId(view.id), STRANGER)
    assert await station.desk.notices.page(STRANGER, None, 10) == []
    with pytest.raises(Forbidden):
        await station.desk.notices.page(FEED, None, 10)


async def test_a_phone_acknowledges_and_its_member_reads(station: Station) -> None:
    """Two facts; the second by a command that is answered once."""
    view = await sent(station, need_read=True)
    unit = station.issued[0].unit
    phone = await station.phone(unit)
    assert station.phones.acknowledge(phone.device_id, 1)
    assert station.phones.notices_till(phone.device_id) == 0
    await station.phones.flush_acks()
    said = read(station, view, "read-notice-00001")
    assert [await station.say(unit, said) for _ in range(2)] == [wire.Ok(re=said.id)] * 2
    kept = await station.desk.notices.notice(NoticeId(view.id), DISPATCHER)
    assert (kept.addressed, kept.delivered, kept.read) == (200, 1, 1)


async def test_nobody_reads_what_was_not_sent_to_him(station: Station) -> None:
    """It does not exist for him, now and on every retry."""
    view = await send(station)
    said = read(station, view)
    for _ in range(2):
        told = await station.say(station.issued[0].unit, said)
        assert isinstance(told, wire.Err)
        assert (told.code, told.path) == (wire.ErrorCode.NOT_FOUND, "nid")


async def test_what_waits_for_a_phone_is_handed_over_in_order(station: Station) -> None:
    """Until it is acknowledged; a phone for which nothing waits is asked about no more."""
    await sent(station, text="一")
    await sent(station, text="二")
    phone = await station.phone(station.issued[0].unit)
    rows = await station.phones.notices(phone.device_id, 0, 10)
    assert [row.seq for row in rows] == [1, 2]
    assert [row.seq for row in await station.phones.notices(phone.device_id, 1, 10)] == [2]
    station.clock.advance(25 * 3600)
    assert await station.phones.notices(phone.device_id, 0, 10) == []
    assert station.phones.notices_till(phone.device_id) == 0


async def test_taking_back_tells_those_who_were_told(station: Station) -> None:
    """Again it changes nothing; what has expired cannot be taken back."""
    view = await send(station)
    await station.store.post_notice(70, station.clock.now())
    back = await station.desk.notices.withdraw(NoticeId(view.id), DISPATCHER)
    assert (back.withdrawn_by, back.rev) == ("key:k1", 2)
    assert await station.desk.notices.send_waiting() == 70
    again = await station.desk.notices.withdraw(NoticeId(view.id), DISPATCHER)
    assert again.rev == 2
    late = await sent(station)
    station.clock.advance(25 * 3600)
    with pytest.raises(Conflict):
        await station.desk.notices.withdraw(NoticeId(late.id), DISPATCHER)


async def test_a_whole_city_is_told_by_a_commander_of_all_of_it(station: Station) -> None:
    """Without naming a jurisdiction it is the key's own."""
    grant = Grant(key_id=KeyId("k9"), role=Role.COMMANDER, juris="gz")
    answer, _ = await station.desk.notices.send(body(), grant, station.once())
    assert msgspec.json.decode(answer.body, type=NoticeView).jurisdiction == "gz"


async def test_without_the_store_nothing_is_promised(start: Start, line: Line) -> None:
    """Every way in says so; the job goes on by itself when the store is back."""
    station = await start(line.dsn)
    view = await send(station)
    phone = await station.phone(station.issued[0].unit)
    await line.cut()
    notices = station.desk.notices
    with pytest.raises(Unavailable):
        await notices.send(body(), DISPATCHER, station.once())
    with pytest.raises(Unavailable):
        await notices.page(DISPATCHER, None, 10)
    with pytest.raises(Unavailable):
        await notices.notice(NoticeId(view.id), DISPATCHER)
    with pytest.raises(Unavailable):
        await notices.read(phone, read(station, view), station.once())
    with pytest.raises(StoreAway):
        await notices.go_on()
    await line.mend()
    await notices.go_on()
    assert len(station.lane.pushed) == 200


async def test_a_batch_nobody_heard_of_is_learnt_of(station: Station) -> None:
    """Its rows are known as heads, so that the sweep hands them over."""
    await send(station)
    station.desk.notices._unsure = True
    await station.store.post_notice(500, station.clock.now())
    await station.desk.notices.go_on()
    phone = await station.phone(station.issued[0].unit)
    assert station.phones.head(phone.device_id) == 1
    assert station.lane.pushed == []
