"""A process on our bus over NATS, or on bare sockets between processes: speaks, hears, answers."""

import asyncio
import struct
from contextlib import AsyncExitStack
from time import monotonic_ns
from typing import Any, Final, cast

from bench.harness.answering import answer, run, say
from bench.peers.port import listener, settled
from dispatch.bus.nats import NatsBus

STAMP: Final = struct.Struct("<q")
LENGTH: Final = struct.Struct("<I")
SUBJECT: Final = "bench.loc.gz.one"
QUESTION: Final = "bench.ask.{}"
TICK_S: Final = 0.001
ASK_WITHIN_S: Final = 2.0


class Ear:
    """How long each message was under way, in ms."""

    def __init__(self) -> None:
        self._ms: list[float] = []

    def take(self, _subject: str, body: bytes) -> None:
        """Note a message, by the clock all processes of the machine share."""
        self._ms.append((monotonic_ns() - STAMP.unpack_from(body)[0]) / 1e6)

    async def heard(self) -> dict[str, Any]:
        """Return the times since this was last asked."""
        times, self._ms = self._ms, []
        return {"ms": times}


class RawEar(asyncio.Protocol):
    """The floor: messages with their length before them, on one socket."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._rest = bytearray()

    def data_received(self, data: bytes) -> None:
        """Take what came whole."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= LENGTH.size:
            end = at + LENGTH.size + LENGTH.unpack_from(rest, at)[0]
            if len(rest) < end:
                break
            self._ear.take("", bytes(rest[at + LENGTH.size : end]))
            at = end
        del rest[:at]


class Mouth:
    """Sends the same message many times, at an even rate, to all who hear."""

    def __init__(self, bus: NatsBus | None, lines: list[asyncio.WriteTransport]) -> None:
        self._bus = bus
        self._lines = lines

    async def speak(self, size: int, per_s: float, seconds: float) -> dict[str, Any]:
        """Send messages of `size` bytes; return how many, and how many were dropped."""
        loop = asyncio.get_running_loop()
        began, sent, dropped = loop.time(), 0, 0
        padding = bytes(size - STAMP.size)
        while (passed_s := loop.time() - began) < seconds:
            for _ in range(int(passed_s * per_s) - sent):
                dropped += not self._send(STAMP.pack(monotonic_ns()) + padding)
                sent += 1
            await asyncio.sleep(TICK_S)
        return {"sent": sent, "dropped": dropped}

    def _send(self, body: bytes) -> bool:
        if self._bus is not None:
            return self._bus.publish(SUBJECT, body)
        frame = LENGTH.pack(len(body)) + body
        for line in self._lines:
            line.write(frame)
        return True

    async def ask(self, name: str, times: int) -> dict[str, Any]:
        """Put a question so many times, one after the other; return how long each took (ms)."""
        assert self._bus is not None, "only the bus answers questions"
        took = []
        for _ in range(times):
            began = monotonic_ns()
            await self._bus.ask(QUESTION.format(name), b"there?", ASK_WITHIN_S)
            took.append((monotonic_ns() - began) / 1e6)
        return {"ms": took}


async def main(name: str, url: str | None = None, ports: list[int] | None = None) -> None:
    """Answer until the parent hangs up; with `ports` it speaks on bare sockets to those."""
    ear = Ear()
    async with AsyncExitStack() as stack:
        bus, lines, port = None, list[asyncio.WriteTransport](), 0
        if url is not None:
            bus = await stack.enter_async_context(NatsBus.open([url], name=name))
            await bus.subscribe("bench.loc.>", ear.take)
            await bus.answer(QUESTION.format(name), lambda body: body)
        elif ports is None:
            opened = listener()
            port = opened.getsockname()[1]
            await asyncio.get_running_loop().create_server(lambda: RawEar(ear), sock=opened)
        else:
            lines = [await _line(at) for at in ports]
        settled()
        say({"port": port})
        mouth = Mouth(bus, lines)
        await answer({"heard": ear.heard, "speak": mouth.speak, "ask": mouth.ask})


async def _line(port: int) -> asyncio.WriteTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    return cast(asyncio.WriteTransport, transport)  # uvloop has no classes for it


if __name__ == "__main__":
    run(main)
