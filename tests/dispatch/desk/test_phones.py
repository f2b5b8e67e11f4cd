"""The desk as phones see it, over a real store."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.auth import token_hash
from dispatch.core.errors import NotOnDuty, Unauthenticated, Unavailable
from dispatch.core.fixes import Flaw
from dispatch.ports import Identity
from dispatch.store.registry import IssuedDevice, registry
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas import wire
from schemas.base import DeviceId, UnitId, ms
from schemas.unit import Duty, UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def loc(
    station: Station,
    rows: Sequence[tuple[float, float, float]],
    datum: Datum = Datum.WGS84,
    acc_m: float = 5.0,
) -> wire.Loc:
    """Return fixes: seconds ago, lon and lat."""
    now_ms = ms(station.clock.now())
    raw = [
        msgspec.Raw(msgspec.json.encode([now_ms - ago_s * 1000, lon, lat, acc_m]))
        for ago_s, lon, lat in rows
    ]
    return wire.Loc(d=datum, ts=now_ms, f=raw)


async def anybody(station: Station, number: int = 0) -> Identity:
    """Return phone n of the city."""
    return await station.phones.identify(station.issued[number].token)


def home(station: Station, number: int = 0) -> Point:
    """Return where phone n's unit has its post."""
    return Point(station.issued[number].lon, station.issued[number].lat)


def place(station: Station, identity: Identity) -> Point:
    """Return where memory thinks a unit is by its fixes."""
    standing = station.desk.fleet.standing(identity.unit_id, station.clock.now().timestamp())
    assert standing.age_s is not None
    return standing.place


# Who. --------------------------------------------------------------------------------------------


async def test_a_token_names_its_phone(station: Station) -> None:
    """Without a query; an unknown one is looked up, and the look-up says no."""
    issued = station.issued[3]
    identity = await station.phones.identify(issued.token)
    assert (identity.device_id, identity.unit_id) == (issued.device, issued.unit)
    assert station.statements == []
    with pytest.raises(Unauthenticated):
        await station.phones.identify("kd_unknown")


async def test_a_phone_enrolled_since_the_start_is_looked_up(station: Station) -> None:
    """Once; then memory knows it."""
    issued = station.issued[0]
    phone = await anybody(station)
    async with registry(station.dsn) as registered:
        new = IssuedDevice(
            id=issued.device,
            unit_id=issued.unit,
            member_id=phone.member_id,
            token_hash=token_hash("kd_new"),
        )
        await registered.put_devices([new])
    assert (await station.phones.identify("kd_new")).device_id == issued.device
    station.statements.clear()
    assert (await station.phones.identify("kd_new")).device_id == issued.device
    assert station.statements == []


async def test_a_token_that_cannot_be_checked_is_not_refused(start: Start, line: Line) -> None:
    """A phone told "no" would stop; one told "later" comes again."""
    station = await start(line.dsn)
    await line.cut()
    with pytest.raises(Unavailable):
        await station.phones.identify("kd_unknown")
    assert (await anybody(station)).device_id == station.issued[0].device


async def test_phones_are_counted_in_and_out(station: Station) -> None:
    """In the metrics too."""
    one, two = await anybody(station, 0), await anybody(station, 1)
    station.phones.connected(one)
    station.phones.connected(two)
    station.phones.disconnected(one)
    assert station.phones.online() == 1
    assert station.registry.get_sample_value("kapok_phones_online") == 1


# What it is told. --------------------------------------------------------------------------------


async def test_a_phones_state_is_complete(station: Station) -> None:
    """Duty, unit, what it is asked, its task, its crew and how to report."""
    case = await station.open()
    other = await station.open(100)
    asked = await station.phone(case.offers[0].unit_id)
    state = station.phones.state(asked)
    assert (state.duty, state.unit_state) == (Duty.ON, UnitState.OFFERED)
    (offer,) = state.offers
    assert (offer.oid, offer.ttl_ms, offer.inc.iid) == (
        case.offers[0].id,
        20_000.0,
        case.incident.id,
    )
    assert (offer.inc.lon, offer.inc.lat, offer.d) == (
        case.incident.lon,
        case.incident.lat,
        Datum.WGS84,
    )
    assert asked.member_id in {m.member for m in state.crew}
    assert len(state.crew) >= 2
    assert "available" in state.policy.state
    station.clock.advance(5)
    await station.accept(other)
    held = station.phones.state(await station.phone(other.offers[0].unit_id))
    assert (held.unit_state, held.offers) == (UnitState.ENGAGED, [])
    assert [task.oid for task in held.assigns] == [other.offers[0].id]
    assert station.phones.state(asked).offers[0].ttl_ms == 15_000.0


