"""Notices that a phone has missed: told after its welcome, in order, before anything newer."""

import pytest

from dispatch.gateway.limits import SWEEP_ROWS
from dispatch.ports import StoreAway
from schemas.notice import NoticeLevel
from schemas.wire import Close, NoticeFrame
from tests.dispatch.gateway.conftest import HELLO, Gateway
from tests.memory_phones import offer

pytestmark = pytest.mark.asyncio


def notice(number: int) -> NoticeFrame:
    """Return a notice."""
    return NoticeFrame(
        nid=f"n{number}", rev=1, lvl=NoticeLevel.INFO, text=f"通知 {number}", exp=9e12
    )


def seal(gateway: Gateway, *numbers: int) -> None:
    """Commit notices for a phone that is not here."""
    for number in numbers:
        gateway.phones.seal("d1", notice(number))


async def test_what_waits_follows_the_welcome(gateway: Gateway) -> None:
    """The welcome tells up to where; a phone that has all is told nothing."""
    seal(gateway, 1, 2)
    phone = await gateway.phone()
    welcome = await phone.hello("d1")
    assert (welcome["head"], welcome["till"]) == (2, 2)
    assert [(await phone.hear())["seq"] for _ in range(2)] == [1, 2]
    await phone.say({"t": "ack", "ack": 2})
    assert (await phone.ask({"t": "ping", "ts": 1}))["t"] == "pong"
    assert "till" not in await (await gateway.phone()).hello("d1", inst="run-2")


async def test_what_a_phone_holds_is_not_told_again(gateway: Gateway) -> None:
    """Its hello says how far it came in this epoch; in another it begins anew."""
    seal(gateway, 1, 2, 3)
    known = await gateway.phone()
    assert (await known.hello("d1", epoch="epoch-1", ack=2))["till"] == 3
    assert (await known.hear())["nid"] == "n3"
    seal(gateway, 4)
    stranger = await gateway.phone()
    assert (await stranger.hello("d1", epoch="other", ack=9))["till"] == 4
    told = [(await stranger.hear())["nid"] for _ in range(2)]
    assert told == ["n3", "n4"]


async def test_many_come_page_by_page_and_then_what_is_new(gateway: Gateway) -> None:
    """An offer committed meanwhile comes after them, by the sweep."""
    seal(gateway, *range(2 * SWEEP_ROWS + 3))
    gateway.phones.mail_free.clear()
    phone = await gateway.known("d1")
    gateway.hub.push([gateway.phones.seal("d1", offer())])
    gateway.phones.mail_free.set()
    told = [(await phone.hear())["seq"] for _ in range(2 * SWEEP_ROWS + 3)]
    assert told == list(range(1, 2 * SWEEP_ROWS + 4))
    await gateway.hub.sweep()
    assert (await phone.hear())["t"] == "offer"


async def test_while_they_cannot_be_read_the_phone_comes_again(gateway: Gateway) -> None:
    """It must not take the stream for whole."""
    seal(gateway, 1)
    gateway.phones.refusals["notices"] = StoreAway("gone")
    phone = await gateway.phone()
    assert (await phone.hello("d1"))["till"] == 1
    assert (await phone.parted())[0] == 4106


async def test_a_fault_of_ours_closes_that_phone_only(gateway: Gateway) -> None:
    """With 4105, and it comes again."""
    seal(gateway, 1)
    gateway.phones.refusals["notices"] = ValueError("a bug")
    phone = await gateway.phone()
    await phone.hello("d1")
    assert (await phone.parted())[0] == 4105


async def test_a_notice_to_many_is_encoded_once(gateway: Gateway) -> None:
    """Each phone reads its own seq in it."""
    one, two = await gateway.known("d1"), await gateway.known("d2")
    frame = notice(7)
    gateway.phones.seal("d2", offer())
    rows = [gateway.phones.seal(device, frame) for device in ("d1", "d2")]
    await gateway.hub.sweep()
    gateway.hub.push(rows)
    assert (await one.hear())["seq"] == 1
    assert [(await two.hear())["seq"] for _ in range(2)] == [1, 2]


async def test_a_notice_nobody_here_has_heard_of_is_looked_up(gateway: Gateway) -> None:
    """Who wrote it died before he said so; the offer after it raised the head above it."""
    seal(gateway, 1)
    gateway.phones.seal("d1", offer())
    gateway.phones.unheard = True
    phone = await gateway.phone()
    welcome = await phone.hello("d1")
    assert (welcome["head"], welcome["till"]) == (2, 1)
    assert (await phone.hear())["nid"] == "n1"


async def test_a_phone_that_has_all_of_its_stream_costs_no_look(gateway: Gateway) -> None:
    """Most of those that come again do."""
    seal(gateway, 1, 2)
    phone = await gateway.phone()
    await phone.hello("d1", epoch="epoch-1", ack=2)
    assert gateway.phones.learnt == []


async def test_a_stream_that_grows_during_the_look_is_looked_at_again(gateway: Gateway) -> None:
    """What the welcome says to cover is what was looked at."""
    seal(gateway, 1)

    def grow() -> None:
        if len(gateway.phones.learnt) == 1:
            gateway.phones.unheard = True
            seal(gateway, 2)

    gateway.phones.meanwhile = grow
    phone = await gateway.phone()
    welcome = await phone.hello("d1")
    assert (welcome["head"], welcome["till"]) == (2, 2)


async def test_a_stream_that_never_rests_asks_the_phone_to_come_again(gateway: Gateway) -> None:
    """A bound, as everywhere."""
    seal(gateway, 1)
    gateway.phones.meanwhile = lambda: seal(gateway, 2)
    phone = await gateway.phone()
    await phone.say(HELLO | {"tok": "d1"})
    assert (await phone.parted())[0] == Close.OVERLOADED


async def test_while_notices_cannot_be_looked_up_nobody_is_welcomed(gateway: Gateway) -> None:
    """The phone comes again; 4106."""
    seal(gateway, 1)
    gateway.phones.refusals["learn_notices"] = StoreAway()
    phone = await gateway.phone()
    await phone.say(HELLO | {"tok": "d1"})
    assert (await phone.parted())[0] == Close.OVERLOADED
