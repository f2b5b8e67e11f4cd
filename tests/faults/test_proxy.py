"""The proxy does to a connection what it says, and no more."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.faults.loss import lose
from tests.faults.proxy import BLACK_HOLE, DOWN, FINE, UP, Proxy, Weather

pytestmark = [pytest.mark.asyncio, pytest.mark.faults]

PATIENCE_S: Final = 10.0
A_WHILE_S: Final = 0.2
"""So long nothing is heard where nothing shall be."""
SENT_AGAIN_AT: Final = 100
"""Where TCP_INFO has how many packets were sent again."""


class Echo:
    """A server that says back what it hears, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while some := await reader.read(65536):
                self.heard += some
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Ends:
    """A connection through a proxy: what the one who dialled has in hand."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo
    ) -> None:
        self.proxy, self.reader, self.writer, self.echo = proxy, reader, writer, echo

    async def ask(self, said: bytes) -> bytes:
        """Say something; return as much of what is heard."""
        self.writer.write(said)
        return await self.hear(len(said))

    async def hear(self, bytes_: int) -> bytes:
        """Return what is heard."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(bytes_)

    async def hears_nothing(self) -> bool:
        """Tell whether nothing comes for a while."""
        try:
            async with asyncio.timeout(A_WHILE_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def dialled(proxy: Proxy, echo: Echo) -> AsyncIterator[Ends]:
    """Dial a proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield Ends(proxy, reader, writer, echo)
    writer.transport.abort()
    await asyncio.sleep(0)


@asynccontextmanager
async def line() -> AsyncIterator[Ends]:
    """Give a connection through a proxy to an echo."""
    echo = Echo()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    to = ("127.0.0.1", server.sockets[0].getsockname()[1])
    async with Proxy.started(to) as proxy, dialled(proxy, echo) as ends:
        yield ends
    server.close()


async def test_in_fine_weather_everything_comes_through_unchanged() -> None:
    """Megabytes, in order, both ways."""
    async with line() as ends:
        said = bytes(range(256)) * 8192
        assert await ends.ask(said) == said
        (wire,) = ends.proxy.wires
        assert wire.carried == {UP: len(said), DOWN: len(said)}


async def test_what_is_swallowed_comes_when_the_network_is_well() -> None:
    """As TCP sends again: nothing is lost, nothing doubled, and the connection stands."""
    async with line() as ends:
        assert await ends.ask(b"before") == b"before"
        await ends.proxy.turn(BLACK_HOLE)
        ends.writer.write(b"meanwhile")
        assert await ends.hears_nothing()
        assert ends.echo.heard == b"before"
        await ends.proxy.turn(FINE)
        assert await ends.hear(9) == b"meanwhile"


async def test_a_half_hears_and_is_not_heard() -> None:
    """One way dead, the other well: the server got it, its answer waits."""
    async with line() as ends:
        await ends.proxy.turn(Weather(swallows=frozenset({DOWN})))
        ends.writer.write(b"hello")
        assert await ends.hears_nothing()
        assert ends.echo.heard == b"hello"


async def test_a_cut_is_a_reset_for_both() -> None:
    """Nobody is told goodbye."""
    async with line() as ends:
        await ends.ask(b"x")
        assert ends.proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await ends.hear(1)


async def test_dice_cut_in_the_midst() -> None:
    """With a chance of one the first piece does not come through."""
    async with line() as ends:
        await ends.proxy.turn(Weather(cut=1.0))
        ends.writer.write(b"x")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await ends.hear(1)
        assert ends.echo.heard == b""


async def test_one_connection_can_have_a_weather_of_its_own() -> None:
    """Its neighbour hears at once."""
    async with line() as ends:
        await ends.ask(b"x")
        (wire,) = ends.proxy.wires
        await ends.proxy.turn_one(wire, BLACK_HOLE)
        async with dialled(ends.proxy, ends.echo) as neighbour:
            assert await neighbour.ask(b"here") == b"here"
        ends.writer.write(b"lost")
        assert await ends.hears_nothing()
        await ends.proxy.turn_one(wire, None)
        assert await ends.hear(4) == b"lost"


async def test_delayed_and_throttled_is_late_and_whole() -> None:
    """Slow is not lost."""
    async with line() as ends:
        await ends.proxy.turn(Weather(delay_s=0.02, bytes_per_s=1_000_000))
        assert await ends.ask(b"slow" * 1000) == b"slow" * 1000


async def test_lost_packets_are_sent_again_by_tcp() -> None:
    """Everything comes, in order; the sender's kernel says that it had to repeat itself."""
    async with line() as ends:
        assert await ends.ask(b"before") == b"before"
        await ends.proxy.turn(Weather(loses=0.3))
        async with asyncio.timeout(PATIENCE_S):
            while not sent_again(ends.writer):
                assert await ends.ask(b"lost") == b"lost"
        await ends.proxy.turn(FINE)
        assert await ends.ask(b"well") == b"well"


async def test_a_connection_that_is_dialled_while_packets_are_lost_loses_some_too() -> None:
    """On both its sides, and none any more when the network is well."""
    async with line() as ends:
        await ends.proxy.turn(Weather(loses=0.3))
        async with dialled(ends.proxy, ends.echo) as other:
            async with asyncio.timeout(PATIENCE_S):
                while not sent_again(other.writer):
                    assert await other.ask(b"lost") == b"lost"
            await ends.proxy.turn(FINE)
            assert await other.ask(b"well") == b"well"


async def test_a_socket_that_has_lost_nothing_can_be_told_to_lose_no_more() -> None:
    """As one whose other side was dialled when the weather had changed."""
    with socket.create_server(("127.0.0.1", 0)) as kernel:
        lose(kernel, 0.0)
        lose(kernel, 0.5)
        lose(kernel, 0.5)
        lose(kernel, 0.0)
        assert kernel.fileno() >= 0


def sent_again(writer: asyncio.StreamWriter) -> int:
    """Return how many packets of a connection were sent more than once."""
    kernel = writer.get_extra_info("socket")
    told = kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SENT_AGAIN_AT + 4)
    return int(struct.unpack_from("I", told, SENT_AGAIN_AT)[0])


