"""Who is connected, and what reaches them."""

import asyncio

import pytest

from dispatch.core.errors import Unavailable
from dispatch.gateway.limits import SWEEP_ROWS
from dispatch.ports import Outbound, Sealed, StoreAway
from schemas import wire
from schemas.base import DeviceId, UnitId
from schemas.wire import Close
from tests.dispatch.gateway.conftest import HELLO, PING, Gateway, reason, until
from tests.memory_phones import offer, phone

pytestmark = pytest.mark.asyncio

POLICY = wire.Policy(state={"available": wire.Cadence(60, 50, 30)})


def seal(gateway: Gateway, device: str, number: int = 1) -> Sealed:
    """Commit an offer for a phone without pushing it."""
    return gateway.phones.seal(device, offer(number))


# Push. -------------------------------------------------------------------------------------------


async def test_every_phone_of_a_unit_gets_its_own_row(gateway: Gateway) -> None:
    """In its own datum and stream; who is not here is found by the next welcome."""
    datums = {"d1": "gcj02", "d2": "gcj02", "d3": "wgs84"}
    lines = [await gateway.known(name, datum=datum) for name, datum in datums.items()]
    mail = seal(gateway, "d1").mail
    outbound: Outbound = gateway.hub
    outbound.push([Sealed(device_id=DeviceId(name), seq=1, mail=mail) for name in (*datums, "d9")])
    heard = [await line.hear() for line in lines]
    assert [(got["oid"], got["seq"], got["d"]) for got in heard] == [
        ("o1", 1, datum) for datum in datums.values()
    ]
    assert gateway.hub.stats.reliable_out == 3


async def test_a_frame_is_written_once(gateway: Gateway) -> None:
    """Pushed twice, or swept after the push: the phone reads it once."""
    line = await gateway.known()
    row = seal(gateway, "d1")
    gateway.hub.push([row, row])
    await gateway.hub.sweep()
    gateway.hub.push([row])
    assert (await line.hear())["seq"] == 1
    assert (await line.ask(PING))["t"] == "pong"


async def test_pushes_out_of_order_are_written_in_order(gateway: Gateway) -> None:
    """An acknowledgement of 2 would forget 1, so 2 waits for the sweep."""
    line = await gateway.known()
    first, second = seal(gateway, "d1", 1), seal(gateway, "d1", 2)
    gateway.hub.push([second])
    assert (await line.ask(PING))["t"] == "pong"
    gateway.hub.push([first])
    await gateway.hub.sweep()
    assert [(await line.hear())["oid"] for _ in range(2)] == ["o1", "o2"]


async def test_a_frame_the_welcome_may_have_missed_asks_the_phone_to_come_again(
    gateway: Gateway,
) -> None:
    """Its seq was known before its effect: written now, it would look like an old one. 4202."""
    row = seal(gateway, "d1")
    line = await gateway.known()
    gateway.hub.push([row])
    assert await line.parted() == reason(Close.RESYNC)


async def test_a_row_found_out_late_asks_the_phone_to_come_again_whose_welcome_stood_above(
    gateway: Gateway,
) -> None:
    """One above the welcome is swept; a phone that is not here is not asked."""
    seal(gateway, "d1")
    line = await gateway.known()
    for device, seq in (("d1", 2), ("d2", 1)):
        gateway.hub.overtaken(DeviceId(device), seq)
    assert (await line.ask(PING))["t"] == "pong"
    gateway.hub.overtaken(DeviceId("d1"), 1)
    assert await line.parted() == reason(Close.RESYNC)


async def test_a_missing_frame_is_fetched_at_once(gateway: Gateway) -> None:
    """The sweep does not wait for its hour."""
    line = await gateway.known()
    running = asyncio.create_task(gateway.hub.run(every_s=3600.0))
    seal(gateway, "d1", 1)
    gateway.hub.push([seal(gateway, "d1", 2)])
    assert [(await line.hear())["seq"] for _ in range(2)] == [1, 2]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_latest_policy_is_written(gateway: Gateway) -> None:
    """Of two that wait, the newer; and none to who is not here."""
    line = await gateway.known()
    gateway.hub.refresh(DeviceId("d1"), POLICY)
    gateway.hub.refresh(DeviceId("d1"), wire.Policy(state={}, batch=7))
    gateway.hub.refresh(DeviceId("d2"), POLICY)
    got = await line.hear()
    assert (got["t"], got["batch"]) == ("policy", 7)
    assert (await line.ask(PING))["t"] == "pong"


