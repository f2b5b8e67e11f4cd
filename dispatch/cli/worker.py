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

from dispatch.cli.codes import Code
from dispatch.cli.open_files import phones_at_most, raise_open_files
from dispatch.cli.port import BACKLOG
from dispatch.cli.pulse import Pulse
from dispatch.desk.joining import OtherBus
from dispatch.gateway import Server as DoorServer
from dispatch.gateway import UnitProtocol
from dispatch.ports import BusAway
from dispatch.settings import Settings, read
from dispatch.telemetry import configure_log
from dispatch.wiring import ALONE, Service, service

log = structlog.get_logger()

PR_SET_PDEATHSIG: Final = 1
WS_FRAME_MAX: Final = 64 * 1024
"""Above the contract's 16 KiB, so that a frame between the two is answered, not cut off."""
GC_THRESHOLDS: Final = (25_000, 200, 1000)
"""Defaults stop the loop for up to 968 ms in a reconnect storm, these for 10 to 20 (bench/gateway).

The young ones cost 0.5 us each to look at; the older ones are looked at after 5 million. Until all
is read that stays, none are: a whole city would be walked through a dozen times."""
GRACE_S: Final = 5


@click.command(hidden=True)
@click.option("--fd", type=int, required=True)
@click.option("--parent", type=int, required=True)
@click.option("--berth", default=ALONE)
def worker(fd: int, parent: int, berth: str) -> None:
    """Serve an inherited port until SIGTERM."""
    gc.disable()
    end_with(parent)
    configure_log()
    settings = read(os.environ)
    files = raise_open_files()
    log.info("worker", open_files=files, phones_at_most=phones_at_most(files))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_work(settings, fd, berth))
        except (BusAway, OtherBus) as error:
            log.critical("worker_refuses", error=str(error))
            sys.exit(Code.FAILED)


def end_with(parent: int) -> None:
    """Be killed when the parent ends, and notice when it ended before we asked.

    Killed, for nothing else ends a process that is stopped: it would keep its place on the port.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(os.EX_UNAVAILABLE)


class Server(DoorServer):
    """The server, which listens once it serves, and says so."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse | None = None) -> None:
        super().__init__(config)
        self._pulse = pulse

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        for each in sockets or ():
            each.listen(BACKLOG)
        await super().startup(sockets)
        if self._pulse is not None:
            self._pulse.ready()


async def _work(settings: Settings, fd: int, berth: str) -> None:
    told, pulse, port = asyncio.Event(), Pulse(), socket.socket(fileno=fd)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with service(settings.database_url or "", settings, name=berth) as running:
        server = Server(config(running), pulse)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        gc.enable()
        serving = asyncio.create_task(server.serve([port]))
        beating = asyncio.create_task(pulse.run())
        await _first(serving, told)
        log.info("draining", worker=os.getpid(), phones=running.hub.stats.phones)
        server.close_doors()
        port.close()
        await running.hub.drain(GRACE_S)
        server.should_exit = True
        await serving
        beating.cancel()


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
