"""Where phones that sleep are woken, and who is told when one falls asleep; over a real store."""

import asyncio
from typing import Final

import pytest

from dispatch.core.matching import Reason
from dispatch.live.fleet import GRACE_S
from dispatch.ports import StoreAway
from schemas import wire
from schemas.base import DeviceId
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import DISPATCHER, Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

HOOK: Final = wire.PushAddress(k=wire.PushKind.HOOK, a="vendor-token-1")
OTHER: Final = wire.PushAddress(k=wire.PushKind.WEBPUSH, a="https://push.example.org/1")
NONE: Final = wire.PushAddress(k=wire.PushKind.NONE)


async def on_disk(station: Station) -> list[tuple[str, str]]:
    """Return the addresses that are kept."""
    rows = await sql(
        station.dsn, "select push_kind, push_to from device where push_to is not null order by id"
    )
    return [(row["push_kind"], row["push_to"]) for row in rows]


# Addresses. --------------------------------------------------------------------------------------


async def test_addresses_are_written_together(station: Station) -> None:
    """A hello waits for nothing; a whole city that connects is one statement."""
    for number in (0, 1):
        station.phones.push_address(await station.anybody(number), HOOK)
    station.statements.clear()
    await station.phones.sleepers.flush()
    await station.phones.sleepers.flush()
    assert len(station.statements) == 1
    assert await on_disk(station) == [("hook", "vendor-token-1")] * 2


async def test_the_newest_address_counts(station: Station) -> None:
    """Also when it is the first one again."""
    phone = await station.anybody()
    for address in (HOOK, OTHER, HOOK):
        station.phones.push_address(phone, address)
        await station.phones.sleepers.flush()
    assert await on_disk(station) == [("hook", "vendor-token-1")]


@pytest.mark.parametrize(
    "nothing", [NONE, *(wire.PushAddress(k=wire.PushKind.HOOK, a=a) for a in ("", "a\0b", None))]
)
async def test_an_address_is_taken_back(station: Station, nothing: wire.PushAddress) -> None:
    """By saying so, or by an empty one."""
    phone = await station.anybody()
    for address in (HOOK, nothing):
        station.phones.push_address(phone, address)
        await station.phones.sleepers.flush()
    assert await on_disk(station) == []


async def test_an_address_that_is_known_costs_nothing(start: Start, station: Station) -> None:
    """Every hello brings it: a reconnect storm writes nothing."""
    station.phones.push_address(await station.anybody(), HOOK)
    await station.phones.sleepers.flush()
    later = await start()
    later.phones.push_address(await later.anybody(), HOOK)
    later.statements.clear()
    await later.phones.sleepers.flush()
    assert later.statements == []


async def test_addresses_outlive_the_stores_absence(start: Start, line: Line) -> None:
    """They are written when it is back; a newer one is not set back."""
    station = await start(line.dsn)
    first, second = await station.anybody(0), await station.anybody(1)
    station.phones.push_address(first, HOOK)
    station.phones.push_address(second, HOOK)
    await line.cut()
    flushing = asyncio.create_task(station.phones.sleepers.flush())
    await asyncio.sleep(0)
    station.phones.push_address(first, OTHER)
    with pytest.raises(StoreAway):
        await flushing
    await line.mend()
    await station.phones.sleepers.flush()
    assert sorted(await on_disk(station)) == [("hook", HOOK.a), ("webpush", OTHER.a)]


async def test_who_gets_the_phone_anew_does_not_inherit_the_address(station: Station) -> None:
    """A new token may be in another pocket."""
    phone = await station.anybody()
    station.phones.push_address(phone, HOOK)
    await station.phones.sleepers.flush()
    await sql(
        station.dsn,
        "update device set token_hash = sha256(token_hash) where id = $1",
        phone.device_id,
    )
    assert await on_disk(station) == []


async def test_a_revoked_phone_is_woken_no_more(station: Station) -> None:
    """Its address goes with its token."""
    phone = await station.anybody()
    station.phones.push_address(phone, HOOK)
    await station.phones.sleepers.flush()
    await sql(station.dsn, "update device set revoked_at = now() where id = $1", phone.device_id)
    assert await on_disk(station) == []


async def test_an_offline_unit_can_be_asked_once_its_phone_can_be_woken(station: Station) -> None:
    """When the minute after the start is over; a second after the hello, in memory too."""
    station.clock.advance(GRACE_S)
    body = station.body()
    shown = await station.desk.candidates(body, DISPATCHER)
    assert set(shown.left_out) == {Reason.UNREACHABLE}
    station.phones.push_address(await station.anybody(), HOOK)
    await station.phones.sleepers.flush()
    await station.loops.reread_freed()
    found = (await station.desk.candidates(body, DISPATCHER)).candidates
    assert [one.unit_id for one in found] == [station.issued[0].unit]


# Sleep. ------------------------------------------------------------------------------------------


async def test_a_phone_sleeps_without_a_socket_and_in_the_background(station: Station) -> None:
    """It is awake only while its app is in the foreground."""
    phone, sleepers = await station.anybody(), station.phones.sleepers
    seen = [sleepers.asleep(phone.device_id)]
    station.phones.connected(phone)
    seen.append(sleepers.asleep(phone.device_id))
    for activity in (wire.Activity.BACKGROUND, wire.Activity.FOREGROUND, wire.Activity.SLEEP):
        station.phones.mode(phone, wire.Mode(m=activity))
        seen.append(sleepers.asleep(phone.device_id))
    station.phones.disconnected(phone)
    assert [*seen, sleepers.asleep(phone.device_id)] == [True, False, True, False, True, True]


async def test_a_phone_that_falls_asleep_is_named(station: Station) -> None:
    """To the background, and when its socket is closed; not when it wakes."""
    phone = await station.anybody()
    named: list[DeviceId] = []
    station.phones.sleepers.wake_through(named.append)
    station.phones.connected(phone)
    station.phones.mode(phone, wire.Mode(m=wire.Activity.FOREGROUND))
    assert named == []
    station.phones.mode(phone, wire.Mode(m=wire.Activity.BACKGROUND))
    station.phones.disconnected(phone)
    assert named == [phone.device_id] * 2


async def test_without_a_worker_nobody_is_named(station: Station) -> None:
    """No webhook: the outbox waits for the phone to come."""
    phone = await station.anybody()
    station.phones.connected(phone)
    station.phones.disconnected(phone)
    assert station.phones.sleepers.asleep(phone.device_id)
