"""A websocket without a task, against a real server on loopback."""

import asyncio
from contextlib import suppress

import pytest
from websockets.uri import parse_uri

from dispatch.phone.link import WRITE_MAX, Link, dial
from schemas.wire import FRAME_OUT_MAX, SUBPROTOCOL
from tests.dispatch.phone.script import Caller, open_centre, until

pytestmark = pytest.mark.asyncio


class Ear:
    """Whoever listens: it remembers."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.open = False
        self.frames: list[bytes] = []
        self.lost: list[tuple[int | None, str]] = []

    def line_made(self, link: Link) -> None:
        """Keep the link."""
        self.link = link

    def line_open(self) -> None:
        """Note it."""
        self.open = True

    def line_heard(self, frame: bytes) -> None:
        """Note it."""
        self.frames.append(frame)

    def line_lost(self, code: int | None, reason: str) -> None:
        """Note it."""
        self.lost.append((code, reason))


async def echo(caller: Caller) -> None:
    """Say everything back."""
    async for message in caller.connection:
        await caller.connection.send(message)


async def test_text_goes_both_ways_in_the_subprotocol_without_compression() -> None:
    """One frame, one message."""
    async with open_centre(echo) as centre:
        ear = Ear()
        await dial(parse_uri(centre.url), ear, "127.0.0.3")
        await until(lambda: ear.open)
        assert ear.link
        ear.link.send("木棉".encode())
        await until(lambda: ear.frames)
        connection = centre.callers[0].connection
        assert ear.frames == ["木棉".encode()]
        assert connection.subprotocol == SUBPROTOCOL
        assert connection.protocol.extensions == []
        assert connection.remote_address[0] == "127.0.0.3"
        ear.link.close()
        await until(lambda: ear.lost)
        assert connection.close_code == 1000


async def test_fragments_are_put_together_and_binary_frames_skipped() -> None:
    """A server may split what it writes."""

    async def split(caller: Caller) -> None:
        await caller.connection.send(b"\x00")
        await caller.connection.send(["a", "b", "c"])
        await caller.connection.wait_closed()

    async with open_centre(split) as centre:
        ear = Ear()
        await dial(parse_uri(centre.url), ear)
        await until(lambda: ear.frames)
        assert ear.frames == [b"abc"]
        assert ear.link
        ear.link.abort()
        await until(lambda: ear.lost == [(None, "")])


async def test_a_close_code_is_handed_on_once_with_its_reason() -> None:
    """And frames sent after it are dropped."""

    async def part(caller: Caller) -> None:
        await caller.hang_up(4200, '{"r":"draining","ra":3}')

    async with open_centre(part) as centre:
        ear = Ear()
        await dial(parse_uri(centre.url), ear)
        await until(lambda: ear.lost)
        assert ear.lost == [(4200, '{"r":"draining","ra":3}')]
        assert ear.link
        ear.link.send(b"late")
        ear.link.abort()
        ear.link.close()


async def test_a_frame_beyond_the_limit_ends_the_line() -> None:
    """64 KiB and no more: the line is dropped, the phone comes back."""

    async def flood(caller: Caller) -> None:
        await caller.connection.send("x" * (FRAME_OUT_MAX + 1))
        await caller.connection.wait_closed()

    async with open_centre(flood) as centre:
        ear = Ear()
        await dial(parse_uri(centre.url), ear)
        await until(lambda: ear.lost)
        assert ear.frames == []
        assert ear.lost == [(None, "")]


async def test_a_refused_upgrade_is_a_lost_line_that_never_opened() -> None:
    """An HTTP answer that is no 101."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ear = Ear()
        await dial(parse_uri(f"ws://127.0.0.1:{port}/"), ear)
        await until(lambda: ear.lost)
        assert not ear.open


async def test_nobody_there_is_told_to_the_dialler() -> None:
    """The dialler tries again later."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await dial(parse_uri(f"ws://127.0.0.1:{port}/"), Ear())


async def test_a_line_that_takes_nothing_is_hung_up() -> None:
    """Writes are bounded: a half-open line does not gather what it cannot get rid of."""
    go_on = asyncio.Event()

    async def deaf(caller: Caller) -> None:
        caller.connection.transport.pause_reading()
        await go_on.wait()

    async with open_centre(deaf) as centre:
        ear = Ear()
        await dial(parse_uri(centre.url), ear)
        await until(lambda: ear.open and centre.callers)
        assert ear.link
        link, frame = ear.link, b"x" * (WRITE_MAX // 2)
        await until(lambda: ear.lost, lambda: link.send(frame))
        assert ear.lost == [(None, "")]
        with suppress(OSError):
            centre.callers[0].connection.transport.abort()
        go_on.set()
