"""Half a request holds a connection for a while only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Final

import pytest
import uvicorn

from dispatch.gateway.patience import Patience, is_half

pytestmark = pytest.mark.asyncio

HALF_S: Final = 0.05
PATIENCE_S: Final = 10.0
GET: Final = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST: Final = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"

Message = dict[str, Any]


async def answering(
    _: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer once the whole body is here."""
    while (await receive()).get("more_body"):
        pass
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def line() -> AsyncIterator[tuple[asyncio.StreamReader, Any]]:
    """A connection to uvicorn, with somebody patient beside it."""
    config = uvicorn.Config(answering, lifespan="off", timeout_keep_alive=30)
    config.load()
    made: Any = config.http_protocol_class
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()

    class Watched(made):  # type: ignore[misc]  # whichever of uvicorn's is installed
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            Patience(transport, HALF_S)  # type: ignore[arg-type]  # a stream's is one

    server = await loop.create_server(
        lambda: Watched(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.transport.abort()
    server.close()
    await asyncio.sleep(0.01)  # both ends are closed by the loop


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection is dropped."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("said", [b"", GET, POST + b"{"], ids=["nothing", "header", "body"])
async def test_half_a_request_is_dropped(said: bytes) -> None:
    """However far it came, and without an answer."""
    async with line() as (reader, writer):
        writer.write(said)
        assert await ended(reader) == b""


async def test_the_second_request_may_not_be_half_either() -> None:
    """Its first was answered; that buys no more time."""
    async with line() as (reader, writer):
        writer.write(GET + b"\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(GET)
        assert await ended(reader) == b""


async def test_who_waits_between_two_requests_is_uvicorns() -> None:
    """A connection that is kept alive ends by its own time, not by this one."""
    async with line() as (reader, writer):
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(HALF_S * 2)
        assert not reader.at_eof()


async def test_a_socket_that_was_upgraded_is_not_looked_at() -> None:
    """Its protocol knows no requests."""
    assert is_half(asyncio.Protocol()) is None


async def test_a_request_under_way_is_whole() -> None:
    """However long the answer takes."""
    cycle = SimpleNamespace(response_complete=False, more_body=False)
    assert is_half(SimpleNamespace(cycle=cycle)) is False