async def test_a_phone_off_duty_is_not_rung_up(station: Station) -> None:
    """It sees its task, never an offer."""
    case = await station.open()
    unit_id = case.offers[0].unit_id
    await station.say(unit_id, station.clock_out())
    state = station.phones.state(await station.phone(unit_id))
    assert (state.duty, state.offers) == (Duty.OFF, [])


async def test_a_phone_of_an_unknown_unit_has_a_state(station: Station) -> None:
    """A unit registered this second is off, and its phone is told so."""
    phone = replace(await anybody(station), unit_id=UnitId("404"))
    state = station.phones.state(phone)
    assert (state.unit_state, state.duty, state.crew) == (UnitState.OFF, Duty.OFF, [])


async def test_mail_is_what_waits_above_a_seq(station: Station) -> None:
    """And the head is the last that was given."""
    case = await station.open()
    await station.cancel(case)
    phone = await station.phone(case.offers[0].unit_id)
    assert station.phones.head(phone.device_id) == 2
    assert [row.seq for row in await station.phones.mail(phone.device_id, 0, 10)] == [2]
    assert await station.phones.mail(phone.device_id, 2, 10) == []


# Acknowledgements. -------------------------------------------------------------------------------


async def test_an_acknowledgement_is_written_once_in_a_while(station: Station) -> None:
    """The highest of each phone, in one statement; nothing when nothing came."""
    case = await station.open()
    await station.cancel(case)
    phone = await station.phone(case.offers[0].unit_id)
    assert station.phones.acknowledge(phone.device_id, 2)
    assert station.phones.acknowledge(phone.device_id, 1)
    station.statements.clear()
    await station.phones.flush_acks()
    await station.phones.flush_acks()
    assert len(station.statements) == 1
    acked = await sql(station.dsn, "select acked from device where id = $1", phone.device_id)
    assert acked[0]["acked"] == 2


async def test_an_acknowledgement_above_the_head_is_ignored(station: Station) -> None:
    """It is not believed, and nothing is written."""
    case = await station.open()
    phone = await station.phone(case.offers[0].unit_id)
    assert not station.phones.acknowledge(phone.device_id, 2)
    assert not station.phones.acknowledge(DeviceId("404"), 1)
    station.statements.clear()
    await station.phones.flush_acks()
    assert station.statements == []


async def test_acknowledgements_outlive_the_stores_absence(start: Start, line: Line) -> None:
    """They are written when it is back; one that came meanwhile is not set back."""
    station = await start(line.dsn)
    case = await station.open()
    await station.cancel(case)
    first, second = [await station.phone(o.unit_id) for o in case.offers[:2]]
    station.phones.acknowledge(first.device_id, 1)
    station.phones.acknowledge(second.device_id, 1)
    await line.cut()
    flushing = asyncio.create_task(station.phones.flush_acks())
    await asyncio.sleep(0)
    station.phones.acknowledge(first.device_id, 2)
    await flushing
    await line.mend()
    await station.phones.flush_acks()
    rows = await sql(station.dsn, "select id, acked from device where acked > 0")
    assert {r["id"]: r["acked"] for r in rows} == {first.device_id: 2, second.device_id: 1}


# Fixes. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("datum", list(Datum))
async def test_a_fix_is_taken_in_any_datum(station: Station, datum: Datum) -> None:
    """The unit stands where it truly is."""
    phone, true = await anybody(station), home(station)
    given = point_from_wgs84(true, datum)
    assert station.phones.fixes(phone, loc(station, [(0, *given)], datum)) == []
    assert place(station, phone) == pytest.approx(true, abs=1e-5)


async def test_rows_are_judged_one_by_one(station: Station) -> None:
    """A bad one never loses its neighbours, and is named by its index."""
    phone, (lon, lat) = await anybody(station), home(station)
    frame = loc(
        station,
        [(30, lon, lat), (500, lon, lat), (-60, lon, lat), (20, lon + 0.2, lat), (25, lon, lat)],
    )
    rows = [*frame.f, msgspec.Raw(b'["x"]'), loc(station, [(1, lon + 0.0001, lat)]).f[0]]
    bad = station.phones.fixes(phone, replace(frame, f=rows))
    assert bad == [
        (1, Flaw.OLD),
        (2, Flaw.FUTURE),
        (3, Flaw.TOO_FAST),
        (5, Flaw.INVALID),
    ]
    assert place(station, phone).lon == pytest.approx(lon + 0.0001)
    bad_rows = station.registry.get_sample_value("kapok_fixes_total", {"verdict": "too_fast"})
    assert bad_rows == 1


