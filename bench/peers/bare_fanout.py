"""The floor of a fan-out: one text to all sockets, by a plain loop."""

import asyncio
from typing import Any, cast

from bench.harness.answering import answer, run, say
from bench.peers.port import listener, settled


class Line(asyncio.Protocol):
    """One reader."""

    def __init__(self, lines: list[asyncio.WriteTransport]) -> None:
        self._lines = lines

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the reader in."""
        writing = cast(asyncio.WriteTransport, transport)  # uvloop has no classes for it
        self._lines.append(writing)
        writing.write(b": welcome\n\n")


async def main() -> None:
    """Serve until the parent hangs up."""
    lines: list[asyncio.WriteTransport] = []
    port = listener()
    await asyncio.get_running_loop().create_server(lambda: Line(lines), sock=port)

    async def tell(text: str) -> dict[str, Any]:
        frame = text.encode()
        for line in lines:
            line.write(frame)
        return {"lines": len(lines)}

    settled()
    say({"port": port.getsockname()[1]})
    await answer({"tell": tell})


if __name__ == "__main__":
    run(main)
