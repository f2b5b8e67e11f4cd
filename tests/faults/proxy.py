"""A bad network of our own: between any two parts, for one connection or all, changed as it runs.

TCP has no lost bytes, only late ones, so what a network swallows is kept here and comes when it is
well again, as it would be sent again there. A half is one direction that is swallowed. Single
packets are lost by the kernel, on their way to the proxy, and it is TCP that sends them again.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tests.faults.loss import lose

PIECE_BYTES: Final = 16 * 1024
DIAL_S: Final = 3.0
UP: Final = "up"
DOWN: Final = "down"
BOTH: Final = frozenset({UP, DOWN})
HARD: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close by RST, whatever lies unread."""
Place = Path | tuple[str, int]
"""A Unix socket, or host and port."""


@dataclass(frozen=True)
class Weather:
    """What a network does to what it is given.

    `swallows` names directions, up is from who dialled; `cut` is the chance that a connection ends
    at a piece of at most 16 KiB; who dials while it `refuses` is hung up on at once. `loses` is the
    share of packets that never come.
    """

    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    swallows: frozenset[str] = frozenset()
    cut: float = 0.0
    refuses: bool = False
    loses: float = 0.0


FINE: Final = Weather()
BLACK_HOLE: Final = Weather(swallows=BOTH)


@dataclass(eq=False)
class Wire:
    """One connection through the proxy; it has the proxy's weather unless it has its own."""

    proxy: "Proxy"
    writers: list[asyncio.StreamWriter]
    own: Weather | None = None
    carried: dict[str, int] = field(default_factory=lambda: {UP: 0, DOWN: 0})
    losing: float = 0.0

    @property
    def weather(self) -> Weather:
        """Return what it goes through now."""
        return self.own or self.proxy.weather

    def cut(self) -> None:
        """End it by RST, on both sides, whatever is under way."""
        for kernel in self._kernels():
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
        for writer in self.writers:
            writer.transport.abort()

    def feel(self) -> None:
        """Let the kernel lose as many packets as the weather says."""
        share = self.weather.loses
        if share or self.losing:
            for kernel in self._kernels():
                lose(kernel, share)
        self.losing = share

    def _kernels(self) -> list[socket.socket]:
        """Return its sockets that are TCP, and open."""
        found = [writer.get_extra_info("socket") for writer in self.writers]
        return [k for k in found if k and k.family != socket.AF_UNIX and k.fileno() >= 0]

    async def carry(self, way: str, reader: asyncio.StreamReader) -> None:
        """Hand on what comes one way, until it ends."""
        writer = self.writers[way == DOWN]
        try:
            while piece := await reader.read(PIECE_BYTES):
                if not await self._through(way, piece):
                    self.cut()
                    return
                writer.write(piece)
                await writer.drain()
                self.carried[way] += len(piece)
            await self.proxy.passable(self, way)
            writer.write_eof()
        except (OSError, RuntimeError):
            self.cut()

    async def _through(self, way: str, piece: bytes) -> bool:
        """Take a piece through the weather; False where it does not come through."""
        weather = self.weather
        if weather.cut and self.proxy.dice.random() < weather.cut:
            return False
        if weather.delay_s or weather.bytes_per_s:
            slow_s = len(piece) / weather.bytes_per_s if weather.bytes_per_s else 0.0
            await asyncio.sleep(weather.delay_s + slow_s)
        await self.proxy.passable(self, way)
        return True


class Proxy:
    """Listens at one place and hands on to another, or to the next of several that answers."""

    def __init__(self, to: Sequence[Place], sources: Sequence[str], seed: int) -> None:
        self.to = to
        self.dice = np.random.default_rng(seed)
        self.wires: set[Wire] = set()
        self.dialled = 0
        self._weather = FINE
        self._changed = asyncio.Condition()
        self._sources = tuple(sources)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        *to: Place,
        at: Place = ("127.0.0.1", 0),
        sources: Sequence[str] = (),
        seed: int = 1,
    ) -> AsyncIterator["Proxy"]:
        """Listen; `sources` are addresses to dial from, in turn: a service counts by address."""
        proxy = cls(to, sources, seed)
        if isinstance(at, Path):
            server: asyncio.Server = await asyncio.start_unix_server(proxy._came, at)
        else:
            server = await asyncio.start_server(proxy._came, *at, backlog=1024)
            proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            proxy.cut()
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    @property
    def weather(self) -> Weather:
        """Return what all connections go through that have no weather of their own."""
        return self._weather

    async def turn(self, weather: Weather) -> None:
        """Let the weather be another from now on; what was swallowed comes when it may pass."""
        self._weather = weather
        for wire in self.wires:
            wire.feel()
        async with self._changed:
            self._changed.notify_all()

    async def turn_one(self, wire: Wire, weather: Weather | None) -> None:
        """Give one connection a weather of its own, or none."""
        wire.own = weather
        wire.feel()
        async with self._changed:
            self._changed.notify_all()

    def cut(self) -> int:
        """End all connections by RST; return how many there were."""
        wires = tuple(self.wires)
        for wire in wires:
            wire.cut()
        return len(wires)

    async def passable(self, wire: Wire, way: str) -> None:
        """Wait until this way is not swallowed."""
        if way not in wire.weather.swallows:
            return
        async with self._changed:
            await self._changed.wait_for(lambda: way not in wire.weather.swallows)

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(self, [writer])
        if self._weather.refuses:
            wire.cut()
            return
        self.wires.add(wire)
        try:
            await self.passable(wire, UP)
            answers, asked = await self._dial()
            wire.writers.insert(0, asked)
            wire.feel()
            await asyncio.gather(wire.carry(UP, reader), wire.carry(DOWN, answers))
        except OSError:
            return
        finally:
            self.wires.discard(wire)
            wire.cut()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Dial the places in turn, beginning with another each time."""
        self.dialled += 1
        last: OSError = ConnectionRefusedError("nowhere to dial")
        for n in range(len(self.to)):
            try:
                async with asyncio.timeout(DIAL_S):
                    return await self._dial_one(self.to[(self.dialled + n) % len(self.to)])
            except OSError as error:  # a TimeoutError is one
                last = error
        raise last

    async def _dial_one(self, place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(place, Path):
            return await asyncio.open_unix_connection(place)
        same = [one for one in self._sources if _network(one) == _network(place[0])]
        local = (same[self.dialled % len(same)], 0) if same else None
        return await asyncio.open_connection(*place, local_addr=local)


def _network(address: str) -> str:
    return address.partition(".")[0]