async def test_a_row_older_than_the_last_good_one_is_overtaken(station: Station) -> None:
    """Also in a later frame; and one too uncertain is no position."""
    phone, (lon, lat) = await anybody(station), home(station)
    station.phones.fixes(phone, loc(station, [(10, lon, lat)]))
    assert station.phones.fixes(phone, loc(station, [(20, lon, lat)])) == [(0, Flaw.OVERTAKEN)]
    uncertain = loc(station, [(0, lon, lat)], acc_m=201.0)
    assert station.phones.fixes(phone, uncertain) == [(0, Flaw.INACCURATE)]


async def test_off_duty_nothing_is_stored(station: Station) -> None:
    """Not even in memory; on a call it is."""
    case = await station.open()
    unit_id = case.offers[0].unit_id
    phone = await station.phone(unit_id)
    await station.say(unit_id, station.clock_out())
    frame = loc(station, [(0, case.incident.lon, case.incident.lat)])
    with pytest.raises(NotOnDuty):
        station.phones.fixes(phone, frame)
    now_s = station.clock.now().timestamp()
    assert station.desk.fleet.standing(phone.unit_id, now_s).age_s is None
    await station.accept(case)
    assert station.phones.fixes(phone, frame) == []


# Commands. ---------------------------------------------------------------------------------------


async def test_the_same_command_hears_the_same_answer(station: Station) -> None:
    """Its acknowledgement may differ; its payload may not."""
    case = await station.open()
    offer = case.offers[0]
    yes = station.yes(offer.id, "0" * 16)
    first = await station.say(offer.unit_id, yes)
    again = await station.say(offer.unit_id, replace(yes, ack=1))
    other = await station.say(offer.unit_id, replace(yes, r=wire.Answer.DECLINE))
    assert isinstance(first, wire.Ok)
    assert again == first
    assert isinstance(other, wire.Err)
    assert other.code is wire.ErrorCode.ID_REUSE
    assert len(await sql(station.dsn, "select id from assignment")) == 1


async def test_a_refusal_is_heard_again(station: Station) -> None:
    """What is not there stays not there for this id; another id asks anew."""
    unit_id = station.issued[0].unit
    gone = wire.OfferSeen(id="0" * 16, oid="404")
    first = await station.say(unit_id, gone)
    assert isinstance(first, wire.Err)
    assert (first.code, first.path) == (wire.ErrorCode.NOT_FOUND, "oid")
    kept = await sql(station.dsn, "select status from reply where id = $1", gone.id)
    assert [row["status"] for row in kept] == [409]
    late = await station.say(unit_id, wire.AssignSeen(id="1" * 16, aid="404", rev=1))
    assert isinstance(late, wire.Err)
    assert late.path == "aid"


async def test_a_units_own_offer_only_can_be_answered(station: Station) -> None:
    """Another unit's is as unknown as one that never was."""
    case = await station.open()
    told = await station.say(case.offers[0].unit_id, station.yes(case.offers[1].id))
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.NOT_FOUND


async def test_a_task_is_followed_step_by_step(station: Station) -> None:
    """Seen, accepted, seen, on the way, there, controlled, settled."""
    case = await station.open()
    offer = case.offers[0]
    seen = wire.OfferSeen(id=station.clock.new_id(), oid=offer.id)
    assert isinstance(await station.say(offer.unit_id, seen), wire.Ok)
    told = await station.accept(case)
    assert isinstance(told, wire.Ok)
    aid = told.result["aid"]
    task_seen = wire.AssignSeen(id=station.clock.new_id(), aid=aid, rev=1)
    assert isinstance(await station.say(offer.unit_id, task_seen), wire.Ok)
    for reached in ("en_route", "arrived", "controlled", "resolved"):
        station.clock.advance(10)
        step = wire.Progress(
            id=station.clock.new_id(),
            aid=aid,
            s=wire.Reached(reached),
            at=ms(station.clock.now()),
            note="到了",
        )
        answer = await station.say(offer.unit_id, step)
        assert isinstance(answer, wire.Ok)
        assert answer.result["s"] == reached
    assert (await station.case(case.incident.id)).incident.status == "resolved"
    late = wire.Progress(
        id=station.clock.new_id(), aid=aid, s=wire.Reached.ARRIVED, at=ms(station.clock.now())
    )
    answer = await station.say(offer.unit_id, late)
    assert isinstance(answer, wire.Ok)
    assert answer.result["late"] is True


