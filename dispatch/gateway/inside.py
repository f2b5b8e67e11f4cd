"""A phone's socket without a network: the gateway's own door, opened from inside the process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from dispatch.gateway.connection import Message, Receive, Say
from dispatch.gateway.server import UNIT_PATH
from schemas.wire import SUBPROTOCOL

Door = Callable[[Message, Receive, Say], Awaitable[None]]
GONE: Final = 1001
ADDRESS: Final = "inside"


class InsideLine:
    """Text frames both ways; nothing is ever lost, and nothing waits for the other side."""

    def __init__(self) -> None:
        self._to_door: asyncio.Queue[Message] = asyncio.Queue()
        self._from_door: asyncio.Queue[Message] = asyncio.Queue()
        self._to_door.put_nowait({"type": "websocket.connect"})
        self.receive: Receive = self._to_door.get

    def say(self, frame: bytes) -> None:
        """Send a frame."""
        self._to_door.put_nowait({"type": "websocket.receive", "text": frame.decode()})

    async def hear(self) -> bytes:
        """Return the next frame; raise `ConnectionError` when the gateway closed the socket."""
        while True:
            message = await self._from_door.get()
            if message["type"] == "websocket.close":
                raise ConnectionError(f"closed with {message['code']}")
            if message["type"] == "websocket.send":
                return str(message["text"]).encode()

    async def take(self, message: Message) -> None:
        """Take what the gateway says."""
        self._from_door.put_nowait(message)

    def hang_up(self) -> None:
        """Be gone."""
        self._to_door.put_nowait({"type": "websocket.disconnect", "code": GONE})


@asynccontextmanager
async def inside(door: Door) -> AsyncIterator[InsideLine]:
    """Open a socket at a door, and hang up at the end."""
    line = InsideLine()
    scope: Message = {
        "type": "websocket",
        "path": UNIT_PATH,
        "headers": [],
        "subprotocols": [SUBPROTOCOL],
        "client": (ADDRESS, 0),
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(_served(door, scope, line))
        try:
            yield line
        finally:
            line.hang_up()


async def _served(door: Door, scope: Message, line: InsideLine) -> None:
    await door(scope, line.receive, line.take)
