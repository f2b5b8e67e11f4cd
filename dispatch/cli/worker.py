"""`kapok worker`: the process that holds phones and serves REST; started by `kapok serve` only."""

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
from typing import Final

import click
import structlog
import uvicorn
import uvloop

from dispatch.cli.serve import raise_open_files
from dispatch.gateway import Server as DoorServer
from dispatch.gateway import UnitProtocol
from dispatch.settings import Settings, read
from dispatch.telemetry import configure_log
from dispatch.wiring import Service, service

log = structlog.get_logger()

PR_SET_PDEATHSIG: Final = 1
WS_FRAME_MAX: Final = 64 * 1024
"""Above the contract's 16 KiB, so that a frame between the two is answered, not cut off."""
GC_THRESHOLDS: Final = (25_000, 200, 1000)
"""Defaults stop the loop for up to 968 ms in a reconnect storm, these for 10 to 20 (bench/gateway).

The young ones cost 0.5 us each to look at; the older ones are looked at after 5 million."""
GRACE_S: Final = 5
FILES_FOR_OTHERS: Final = 200
"""Database connections, logs, REST clients and a reserve."""


@click.command(hidden=True)
@click.option("--fd", type=int, required=True)
@click.option("--parent", type=int, required=True)
def worker(fd: int, parent: int) -> None:
    """Serve an inherited port until SIGTERM."""
    end_with(parent)
    configure_log()
    settings = read(os.environ)
    files = raise_open_files()
    log.info("worker", open_files=files, phones_at_most=files - FILES_FOR_OTHERS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings, fd))


def end_with(parent: int) -> None:
    """Get SIGTERM when the parent ends, and notice when it ended before we asked."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(os.EX_UNAVAILABLE)


class Server(DoorServer):
    """The server, saying on its standard output when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        sys.stdout.write("ready\n")
        sys.stdout.flush()


async def _work(settings: Settings, fd: int) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with service(settings.database_url or "", settings) as running:
        server = Server(config(running))
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        serving = asyncio.create_task(server.serve([socket.socket(fileno=fd)]))
        await _first(serving, told)
        await running.hub.drain(GRACE_S)
        server.should_exit = True
        await serving


async def _first(serving: asyncio.Task[None], told: asyncio.Event) -> None:
    """Wait until we are told to stop, or the server has stopped by itself."""
    stopping = asyncio.create_task(told.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def config(running: Service) -> uvicorn.Config:
    """Return how uvicorn serves us: our websocket protocol, no pings of its own, no deflate."""
    return uvicorn.Config(
        running.app,
        ws=UnitProtocol,
        ws_max_size=WS_FRAME_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
