"""Phones that are slow or silent, and sockets that take nothing."""

import socket
from typing import Any

import msgspec
import pytest

from dispatch.gateway import UnitProtocol
from dispatch.gateway.limits import BREATH_FRAMES, IN_FLIGHT_MAX, RELIABLE_MAX
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas import wire
from schemas.base import DeviceId
from schemas.wire import Close
from tests.dispatch.gateway.conftest import PING, Gateway, Phone, reason, serving, until
from tests.dispatch.gateway.test_server import LOC, seen
from tests.fakes import CADENCES
from tests.memory_phones import offer

pytestmark = pytest.mark.asyncio
BOTH = pytest.mark.parametrize("ws", [UnitProtocol, "websockets-sansio"], ids=["ours", "uvicorn"])


async def test_a_silent_phone_is_reaped(gateway: Gateway) -> None:
    """Not before two and a half heartbeats: 4104."""
    line = await gateway.known()
    gateway.later(70.0)
    assert (await line.ask(PING))["t"] == "pong"
    gateway.later(74.0)
    gateway.later(77.0)
    assert await line.parted() == reason(Close.SILENT, 1)
    await until(lambda: gateway.phones.seen == ["+d1", "~d1", "-d1"])


async def test_an_engaged_phone_is_missed_sooner(gateway: Gateway) -> None:
    """Shown stale at 12 s, closed at 30 s; others as before."""
    line, other = await gateway.known("d1"), await gateway.known("d2")
    gateway.hub.refresh(DeviceId("d1"), wire.Policy(state=CADENCES, s="engaged"))
    assert (await line.hear())["s"] == "engaged"
    gateway.later(11.0)
    assert "~d1" not in gateway.phones.seen
    gateway.later(14.0)
    assert gateway.phones.seen == ["+d1", "+d2", "~d1"]
    assert (await line.ask(PING))["t"] == "pong"
    assert gateway.phones.seen[-1] == "!d1"
    gateway.later(14.0)
    assert gateway.phones.seen[-1] == "~d1"
    gateway.later(32.0)
    assert await line.parted() == reason(Close.SILENT, 1)
    assert (await other.ask(PING))["t"] == "pong"
    assert gateway.phones.seen[-1] == "-d1"


async def test_a_phone_is_asked_once_however_often_its_pace_changes(gateway: Gateway) -> None:
    """The wheel forgets what is no longer meant."""
    line = await gateway.known()
    for situation in ("engaged", "available", "engaged", "available"):
        gateway.hub.refresh(DeviceId("d1"), wire.Policy(state=CADENCES, s=situation))
        await line.hear()
    for seconds in range(0, 70, 2):
        gateway.later(float(seconds))
    assert gateway.phones.seen == ["+d1"]
    gateway.later(74.0)
    assert gateway.phones.seen == ["+d1", "~d1"]
    assert sum(map(len, gateway.hub._wheel._slots.values())) == 1
    gateway.later(77.0)
    assert await line.parted() == reason(Close.SILENT, 1)


async def test_a_socket_without_hello_is_reaped(gateway: Gateway) -> None:
    """After ten seconds: 4100. One that has said it is asked again later."""
    line, known = await gateway.phone(), await gateway.known()
    await until(lambda: gateway.hub.stats.sockets == 2)
    gateway.later(12.0)
    assert await line.parted() == reason(Close.HELLO_TIMEOUT, 5)
    assert (await known.ask(PING))["t"] == "pong"
    gateway.later(80.0)
    assert await known.parted() == reason(Close.SILENT, 1)


async def test_nothing_is_due_for_a_socket_that_is_gone(gateway: Gateway) -> None:
    """The wheel lets it go."""
    line = await gateway.known()
    await line.line.close()
    await until(lambda: not gateway.hub.stats.sockets)
    gateway.later(80.0)
    assert gateway.hub.stats.closes == {}
    assert not gateway.hub._wheel._slots


async def test_more_than_the_lane_holds_closes_the_socket() -> None:
    """What fitted is written, in order; the store keeps the rest: 4102."""
    async with serving("websockets-sansio") as gateway:
        line = await gateway.known()
        rows = [gateway.phones.seal("d1", offer(n)) for n in range(1, RELIABLE_MAX + 2)]
        gateway.hub.push(rows)
        gateway.hub.push([gateway.phones.seal("d1", offer(99))])
        heard = [(await line.hear())["seq"] for _ in range(RELIABLE_MAX)]
        assert heard == list(range(1, RELIABLE_MAX + 1))
        assert await line.parted() == reason(Close.SLOW_CONSUMER, 1)
        again = await gateway.phone()
        assert len((await again.hello("d1"))["state"]["offers"]) == RELIABLE_MAX + 2


async def test_what_the_socket_takes_does_not_wait_in_the_lane(gateway: Gateway) -> None:
    """Written in the turn in which it was committed, so a lane fills only where nobody reads."""
    line = await gateway.known()
    rows = [gateway.phones.seal("d1", offer(n)) for n in range(2 * RELIABLE_MAX)]
    gateway.hub.push(rows)
    assert gateway.hub.stats.frames_out == 1 + len(rows)
    heard = [(await line.hear())["seq"] for _ in rows]
    assert heard == list(range(1, len(rows) + 1))
    assert gateway.hub.stats.closes == {}


