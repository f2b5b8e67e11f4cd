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
    phone = await station.anybody()
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
    assert (await station.anybody()).device_id == station.issued[0].device


async def test_phones_are_counted_in_and_out(station: Station) -> None:
    """In the metrics too."""
    one, two = await station.anybody(0), await station.anybody(1)
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
    phone = replace(await station.anybody(), unit_id=UnitId("404"))
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
    phone, true = await station.anybody(), station.home()
    given = point_from_wgs84(true, datum)
    assert station.phones.fixes(phone, loc(station, [(0, *given)], datum)) == []
    assert place(station, phone) == pytest.approx(true, abs=1e-5)


async def test_rows_are_judged_one_by_one(station: Station) -> None:
    """A bad one never loses its neighbours, and is named by its index."""
    phone, (lon, lat) = await station.anybody(), station.home()
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
    phone, (lon, lat) = await station.anybody(), station.home()
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
