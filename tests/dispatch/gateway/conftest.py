"""A real server on loopback, with phones that are real websocket clients."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest_asyncio
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dispatch.gateway import Hub, Server, UnitProtocol, UnitSocket
from schemas.wire import SUBPROTOCOL, Close
from tests.memory_phones import MemoryPhones, phone

PATIENCE_S: Final = 10.0
"""How long a test waits for what has to come; what never comes fails it."""
HELLO: Final = {"t": "hello", "datum": "gcj02", "ts": 1, "inst": "run-1"}
PING: Final = {"t": "ping", "ts": 1}


def reason(code: Close, retry_after_s: float = 0) -> tuple[int, dict[str, Any]]:
    """Return a close as a phone hears it."""
    return int(code), {"r": code.name.lower(), "ra": retry_after_s}


async def until(true: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  # what is waited for has no event, and needs none
            await asyncio.sleep(0.001)


@dataclass
class Phone:
    """A websocket client, in a phone's words."""

    line: ClientConnection

    async def say(self, frame: dict[str, Any] | str | bytes) -> None:
        """Send a message; str and bytes go as they are."""
        raw = isinstance(frame, str | bytes)
        await self.line.send(frame if raw else msgspec.json.encode(frame).decode())

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE_S):
            frame: dict[str, Any] = msgspec.json.decode(await self.line.recv())
        return frame

    async def ask(self, frame: dict[str, Any] | str | bytes) -> dict[str, Any]:
        """Say something; return the next message."""
        await self.say(frame)
        return await self.hear()

    async def hello(self, name: str, **more: Any) -> dict[str, Any]:
        """Say hello; return the welcome."""
        return await self.ask(HELLO | {"tok": name} | more)

    async def parted(self) -> tuple[int, Any]:
        """Hear on until the socket is closed; return the code and its reason."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.line.recv()
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return 1006, None
            reason = closed.rcvd.reason
            return closed.rcvd.code, msgspec.json.decode(reason) if reason[:1] == "{" else reason


@dataclass
class Gateway:
    """The server under test, the desk behind it, and the phones before it."""

    phones: MemoryPhones
    hub: Hub
    url: str
    server: Server
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def phone(self, **options: Any) -> Phone:
        """Open a socket."""
        given = {"subprotocols": [SUBPROTOCOL], "compression": None, "ping_interval": None}
        opening = connect(self.url, proxy=None, close_timeout=0.2, **(given | options))
        return Phone(await self.stack.enter_async_context(opening))

    async def known(self, name: str = "d1", **more: Any) -> Phone:
        """Open a socket and say hello."""
        opened = await self.phone()
        assert (await opened.hello(name, **more))["t"] == "welcome"
        return opened

    def later(self, seconds: float) -> None:
        """Let the hub believe that so much time has passed."""
        self.hub.tick(asyncio.get_running_loop().time() + seconds)


@asynccontextmanager
async def serving(ws: Any = UnitProtocol, **options: Any) -> AsyncIterator[Gateway]:
    """Run a server for three phones d1, d2, d3; d3 is of the same unit as d2."""
    phones = MemoryPhones([phone(1), phone(2), phone(3, unit=2)])
    hub = Hub(phones)
    app = UnitSocket(phones, hub, **options)
    config = uvicorn.Config(
        app,
        ws=ws,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        log_level="critical",
    )
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/ws/unit"
        gateway = Gateway(phones, hub, url, server)
        try:
            async with gateway.stack:
                yield gateway
        finally:
            phones.free.set()
            await server.shutdown(sockets=[listener])
            await until(lambda: not hub.stats.sockets)


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """The usual server."""
    async with serving() as running:
        yield running
