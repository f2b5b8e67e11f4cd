"""Many readers of one stream in one process: when the first and the last of them saw a mark."""

import asyncio
from typing import Any, Final, cast

from bench.harness.answering import answer, run, say
from bench.peers.port import raise_open_files, settled
from dispatch.clock import SystemClock

CONNECT_AT_ONCE: Final = 50
WITHIN_S: Final = 20.0
LOOK_S: Final = 0.01
TAIL: Final = 128
"""Bytes kept of what came before: a mark may come in two parts."""


class Reader(asyncio.Protocol):
    """One connection: says what it was told to say, then looks for marks."""

    def __init__(self, readers: "Readers", request: bytes) -> None:
        self._readers = readers
        self._request = request
        self._tail = b""
        self.told = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast(asyncio.WriteTransport, transport).write(self._request)  # uvloop has no classes for it

    def data_received(self, data: bytes) -> None:
        """Look for the mark in what came."""
        self.told = True
        seen = self._tail + data
        self._readers.look(self, seen)
        self._tail = seen[-TAIL:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a loss."""
        self._readers.lost += 1


class Readers:
    """All of them."""

    def __init__(self, port: int, requests: list[str]) -> None:
        self._port = port
        self._requests = [text.encode() for text in requests]
        self._all: list[Reader] = []
        self._now = SystemClock().now
        self._mark = b""
        self._seen: dict[Reader, float] = {}
        self.lost = 0

    def look(self, reader: Reader, data: bytes) -> None:
        """Note when a reader saw the mark first."""
        if self._mark and reader not in self._seen and self._mark in data:
            self._seen[reader] = self._now().timestamp() * 1000

    async def dial(self) -> dict[str, Any]:
        """Connect all; return how many were told something: that they are let in."""
        places, loop = asyncio.Semaphore(CONNECT_AT_ONCE), asyncio.get_running_loop()

        async def one(request: bytes) -> None:
            async with places:
                _, reader = await loop.create_connection(
                    lambda: Reader(self, request), "127.0.0.1", self._port
                )
                self._all.append(reader)

        await asyncio.gather(*map(one, self._requests))
        till = loop.time() + WITHIN_S
        while loop.time() < till and not all(  # noqa: ASYNC110 - thousands of readers have no one event
            reader.told for reader in self._all
        ):
            await asyncio.sleep(LOOK_S)
        return {"told": sum(reader.told for reader in self._all), "lost": self.lost}

    async def watch(self, mark: str) -> dict[str, Any]:
        """Look for a mark from now on."""
        self._mark, self._seen = mark.encode(), {}
        return {}

    async def seen(self) -> dict[str, Any]:
        """Return when each reader saw the mark (ms), once all have, or the time is over."""
        loop = asyncio.get_running_loop()
        till = loop.time() + WITHIN_S
        while loop.time() < till and len(self._seen) < len(self._all):  # noqa: ASYNC110 - as above
            await asyncio.sleep(LOOK_S)
        return {"at": list(self._seen.values()), "lost": self.lost}


async def main(port: int, requests: list[str]) -> None:
    """Answer until the parent hangs up."""
    raise_open_files()
    readers = Readers(port, requests)
    settled()
    say({"readers": len(requests)})
    await answer({"dial": readers.dial, "watch": readers.watch, "seen": readers.seen})


if __name__ == "__main__":
    run(main)