async def test_a_declined_offer_is_replaced(station: Station) -> None:
    """In the same decision."""
    case = await station.open()
    offer = case.offers[0]
    no = replace(station.yes(offer.id), r=wire.Answer.DECLINE, why="在忙")
    assert isinstance(await station.say(offer.unit_id, no), wire.Ok)
    states = [o.state for o in (await station.case(case.incident.id)).offers]
    assert states == ["declined", "open", "open", "open"]


async def test_an_answer_that_comes_too_late_is_told_why(station: Station) -> None:
    """The reason is one a person can be shown."""
    case = await station.open()
    await station.cancel(case)
    told = await station.accept(case)
    assert isinstance(told, wire.Err)
    assert (told.code, told.st) == (wire.ErrorCode.CANCELLED, "cancelled")


# Duty. -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "duty", "state"),
    [
        (wire.DutyCall.OFF, Duty.OFF, UnitState.OFF),
        (wire.DutyCall.PAUSE, Duty.PAUSED, UnitState.PAUSED),
        (wire.DutyCall.ON, Duty.ON, UnitState.AVAILABLE),
    ],
)
async def test_a_member_clocks(
    station: Station, call: wire.DutyCall, duty: Duty, state: UnitState
) -> None:
    """Memory has it before the answer leaves."""
    phone = await anybody(station)
    told = await station.say(phone.unit_id, station.clock_out(call))
    assert isinstance(told, wire.Ok)
    assert told.result == {"s": call}
    assert station.phones.state(phone).duty is duty
    assert station.desk.fleet.state(phone.unit_id) is state


async def test_clocking_twice_under_one_id_happens_once(station: Station) -> None:
    """The same is answered the same; another payload is refused."""
    phone = await anybody(station)
    off = station.clock_out()
    first = await station.say(phone.unit_id, off)
    assert await station.say(phone.unit_id, off) == first
    told = await station.say(phone.unit_id, replace(off, s=wire.DutyCall.ON))
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.ID_REUSE
    assert station.phones.state(phone).duty is Duty.OFF
    changes = await sql(station.dsn, "select id from event where type = 'duty_changed'")
    assert len(changes) == 1


async def test_clocking_at_once_under_one_id_happens_once(station: Station) -> None:
    """The one that lost the race hears the other's answer."""
    phone = await anybody(station)
    off = station.clock_out()
    told = await asyncio.gather(*(station.say(phone.unit_id, off) for _ in range(4)))
    assert {type(answer) for answer in told} == {wire.Ok}
    assert len(await sql(station.dsn, "select id from event where type = 'duty_changed'")) == 1


async def test_clocking_whose_answer_was_lost_is_in_memory_too(start: Start, line: Line) -> None:
    """The phone hears ok, and the desk no longer asks the unit."""
    station = await start(line.dsn)
    phone = await anybody(station)
    line.lose_answer_to(b'"duty":"off"')
    assert isinstance(await station.say(phone.unit_id, station.clock_out()), wire.Ok)
    assert station.phones.state(phone).duty is Duty.OFF
    assert station.desk.fleet.state(phone.unit_id) is UnitState.OFF


async def test_without_the_store_a_command_is_to_be_tried_again(start: Start, line: Line) -> None:
    """Whatever it is; nothing of it is kept."""
    station = await start(line.dsn)
    phone = await anybody(station)
    await line.cut()
    for frame in (
        station.clock_out(),
        wire.OfferSeen(id="0" * 16, oid="404"),
    ):
        told = await station.say(phone.unit_id, frame)
        assert isinstance(told, wire.Err)
        assert (told.code, told.retry_ms) == (wire.ErrorCode.OVERLOADED, 1000)
    await line.mend()
    assert await sql(station.dsn, "select id from reply") == []


async def test_a_refusal_that_could_not_be_kept_is_told_all_the_same(
    start: Start, line: Line
) -> None:
    """It changed nothing, so asking again is safe."""
    station = await start(line.dsn)
    unit_id = station.issued[0].unit
    gone = wire.OfferSeen(id="0" * 16, oid="404")
    line.lose_answer_to(b'"not_found"')
    told = await station.say(unit_id, gone)
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.NOT_FOUND


# Calls for help. ---------------------------------------------------------------------------------


def found(station: Station, kind: str) -> wire.Report:
    """Return a report from where the first unit has its post."""
    here = home(station)
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
