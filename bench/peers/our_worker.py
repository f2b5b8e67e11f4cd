"""Our worker on an inherited port, with a look at its longest stall since it began to listen."""

import asyncio
import os
import socket

import uvicorn

from bench.harness.answering import answer, run, say
from bench.peers.port import settled
from bench.peers.watch import Watch
from dispatch.cli.worker import config
from dispatch.gateway import Server
from dispatch.wiring import service


async def main(dsn: str, fd: int) -> None:
    """Serve until the parent hangs up."""
    watch = Watch()
    async with service(dsn) as running:
        server: uvicorn.Server = Server(config(running))
        settled()
        await watch.begin()
        serving = asyncio.create_task(server.serve([socket.socket(fileno=fd)]))
        serving.add_done_callback(lambda _: os._exit(1))  # a server that ends is none
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)
        say({"fd": fd})
        await answer({"watch": watch.begin, "stall": watch.end})
        os._exit(0)  # what it served is thrown away: nobody waits for a good-bye


if __name__ == "__main__":
    run(main)