# The sweep. --------------------------------------------------------------------------------------


async def test_what_was_committed_and_not_pushed_is_swept(gateway: Gateway) -> None:
    """The process that committed may have died before it pushed."""
    line, other = await gateway.known("d1"), await gateway.known("d2")
    row = seal(gateway, "d1")
    gateway.phones.clock.advance(5.0)
    await gateway.hub.sweep()
    got = await line.hear()
    assert (got["seq"], got["ttl_ms"], got["d"]) == (row.seq, 15_000.0, "gcj02")
    assert gateway.hub.stats.swept == 1
    assert (await other.ask(PING))["t"] == "pong"


async def test_many_rows_come_page_by_page(gateway: Gateway) -> None:
    """One phone's backlog keeps no other waiting."""
    line = await gateway.known()
    for number in range(SWEEP_ROWS + 3):
        seal(gateway, "d1", number)
    await gateway.hub.sweep()
    assert gateway.hub.stats.swept == SWEEP_ROWS
    await gateway.hub.sweep()
    heard = [(await line.hear())["seq"] for _ in range(SWEEP_ROWS + 3)]
    assert heard == list(range(1, SWEEP_ROWS + 4))


async def test_rows_that_are_gone_leave_a_gap(gateway: Gateway) -> None:
    """Superseded before it was written: the stream goes on behind it."""
    line = await gateway.known()
    gateway.phones.seal("d1", offer(1), kept=False)
    await gateway.hub.sweep()
    gateway.hub.push([seal(gateway, "d1", 2)])
    assert (await line.hear())["seq"] == 2


@pytest.mark.parametrize(
    "failure",
    [StoreAway(), Unavailable("away"), ZeroDivisionError()],
    ids=lambda f: type(f).__name__,
)
async def test_a_sweep_that_fails_is_made_good_by_the_next(
    gateway: Gateway, failure: Exception
) -> None:
    """Nothing is skipped, and nobody is closed."""
    line = await gateway.known()
    seal(gateway, "d1")
    gateway.phones.refusals["mail"] = failure
    await gateway.hub.sweep()
    gateway.phones.refusals.clear()
    await gateway.hub.sweep()
    assert (await line.hear())["seq"] == 1


async def test_what_is_pushed_during_a_sweep_comes_with_the_next(gateway: Gateway) -> None:
    """Both are on their way at once; the phone reads each once, in order."""
    line = await gateway.known()
    seal(gateway, "d1", 1)
    gateway.phones.mail_free.clear()
    sweeping = asyncio.create_task(gateway.hub.sweep())
    await until(lambda: gateway.phones.mail_waiting)
    gateway.hub.push([seal(gateway, "d1", 2)])
    gateway.phones.mail_free.set()
    await sweeping
    await gateway.hub.sweep()
    assert [(await line.hear())["seq"] for _ in range(2)] == [1, 2]
    assert (await line.ask(PING))["t"] == "pong"


async def test_a_phone_that_goes_during_a_sweep_gets_nothing(gateway: Gateway) -> None:
    """Its next welcome tells it all."""
    line = await gateway.known()
    seal(gateway, "d1")
    gateway.phones.mail_free.clear()
    sweeping = asyncio.create_task(gateway.hub.sweep())
    await until(lambda: gateway.phones.mail_waiting)
    await line.line.close()
    await until(lambda: not gateway.hub.stats.sockets)
    gateway.phones.mail_free.set()
    await sweeping
    assert gateway.hub.stats.swept == 0


# One socket per device. --------------------------------------------------------------------------


@pytest.mark.parametrize(("inst", "code"), [("run-1", Close.DRAINING), ("run-2", Close.REPLACED)])
async def test_the_newer_socket_of_a_device_wins(gateway: Gateway, inst: str, code: Close) -> None:
    """The same process comes back: 4200. Another process, or another phone: 4003."""
    older = await gateway.known("d1", inst="run-1")
    newer = await gateway.known("d1", inst=inst)
    assert await older.parted() == reason(code)
    gateway.hub.push([seal(gateway, "d1")])
    assert (await newer.hear())["t"] == "offer"
    assert gateway.phones.seen == ["+d1", "-d1", "+d1"]
    assert gateway.hub.stats.phones == 1


