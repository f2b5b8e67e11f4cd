"""The floor of the gateway: a bare `websockets` server that does the same with a location."""

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.harness.answering import answer, run, say
from bench.peers.port import listener, settled
from bench.peers.town import WELCOME, BareDesk
from bench.peers.watch import Watch


async def main(units: int, port: int = 0, *, watching: bool = False) -> None:
    """Serve until the parent hangs up, on a port of its own or a given one.

    `watching`: for its stalls from the first connection on, which costs time of its own.
    """
    desk, watch, opened = BareDesk(units), Watch(), listener(port)
    if watching:
        await watch.begin()

    async def phone(line: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            number = desk.hello(await line.recv())
            await line.send(WELCOME)
            async for text in line:
                pong = desk.take(number, text)
                if pong is not None:
                    await line.send(pong)

    async with serve(phone, sock=opened, compression=None, ping_interval=None):
        settled()
        say({"port": opened.getsockname()[1]})
        await answer({"watch": watch.begin, "stall": watch.end})
        await asyncio.sleep(0)


if __name__ == "__main__":
    run(main)
