"""The gateway's door from inside: frames both ways, and an honest end."""

import pytest

from dispatch.gateway.connection import Message, Receive, Say
from dispatch.gateway.inside import inside

pytestmark = pytest.mark.asyncio


async def echo(_: Message, receive: Receive, say: Say) -> None:
    """Say back what is heard, and close at "end"."""
    assert (await receive())["type"] == "websocket.connect"
    await say({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"] == "end":
            await say({"type": "websocket.close", "code": 4200})
        else:
            await say({"type": "websocket.send", "text": message["text"]})


async def test_frames_go_both_ways() -> None:
    """In their order."""
    async with inside(echo) as line:
        line.say(b"one")
        line.say("二".encode())
        assert [await line.hear(), await line.hear()] == [b"one", "二".encode()]


async def test_a_close_is_an_error_with_its_code() -> None:
    """Whoever waits for a frame is told that none will come."""
    async with inside(echo) as line:
        line.say(b"end")
        with pytest.raises(ConnectionError, match="4200"):
            await line.hear()
