"""Our gateway as the worker runs it, before a desk without a store."""

import asyncio

import uvicorn

from bench.harness.answering import answer, run, say
from bench.peers import town
from bench.peers.port import listener, settled
from bench.peers.watch import Watch
from dispatch.cli.worker import WS_FRAME_MAX
from dispatch.gateway import Hub, Server, UnitProtocol, UnitSocket


async def main(units: int) -> None:
    """Serve until the parent hangs up."""
    phones, watch, port = town.phones(units), Watch(), listener()
    hub = Hub(phones)
    config = uvicorn.Config(
        UnitSocket(phones, hub),
        ws=UnitProtocol,
        ws_max_size=WS_FRAME_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = Server(config)
    settled()
    running = [asyncio.create_task(hub.run()), asyncio.create_task(server.serve([port]))]
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    say({"port": port.getsockname()[1]})
    await answer({"watch": watch.begin, "stall": watch.end})
    for task in running:
        task.cancel()


if __name__ == "__main__":
    run(main)
