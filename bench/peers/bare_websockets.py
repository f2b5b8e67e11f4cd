"""The floor of the gateway: a bare `websockets` server that does the same with a location."""

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.harness.answering import answer, run, say
from bench.peers.town import WELCOME, BareDesk
from bench.peers.watch import Watch, listener, settled


async def main(units: int) -> None:
    """Serve until the parent hangs up."""
    desk, watch, port = BareDesk(units), Watch(), listener()

    async def phone(line: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            number = desk.hello(await line.recv())
            await line.send(WELCOME)
            async for text in line:
                pong = desk.take(number, text)
                if pong is not None:
                    await line.send(pong)

    async with serve(phone, sock=port, compression=None, ping_interval=None):
        settled()
        say({"port": port.getsockname()[1]})
        await answer({"watch": watch.begin, "stall": watch.end})
        await asyncio.sleep(0)


if __name__ == "__main__":
    run(main)
