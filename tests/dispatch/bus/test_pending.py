"""Messages that wait to be sent."""

import asyncio

import pytest

from dispatch.bus.pending import BYTES_MOST, MESSAGES_MOST, Message, Pending, Ping

pytestmark = pytest.mark.asyncio


async def test_they_are_taken_in_order() -> None:
    """Pings between them too."""
    pending = Pending()
    ping = Ping(asyncio.Future())
    messages: list[Message | Ping] = [Message("a", b"1"), ping, Message("a", b"2", "reply")]
    assert [pending.put(message) for message in messages] == [True] * 3
    assert [await pending.take() for _ in messages] == messages


async def test_no_more_messages_wait_than_allowed() -> None:
    """However small."""
    pending = Pending()
    put = [pending.put(Message("a", b"")) for _ in range(MESSAGES_MOST + 1)]
    assert put == [True] * MESSAGES_MOST + [False]
    await pending.take()
    assert pending.put(Message("a", b""))


async def test_no_more_bytes_wait_than_allowed() -> None:
    """Room that is given back can be used."""
    pending = Pending()
    assert pending.put(Message("a", b"1" * (BYTES_MOST - 1)))
    assert not pending.put(Message("a", b"12"))
    assert pending.put(Message("a", b"1"))
    assert pending.clear() == 2
    assert pending.put(Message("a", b"1" * BYTES_MOST))


async def test_whoever_takes_waits_for_the_first() -> None:
    """Also after what waited was forgotten."""
    pending = Pending()
    pending.put(Message("a", b"lost"))
    pending.clear()
    taking = asyncio.create_task(pending.take())
    await asyncio.sleep(0)
    assert not taking.done()
    pending.put(Message("a", b"1"))
    assert await taking == Message("a", b"1")
