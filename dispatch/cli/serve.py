"""`kapok serve`: the parent owns database and port, a worker holds phones and serves REST."""

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click
import structlog

from dispatch.cli.codes import Failure
from dispatch.cli.database import run
from dispatch.desk.the_hour import read_hours
from dispatch.settings import Settings, read
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedError, EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.telemetry import configure_log
from geo.roads import file as road_file
from geo.roads.file import BadRoadsError

log = structlog.get_logger()

BACKLOG: Final = 4096
READY_S: Final = 60.0
STOP_S: Final = 20.0
BACK_OFF_S: Final = (0.2, 10.0)
ROADS: Final = "roads"
"""Where imported roads are kept, inside the data folder."""
ROADS_SUFFIX: Final = ".roads"
WORKER: Final = (sys.executable, "-m", "dispatch", "worker")


@click.command()
@click.option("--host", help="Address to listen on.  [KAPOK_HOST; 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port.  [KAPOK_PORT; 8110]")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder.  [KAPOK_DATA; .kapok]")
@click.option(
    "--roads",
    type=click.Path(path_type=Path),
    help="Road file of `kapok import roads`.  [KAPOK_ROADS; the one in the data folder]",
)
@click.option("--database-url", help="An outside PostgreSQL, 15 or later.  [DATABASE_URL]")
def serve(
    host: str | None,
    port: int | None,
    data: Path | None,
    roads: Path | None,
    database_url: str | None,
) -> None:
    """Run the service until Ctrl-C or SIGTERM."""
    given = {
        "host": host,
        "port": port,
        "data": data,
        "roads": roads,
        "database_url": database_url,
    }
    settings = read(os.environ, **{k: v for k, v in given.items() if v is not None})
    configure_log()
    if settings.road_hours is not None:
        read_hours(settings.road_hours)
    run(_serve(settings, roads_of(settings)))


async def _serve(settings: Settings, roads: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with database(settings, stop) as dsn:
        with listener(settings.host, settings.port) as port:
            await Worker(dsn, port, roads=roads).run(stop)


def roads_of(settings: Settings) -> Path | None:
    """Return the file of roads to load: the one that is named, else the only one imported.

    Raises:
        Failure: it is not there or none of ours, or there are several to choose from.
    """
    path = settings.roads or _imported(settings)
    if path is None:
        return None
    try:
        road_file.load(path)
    except (OSError, BadRoadsError) as error:
        raise Failure(f"KAPOK_ROADS: {error}") from error
    return path


def _imported(settings: Settings) -> Path | None:
    imported = sorted((settings.data / ROADS).glob(f"*{ROADS_SUFFIX}"))
    if len(imported) > 1:
        names = ", ".join(path.name for path in imported)
        raise Failure(f"several roads are imported ({names}): name one by KAPOK_ROADS")
    return imported[0] if imported else None


@asynccontextmanager
async def database(settings: Settings, stop: asyncio.Event) -> AsyncIterator[str]:
    """Give the address of a migrated database: the outside one, else the embedded one."""
    if settings.database_url:
        await migrated(settings.database_url)
        yield settings.database_url
        return
    async with EmbeddedPostgres(settings.data / "postgres") as server:
        await migrated(server.dsn)
        watch = asyncio.create_task(_watched(server, stop))
        try:
            yield server.dsn
        finally:
            watch.cancel()


async def _watched(server: EmbeddedPostgres, stop: asyncio.Event) -> None:
    """Bring the database back whenever it ends; stop the service when that fails."""
    try:
        await server.watch()
    except EmbeddedError as error:
        log.critical("database_lost", error=str(error))
        stop.set()


async def migrated(dsn: str) -> None:
    """Apply what is missing of the migrations."""
    async with connected(dsn) as connection:
        for name in await migrate(connection):
            log.info("migrated", file=name)


def listener(host: str, port: int) -> socket.socket:
    """Open the port; it stays open while a worker is replaced."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise Failure(f"cannot listen on {host} port {port}: {error.strerror}") from error
    opened.listen(BACKLOG)
    opened.set_inheritable(True)
    return opened


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one; return it. A phone costs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Worker:
    """One worker process: started, waited for, started again when it ends unasked."""

    def __init__(
        self,
        dsn: str,
        port: socket.socket,
        *,
        roads: Path | None = None,
        log_file: BinaryIO | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._given = {"DATABASE_URL": dsn, "KAPOK_ROADS": str(roads or "")}
        self._port = port
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where the service answers."""
        host, port = self._port.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a worker running until `stop`; then let it drain."""
        stopping = asyncio.create_task(stop.wait())
        pause_s = BACK_OFF_S[0]
        while not stop.is_set():
            process = await self._start()
            if await self._listens(process):
                pause_s = BACK_OFF_S[0]
                self.ready.set()
                log.info("ready", url=self.url, worker=process.pid)
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                log.error("worker_ended", code=process.returncode, again_in_s=pause_s)
                await asyncio.wait({stopping}, timeout=pause_s)
                pause_s = min(BACK_OFF_S[1], pause_s * 2)
        await self._end()

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *WORKER,
            "--fd",
            str(self._port.fileno()),
            "--parent",
            str(os.getpid()),
            env={**os.environ, **self._given},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log_file,
            pass_fds=(self._port.fileno(),),
            start_new_session=True,
        )
        return self._process

    async def _listens(self, process: asyncio.subprocess.Process) -> bool:
        """Wait for the worker's one line; `False` when it ended before, or said nothing."""
        if process.stdout is None:
            return False
        try:
            async with asyncio.timeout(READY_S):
                return await process.stdout.readline() == b"ready\n"
        except TimeoutError:
            process.kill()
            return False

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
