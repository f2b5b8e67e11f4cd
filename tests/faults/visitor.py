"""A socket in the test's own hands: says hello, says anything, hears how it is closed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from dispatch.wiring import UNIT_SOCKET
from schemas.wire import SUBPROTOCOL

HEARD_S: Final = 20.0
LITTLE: Final = 4096


class Visitor:
    """One connection to the unit socket."""

    def __init__(self, line: ClientConnection) -> None:
        self.socket = line

    async def say(self, **frame: Any) -> None:
        """Send a frame; one that the other side does not want any more is lost."""
        try:
            await self.socket.send(msgspec.json.encode(frame).decode())
        except ConnectionClosed:
            return

    async def hello(self, token: str, inst: str = "one", **more: Any) -> None:
        """Say who this is."""
        await self.say(
            t="hello",
            tok=token,
            app={"n": "visitor", "v": "1", "os": "test"},
            datum="wgs84",
            inst=inst,
            ts=0,
            busy=False,
            **more,
        )

    async def hear(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Return the next frame of a kind with these facts; raise ConnectionClosed at the end."""
        async with asyncio.timeout(HEARD_S):
            while True:
                frame: dict[str, Any] = msgspec.json.decode(await self.socket.recv())
                if frame["t"] == kind and facts.items() <= frame.items():
                    return frame

    async def closed(self) -> int:
        """Return the code by which it is closed; whatever comes before is read."""
        async with asyncio.timeout(HEARD_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code or 0


@asynccontextmanager
async def visiting(
    url: str, source: str | None = None, *, deaf: bool = False
) -> AsyncIterator[Visitor]:
    """Open the unit socket of a service, from an address of one's own where one is given.

    Who is `deaf` takes little more off the line than what is asked for by `hear`.
    """
    address = urlsplit(url)
    line = socket.socket()
    line.setblocking(False)
    if deaf:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
    if source:
        line.bind((source, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, (address.hostname, address.port))
    async with connect(
        f"ws://{address.netloc}{UNIT_SOCKET}",
        sock=line,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        ping_interval=None,
        compression=None,
        close_timeout=1.0,
        max_queue=1,
    ) as connection:
        try:
            yield Visitor(connection)
        finally:
            if deaf:  # whoever does not read does not hear a goodbye either
                connection.transport.abort()


async def turned_away(url: str, token: str) -> int:
    """Return the code by which a token is turned away."""
    async with visiting(url) as visitor:
        await visitor.hello(token)
        return await visitor.closed()
