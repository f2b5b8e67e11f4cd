"""A webhook that takes every push at once, and notes when each came and for whom."""

import asyncio
from typing import Any, Final, cast

import msgspec

from bench.harness.answering import answer, run, say
from bench.peers.port import listener, settled
from dispatch.clock import SystemClock

END: Final = b"\r\n\r\n"
YES: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Payload(msgspec.Struct):
    """What the phone is told."""

    oid: str | None = None


class Push(msgspec.Struct):
    """What is looked at of a push."""

    device: str
    seq: int
    payload: Payload


class Book:
    """When each push came first, in ms since the epoch; and how often any came."""

    def __init__(self) -> None:
        self.now = SystemClock().now
        self._came: dict[tuple[str, int], float] = {}
        self._offers: dict[tuple[str, int], float] = {}
        self._times = 0
        self._read = msgspec.json.Decoder(Push)

    def take(self, body: bytes) -> None:
        """Note a push."""
        push, at_ms = self._read.decode(body), self.now().timestamp() * 1000
        self._came.setdefault((push.device, push.seq), at_ms)
        if push.payload.oid is not None:
            self._offers.setdefault((push.device, push.seq), at_ms)
        self._times += 1

    async def count(self) -> dict[str, Any]:
        """Return how many pushes came, and how many of them were not repeats."""
        return {"times": self._times, "pushes": len(self._came)}

    async def offers(self) -> dict[str, Any]:
        """Return when each push about an offer came first."""
        return {"offers": [(device, seq, at) for (device, seq), at in self._offers.items()]}


class Call(asyncio.Protocol):
    """One request on its connection."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has no classes for it

    def data_received(self, data: bytes) -> None:
        """Take a whole request, and say yes."""
        self._got += data
        head, end, body = self._got.partition(END)
        if end and len(body) >= _length(head):
            self._book.take(body)
            self._transport.write(YES)
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    """Serve until the parent hangs up."""
    book, port = Book(), listener()
    await asyncio.get_running_loop().create_server(lambda: Call(book), sock=port, backlog=4096)
    settled()
    say({"port": port.getsockname()[1]})
    await answer({"count": book.count, "offers": book.offers})


if __name__ == "__main__":
    run(main)
