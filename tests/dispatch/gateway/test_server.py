"""The unit socket over a real server: who may come in, what is answered, how it ends."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from dispatch.core.errors import NotOnDuty
from dispatch.gateway.limits import IN_FLIGHT_MAX, RATE_BURST
from schemas.base import ms
from schemas.wire import SUBPROTOCOL, Close
from tests.dispatch.gateway.conftest import HELLO, PING, Gateway, reason, serving, until
from tests.memory_phones import offer

pytestmark = pytest.mark.asyncio

LOC = {"t": "loc", "d": "wgs84", "ts": 1, "f": [[1, 113.4, 23.1, 5]], "p": 1}


def seen(number: int) -> dict[str, Any]:
    """Return a command."""
    return {"t": "offer.seen", "id": f"{number:016}", "oid": "o1"}


# Coming in. ---------------------------------------------------------------------------------------


async def test_a_phone_is_welcomed_with_the_whole_truth(gateway: Gateway) -> None:
    """Its stream stands at `head`; what came before is in the state and is not repeated."""
    gateway.phones.seal("d1", offer())
    line = await gateway.phone()
    welcome = await line.hello("d1", epoch="epoch-1", ack=1)
    assert line.line.subprotocol == SUBPROTOCOL
    assert (welcome["head"], welcome["rec"], welcome["epoch"]) == (1, True, "epoch-1")
    assert [shown["oid"] for shown in welcome["state"]["offers"]] == ["o1"]
    assert welcome["now"] == welcome["ts"] == ms(gateway.phones.clock.now())
    assert welcome["lim"] == {"frame": 16384, "batch": 60, "rate": 2.0}
    assert gateway.phones.acked == {"d1": 1}
    assert (await line.ask(PING))["t"] == "pong"


async def test_an_idle_phone_costs_one_task(gateway: Gateway) -> None:
    """Its own receive loop, and nothing else."""
    await gateway.known()
    await until(lambda: not gateway.hub._tasks)
    before = len(asyncio.all_tasks())
    line = await gateway.known("d2")
    await until(lambda: not gateway.hub._tasks)
    client = 1  # The client's own keeper of the connection runs in this loop too.
    assert len(asyncio.all_tasks()) - before <= 1 + client
    assert (await line.ask(PING))["t"] == "pong"


async def test_without_our_protocol_nothing_is_said(gateway: Gateway) -> None:
    """Accepted, so that the code can be read: 4000."""
    line = await gateway.phone(subprotocols=["mqtt"])
    assert await line.parted() == reason(Close.PROTOCOL)


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_strange_web_page_is_refused_before_it_is_accepted(origin: str) -> None:
    """A browser that is logged in somewhere must not speak for its owner here."""
    async with serving(origins=["https://desk.example"]) as gateway:
        with pytest.raises(InvalidStatus) as refused:
            await gateway.phone(origin=origin)
        assert refused.value.response.status_code == 403
        assert gateway.hub.stats.refused_origin == 1


async def test_a_web_page_on_the_list_comes_in() -> None:
    """And so does an app, which names none."""
    async with serving(origins=["https://desk.example"]) as gateway:
        line = await gateway.phone(origin="https://desk.example")
        assert (await line.hello("d1"))["t"] == "welcome"
        await gateway.known("d2")


async def test_an_address_may_not_fill_the_porch() -> None:
    """Only sockets whose token is not known yet count; going in or away makes room."""
    async with serving(before_hello_max=2) as gateway:
        first, second = await gateway.phone(), await gateway.phone()
        assert await (await gateway.phone()).parted() == reason(Close.OVERLOADED, 5)
        await first.hello("d1")
        third = await gateway.phone()
        assert (await third.hello("d2"))["t"] == "welcome"
        await second.line.close()
        await until(lambda: gateway.hub.stats.sockets == 2)
        await gateway.known("d3")
        await gateway.phone()


# Hello. -------------------------------------------------------------------------------------------


async def test_a_handshake_that_is_none_is_refused(gateway: Gateway) -> None:
    """RFC 6455, 4.2.2; the next one is served."""
    host, port = gateway.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/ws/unit HTTP/1.1\r\nHost: x\r\n")
    writer.write(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    await gateway.known()


async def test_before_the_welcome_nothing_else_is_answered(gateway: Gateway) -> None:
    """Not even while the token is looked up."""
    gateway.phones.free.clear()
    line = await gateway.phone()
    assert (await line.ask(PING))["code"] == "not_ready"
    await line.say(HELLO | {"tok": "d1"})
    refused = await line.ask(seen(1))
    assert (refused["code"], refused["re"]) == ("not_ready", seen(1)["id"])
    gateway.phones.free.set()
    assert (await line.hear())["t"] == "welcome"
    assert gateway.phones.commands == []


async def test_a_second_hello_changes_nothing(gateway: Gateway) -> None:
    """Not even who is there."""
    line = await gateway.known("d1")
    refused = await line.hello("d2")
    assert (refused["code"], refused["path"]) == ("invalid", "t")
    assert gateway.phones.seen == ["+d1"]


async def test_who_goes_while_the_token_is_looked_up_was_never_here(gateway: Gateway) -> None:
    """The answer comes too late, and nobody is told."""
    gateway.phones.free.clear()
    line = await gateway.phone()
    await line.say(HELLO | {"tok": "d1"})
    await line.line.close()
    await until(lambda: not gateway.hub.stats.sockets)
    gateway.phones.free.set()
    await until(lambda: not gateway.hub._tasks)
    assert gateway.phones.seen == []


async def test_an_app_that_is_too_old_does_not_come_in() -> None:
    """4005, before its token is looked up."""
    async with serving(oldest={"mini": (2,)}) as gateway:
        gateway.phones.refusals["d1"] = ZeroDivisionError()
        line = await gateway.phone()
        await line.say(HELLO | {"tok": "d1", "app": {"n": "mini", "v": "1.9"}})
        assert await line.parted() == reason(Close.UPGRADE_APP)
        await gateway.known("d2", app={"n": "mini", "v": "2.0"})


async def test_a_phone_says_where_to_wake_it_and_what_it_can_do(gateway: Gateway) -> None:
    """With hello, and whenever that changes."""
    line = await gateway.known(push={"k": "webpush", "a": "https://push.example/1"})
    await line.say({"t": "mode", "m": "bg", "hb": 120})
    assert (await line.ask(PING))["t"] == "pong"
    assert [(push.k, push.a) for push in gateway.phones.pushes] == [
        ("webpush", "https://push.example/1")
    ]
    assert [(mode.m, mode.hb) for mode in gateway.phones.modes] == [("bg", 120)]
    gateway.later(290.0)
    assert gateway.hub.stats.closes == {}
    gateway.later(301.0)
    assert await line.parted() == reason(Close.SILENT, 1)


async def test_a_token_that_ends_closes_its_socket(gateway: Gateway) -> None:
    """4101; fetching a new one makes the old one end sooner."""
    gateway.phones.ends("d1", 60.0)
    gateway.phones.ends("d2", 60.0)
    short, renewed = await gateway.known("d1"), await gateway.known("d2")
    gateway.phones.till = gateway.phones.clock.now() + timedelta(seconds=30)
    got = await renewed.ask({"t": "refresh", "id": seen(1)["id"]})
    assert got["result"]["tok"] == "kd_new"
    gateway.later(31.0)
    assert await renewed.parted() == reason(Close.AUTH_EXPIRED, 1)
    assert (await short.ask(PING))["t"] == "pong"
    gateway.later(62.0)
    assert await short.parted() == reason(Close.AUTH_EXPIRED, 1)


# Frames. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", "bad_frame"),
        ('{"t":"ping","ts":1,"x":' + "[" * 15_000, "bad_frame"),
        ('{"t":"dance"}', "unknown_type"),
        ('{"t":"ping"}', "invalid"),
        ("x" * 16_385, "too_large"),
        ("木" * 20_000, "too_large"),
    ],
    ids=["no json", "deep", "unknown", "field", "large", "large in bytes"],
)
async def test_a_wrong_frame_is_answered_and_the_socket_stays(
    gateway: Gateway, frame: str, code: str
) -> None:
    """The same before and after the welcome."""
    line = await gateway.phone()
    assert (await line.ask(frame))["code"] == code
    assert (await line.hello("d1"))["t"] == "welcome"
    assert (await line.ask(frame))["code"] == code
    assert (await line.ask(PING))["t"] == "pong"
    assert gateway.hub.stats.errors == {code: 2}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x82" + bytes(4) + b"\xff\xfe", 1007),
        (b"\x81\xff" + (65_537).to_bytes(8, "big") + bytes(4), 1009),
    ],
    ids=["no utf-8", "over the transport's bound"],
)
async def test_what_the_transport_refuses_closes_that_socket_only(
    gateway: Gateway, frame: bytes, code: int
) -> None:
    """RFC 6455, 7.4.1; the neighbour hears nothing of it."""
    neighbour, line = await gateway.known("d2"), await gateway.known("d1")
    line.line.transport.write(frame)
    assert (await line.parted())[0] == code
    await until(lambda: gateway.phones.seen == ["+d2", "+d1", "-d1"])
    assert (await neighbour.ask(PING))["t"] == "pong"


async def test_a_binary_frame_is_another_protocol(gateway: Gateway) -> None:
    """4000."""
    line = await gateway.known()
    await line.say(b"\x93\x01\x02\x03")
    assert await line.parted() == reason(Close.PROTOCOL)


async def test_ten_wrong_frames_are_enough(gateway: Gateway) -> None:
    """All ten are answered: 4107."""
    line = await gateway.known()
    for _ in range(9):
        assert (await line.ask("?"))["code"] == "bad_frame"
    assert (await line.ask("?"))["code"] == "bad_frame"
    assert await line.parted() == reason(Close.TOO_MANY_ERRORS, 30)


async def test_too_many_frames_are_refused_and_then_closed(gateway: Gateway) -> None:
    """`rate_limited` first, 4103 in the end; the neighbour is served all the while."""
    neighbour, line = await gateway.known("d2"), await gateway.known("d1")
    for _ in range(int(RATE_BURST)):
        assert (await line.ask(PING))["t"] == "pong"
    refused = await line.ask(PING)
    assert refused["code"] == "rate_limited"
    assert 0 < refused["retry_ms"] <= 500
    # All in one piece, as a kernel hands over what came while the server was busy.
    ping = b"\x81\x97" + bytes(4) + b'{"t": "ping", "ts": 10}'
    line.line.transport.write(ping * 200)
    assert await line.parted() == reason(Close.RATE_LIMITED, 30)
    assert (await neighbour.ask(PING))["t"] == "pong"


async def test_fixes_are_counted_row_by_row(gateway: Gateway) -> None:
    """A bad row is named, and its neighbours are kept."""
    line = await gateway.known()
    gateway.phones.bad = [(1, "not a row")]
    pong = await line.ask(LOC | {"f": [[1, 113.4, 23.1, 5], 7, [2, 113.4, 23.1, 5]]})
    assert (pong["t"], pong["n"], pong["bad"]) == ("pong", 2, [[1, "not a row"]])


async def test_fixes_off_duty_are_refused(gateway: Gateway) -> None:
    """And nothing is stored."""
    gateway.phones.refusals["Loc"] = NotOnDuty("off duty")
    line = await gateway.known()
    assert (await line.ask(LOC))["code"] == "not_on_duty"
    assert gateway.phones.locs == []


async def test_an_acknowledgement_above_the_head_is_ignored_and_counted(gateway: Gateway) -> None:
    """One at the head is taken."""
    line = await gateway.known()
    gateway.hub.push([gateway.phones.seal("d1", offer())])
    assert (await line.hear())["seq"] == 1
    await line.ask(PING | {"ack": 2})
    await line.ask(PING | {"ack": 3})
    await line.ask(PING | {"ack": 1})
    await line.ask(PING | {"ack": 0})
    assert gateway.phones.acked == {"d1": 1}
    assert gateway.hub.stats.acks_ignored == 2


# Commands. ----------------------------------------------------------------------------------------


async def test_commands_are_carried_out_in_their_order(gateway: Gateway) -> None:
    """While they wait, the socket goes on listening."""
    gateway.phones.free.clear()
    line = await gateway.phone()
    gateway.phones.free.set()
    await line.hello("d1")
    gateway.phones.free.clear()
    for number in range(IN_FLIGHT_MAX):
        await line.say(seen(number))
    assert (await line.ask(PING))["t"] == "pong"
    refused = await line.ask(seen(99))
    assert (refused["code"], refused["re"]) == ("overloaded", seen(99)["id"])
    gateway.phones.free.set()
    replies = [await line.hear() for _ in range(IN_FLIGHT_MAX)]
    assert [reply["re"] for reply in replies] == [seen(n)["id"] for n in range(IN_FLIGHT_MAX)]
    assert {reply["t"] for reply in replies} == {"ok"}


async def test_a_command_that_was_sent_is_carried_out(gateway: Gateway) -> None:
    """The phone may lose its socket right after the tap."""
    line = await gateway.known()
    gateway.phones.free.clear()
    await line.ask(PING)
    await line.say(seen(1))
    await line.line.close()
    await until(lambda: not gateway.hub.stats.sockets)
    gateway.phones.free.set()
    await until(lambda: gateway.phones.commands)
    await until(lambda: not gateway.hub._tasks)
    assert [name for name, _ in gateway.phones.commands] == ["d1"]


async def test_a_fault_in_a_command_is_answered(gateway: Gateway) -> None:
    """`internal`, worth another try; the socket stays."""
    gateway.phones.refusals["OfferSeen"] = ZeroDivisionError()
    line = await gateway.known()
    refused = await line.ask(seen(1))
    assert (refused["code"], refused["re"]) == ("internal", seen(1)["id"])
    assert refused["retry_ms"]
    assert (await line.ask(PING))["t"] == "pong"


async def test_a_fault_while_listening_ends_that_socket_only(gateway: Gateway) -> None:
    """4105; the neighbour hears nothing of it."""
    neighbour, line = await gateway.known("d2"), await gateway.known("d1")
    gateway.phones.refusals["Loc"] = ZeroDivisionError()
    await line.say(LOC)
    assert await line.parted() == reason(Close.INTERNAL, 5)
    assert (await neighbour.ask(PING))["t"] == "pong"