async def test_a_unit_that_is_disabled_is_closed_with_all_its_phones(gateway: Gateway) -> None:
    """And no other's."""
    one, second, third = [await gateway.known(name) for name in ("d1", "d2", "d3")]
    gateway.hub.close_unit(UnitId("u2"), Close.UNIT_DISABLED)
    gateway.hub.close_unit(UnitId("u9"), Close.UNIT_DISABLED)
    assert await second.parted() == reason(Close.UNIT_DISABLED)
    assert await third.parted() == reason(Close.UNIT_DISABLED)
    assert (await one.ask(PING))["t"] == "pong"
    assert gateway.hub.stats.phones == 1


async def test_a_unit_has_eight_sockets(gateway: Gateway) -> None:
    """The ninth phone is sent away (4004); one that comes again takes its own place."""
    for number in range(10, 19):
        gateway.phones.know(phone(number, unit=9))
    lines = [await gateway.known(f"d{number}") for number in range(10, 18)]
    ninth = await gateway.phone()
    await ninth.say(HELLO | {"tok": "d18"})
    assert await ninth.parted() == reason(Close.FORBIDDEN)
    await gateway.known("d10")
    assert await lines[0].parted() == reason(Close.DRAINING)
    assert gateway.hub.stats.phones == 8


async def test_a_device_that_is_revoked_is_closed_alone(gateway: Gateway) -> None:
    """Its colleague of the same unit goes on."""
    second, third = await gateway.known("d2"), await gateway.known("d3")
    gateway.hub.close_device(DeviceId("d2"), Close.DEVICE_REVOKED)
    gateway.hub.close_device(DeviceId("d9"), Close.DEVICE_REVOKED)
    assert await second.parted() == reason(Close.DEVICE_REVOKED)
    assert (await third.ask(PING))["t"] == "pong"


async def test_one_phones_fault_does_not_end_the_round(gateway: Gateway) -> None:
    """Every silent phone is reaped, whatever the desk says to one of them."""
    lines = [await gateway.known(name) for name in ("d1", "d2")]
    gateway.phones.refusals["disconnected"] = ZeroDivisionError()
    gateway.later(77.0)
    assert [await line.parted() for line in lines] == [reason(Close.SILENT, 1)] * 2


# Drain. ------------------------------------------------------------------------------------------


async def test_a_drain_sends_everybody_elsewhere(gateway: Gateway) -> None:
    """4200 with a time to spread over; who comes meanwhile is sent on too."""
    known, fresh = await gateway.known(), await gateway.phone()
    await until(lambda: gateway.hub.stats.sockets == 2)
    draining = asyncio.create_task(gateway.hub.drain(5.0))
    assert await known.parted() == reason(Close.DRAINING, 1)
    assert await fresh.parted() == reason(Close.DRAINING, 1)
    assert await draining
    late = await gateway.phone()
    assert await late.parted() == reason(Close.DRAINING, 1)
    assert gateway.hub.stats.closes == {Close.DRAINING: 3}


async def test_a_drain_that_takes_too_long_says_so(gateway: Gateway) -> None:
    """The caller goes on to stop the server."""
    line = await gateway.known()
    assert not await gateway.hub.drain(0.0)
    assert await line.parted() == reason(Close.DRAINING, 1)


async def test_an_answer_on_its_way_is_written_before_the_goodbye(gateway: Gateway) -> None:
    """The phone need not ask again what was done."""
    line = await gateway.known()
    await line.say(HELLO | {"tok": "d1"})
    await until(lambda: gateway.hub.stats.errors)
    gateway.hub.close_unit(UnitId("u1"), Close.DEVICE_REVOKED)
    assert (await line.hear())["code"] == "invalid"
    assert await line.parted() == reason(Close.DEVICE_REVOKED)


async def test_the_hub_keeps_time_by_itself(gateway: Gateway) -> None:
    """Ticks and sweeps go on until it is cancelled."""
    line = await gateway.known()
    seal(gateway, "d1")
    running = asyncio.create_task(gateway.hub.run(every_s=0.001))
    assert (await line.hear())["seq"] == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
