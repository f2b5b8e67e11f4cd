"""The floor of a round trip: what comes is sent back, over TCP on loopback."""

import asyncio
from typing import cast

from bench.harness.answering import answer, run, say
from bench.peers.port import listener


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has no classes for it

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)


async def main() -> None:
    """Serve until the parent hangs up."""
    port = listener()
    await asyncio.get_running_loop().create_server(Echo, sock=port)
    say({"port": port.getsockname()[1]})
    await answer({})


if __name__ == "__main__":
    run(main)