async def test_who_dials_while_it_refuses_is_hung_up_on() -> None:
    """As a port where nobody listens, a moment later."""
    async with line() as ends:
        await ends.proxy.turn(Weather(refuses=True))
        async with dialled(ends.proxy, ends.echo) as other:
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await other.hear(1)


async def test_unix_sockets_too(tmp_path: Path) -> None:
    """Between a service and a database that listens in a folder."""
    echo = Echo()
    server = await asyncio.start_unix_server(echo, tmp_path / "there")
    async with Proxy.started(tmp_path / "there", at=tmp_path / "here"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "here")
        writer.write(b"select 1")
        assert await asyncio.wait_for(reader.readexactly(8), PATIENCE_S) == b"select 1"
        writer.close()
    server.close()


async def test_it_dials_from_the_addresses_it_is_given() -> None:
    """A service that counts by address sees many."""
    seen = set[str]()

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.add(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    to = ("127.0.0.1", server.sockets[0].getsockname()[1])
    async with Proxy.started(to, sources=["127.0.0.9", "127.0.0.10"]) as proxy:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            await asyncio.wait_for(reader.read(), PATIENCE_S)
            writer.close()
    server.close()
    assert seen == {"127.0.0.9", "127.0.0.10"}


async def test_of_several_places_the_next_one_is_dialled() -> None:
    """Where nobody listens at the first, the second hears."""
    echo = Echo()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    there = ("127.0.0.1", server.sockets[0].getsockname()[1])
    async with Proxy.started(("127.0.0.1", 1), there) as proxy:
        for _ in range(2):
            async with dialled(proxy, echo) as ends:
                assert await ends.ask(b"hello") == b"hello"
    server.close()
