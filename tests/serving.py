"""The real service on a free loopback port, inside the test's own process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from dispatch.cli.worker import Server, config
from dispatch.settings import Settings
from dispatch.wiring import DEFAULTS, Service, service

START_S = 30.0


@asynccontextmanager
async def served(dsn: str, settings: Settings = DEFAULTS) -> AsyncIterator[tuple[Service, str]]:
    """Serve a migrated database; hand over the service and its address."""
    with socket.create_server(("127.0.0.1", 0)) as port:
        async with service(dsn, settings) as running:
            server: uvicorn.Server = Server(config(running))
            serving = asyncio.create_task(server.serve([port]))
            try:
                await _started(server)
                yield running, f"http://127.0.0.1:{port.getsockname()[1]}"
            finally:
                await running.hub.drain(2.0)
                server.should_exit = True
                await serving


async def _started(server: uvicorn.Server) -> None:
    async with asyncio.timeout(START_S):
        while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag and has no event
            await asyncio.sleep(0.01)