async def test_what_comes_in_one_piece_is_heard_in_order(gateway: Gateway) -> None:
    """More than a phone's share in one turn waits its turn, and nothing overtakes it."""
    line = await gateway.known()
    gateway.phones.free.clear()
    many = range(2 * BREATH_FRAMES)
    texts = [msgspec.json.encode(seen(number)) for number in many]
    line.line.transport.write(b"".join(masked(text) for text in texts))
    refused = [await line.hear() for _ in many[IN_FLIGHT_MAX:]]
    assert [frame["re"] for frame in refused] == [seen(n)["id"] for n in many[IN_FLIGHT_MAX:]]
    gateway.phones.free.set()
    carried_out = [(await line.hear())["re"] for _ in range(IN_FLIGHT_MAX)]
    assert carried_out == [seen(n)["id"] for n in range(IN_FLIGHT_MAX)]


async def test_our_fault_in_a_frame_closes_that_socket_only(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """4105, and the log has it."""
    neighbour, line = await gateway.known("d2"), await gateway.known()
    gateway.phones.refusals["Loc"] = ZeroDivisionError()
    await line.say(LOC)
    assert await line.parted() == reason(Close.INTERNAL, 5)
    assert (await neighbour.ask(PING))["t"] == "pong"
    assert "socket_failed" in capsys.readouterr().out


def masked(text: bytes) -> bytes:
    """Return a short text frame as a client sends it."""
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


async def stuck(gateway: Gateway) -> Phone:
    """Return a phone that does not read, with a send to it under way."""
    pipe = socket.socket()
    pipe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = gateway.url.split("/")[2].split(":")
    pipe.connect((host, int(port)))
    line = await gateway.phone(sock=pipe, max_queue=1)
    await line.hello("d1")
    line.line.transport.pause_reading()
    title = "x" * 15_000
    for number in range(1000):
        if gateway.hub._writing and any(s.writing_since for s in gateway.hub._writing):
            return line
        gateway.hub.push([gateway.phones.seal("d1", offer(number, title=title))])
        await until(lambda: not any(s.writing_since is None for s in gateway.hub._writing))
    raise AssertionError("the kernel takes everything")


@BOTH
async def test_a_send_that_hangs_drops_the_phone(ws: Any) -> None:
    """After ten seconds: 4102, and the neighbour has its offer all the while."""
    async with serving(ws) as gateway:
        neighbour = await gateway.known("d2")
        await stuck(gateway)
        gateway.later(9.0)
        assert gateway.hub.stats.closes == {}
        gateway.hub.push([gateway.phones.seal("d2", offer())])
        assert (await neighbour.hear())["t"] == "offer"
        gateway.later(11.0)
        await until(lambda: gateway.hub.stats.sockets == 1)
        assert gateway.hub.stats.closes == {Close.SLOW_CONSUMER: 1}
        assert gateway.phones.seen == ["+d2", "+d1", "-d1"]
        assert (await neighbour.ask(PING))["t"] == "pong"


async def test_a_full_lane_behind_a_hanging_send_drops_the_phone(gateway: Gateway) -> None:
    """Nobody waits for what is not read."""
    line = await stuck(gateway)
    rows = [gateway.phones.seal("d1", offer(n)) for n in range(RELIABLE_MAX + 1)]
    gateway.hub.push(rows)
    await until(lambda: not gateway.hub.stats.sockets)
    assert gateway.hub.stats.closes == {Close.SLOW_CONSUMER: 1}
    line.line.transport.resume_reading()
    assert await line.parted() == (1006, None)


async def test_a_goodbye_nobody_reads_is_not_waited_for() -> None:
    """A drain ends also when a phone does not read."""
    async with serving(part_within_s=0.05) as gateway:
        await stuck(gateway)
        assert await gateway.hub.drain(5.0)
        assert gateway.hub.stats.closes == {Close.DRAINING: 1}


async def test_a_phone_that_vanishes_is_noticed(gateway: Gateway) -> None:
    """Without a goodbye; writing to it harms nobody."""
    line = await gateway.known()
    line.line.transport.abort()
    gateway.hub.push([gateway.phones.seal("d1", offer())])
    await until(lambda: not gateway.hub.stats.sockets)
    assert gateway.phones.seen == ["+d1", "-d1"]
    await gateway.known("d1")


async def test_an_offer_comes_in_the_phones_datum(gateway: Gateway) -> None:
    """With its place in the stream and what is left to answer."""
    line = await gateway.known("d1", datum="bd09")
    row = gateway.phones.seal("d1", offer())
    gateway.phones.clock.advance(4.0)
    gateway.hub.push([row])
    got = await line.hear()
    there = point_from_wgs84(Point(offer().inc.lon, offer().inc.lat), Datum.BD09)
    assert (got["t"], got["seq"], got["d"], got["ttl_ms"]) == ("offer", 1, "bd09", 16_000.0)
    assert (got["inc"]["lon"], got["inc"]["lat"]) == pytest.approx(there, abs=1e-7)
