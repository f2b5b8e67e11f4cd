"""`kapok serve`: the parent owns database, bus and port; workers hold phones and serve REST."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click
import structlog

from dispatch.cli.ballast_watch import BallastWatch
from dispatch.cli.bus import bus
from dispatch.cli.codes import Failure
from dispatch.cli.database import POSTGRES, run
from dispatch.cli.port import Port
from dispatch.cli.renewal import renew_when
from dispatch.cli.workers import Workers
from dispatch.desk.the_hour import read_hours
from dispatch.settings import WORKERS_MOST, Settings, read
from dispatch.store.archive import Archive
from dispatch.store.ballast import MB, Ballast
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedError, EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.telemetry import configure_log
from geo.roads import file as road_file
from geo.roads.file import BadRoadsError

log = structlog.get_logger()

STDIN: Final = 0
AGAIN_S: Final = 1.0
"""Between tries to start a database without room; each takes a few seconds of its own."""
ROADS: Final = "roads"
"""Where imported roads are kept, inside the data folder."""
ROADS_SUFFIX: Final = ".roads"


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
@click.option(
    "--workers",
    type=click.IntRange(1, WORKERS_MOST),
    help="Processes that hold phones and serve REST.  [KAPOK_WORKERS; 1]",
)
def serve(**options: object) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    SIGHUP replaces one worker after the other; phones of the others stay.
    """
    given = {name: value for name, value in options.items() if value is not None}
    settings = read(os.environ, **given)
    configure_log()
    if settings.road_hours is not None:
        read_hours(settings.road_hours)
    run(_serve(settings, roads_of(settings)))


async def _serve(settings: Settings, roads: Path | None) -> None:
    stop, renew = asyncio.Event(), asyncio.Event()
    _listen_to_signals(stop, renew)
    async with database(settings, stop) as dsn, bus(settings) as bus_url:
        with Port.opened(settings.host, settings.port, settings.workers) as port:
            room = settings.data if not settings.database_url else None
            workers = Workers(dsn, port, roads=roads, bus_url=bus_url, room=room)
            renewing = asyncio.create_task(renew_when(renew, workers, dsn))
            await workers.run(stop)
            renewing.cancel()


def _listen_to_signals(stop: asyncio.Event, renew: asyncio.Event) -> None:
    """SIGHUP renews, unless it says that the terminal we were started from is gone."""
    loop = asyncio.get_running_loop()
    hung_up = stop if os.isatty(STDIN) else renew
    for number, event in {
        signal.SIGINT: stop,
        signal.SIGTERM: stop,
        signal.SIGHUP: hung_up,
    }.items():
        loop.add_signal_handler(number, event.set)


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
    async with (
        _ballast(Ballast(settings.data, settings.ballast_mb * MB)) as ballast,
        Archive(settings.archive) as archive,
        EmbeddedPostgres(settings.data / POSTGRES) as server,
    ):
        await archive.follow(server.dsn)
        await migrated(server.dsn)
        watch = asyncio.create_task(watched(server, ballast, stop))
        try:
            yield server.dsn
        finally:
            watch.cancel()


@asynccontextmanager
async def _ballast(ballast: Ballast) -> AsyncIterator[BallastWatch]:
    """Hold the ballast, where there is room for it, before the database begins to write."""
    watch = BallastWatch(ballast)
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running.cancel()


async def watched(server: EmbeddedPostgres, ballast: BallastWatch, stop: asyncio.Event) -> None:
    """Bring the database back whenever it ends; stop the service when that fails.

    A disk without room is waited for: a service that ends would lose its phones, and gain nothing.
    """
    while True:
        try:
            await server.watch()
        except (EmbeddedError, OSError) as error:
            if not ballast.spent:
                log.critical("database_lost", error=str(error))
                stop.set()
                return
            log.warning("database_without_room", error=str(error), again_in_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def migrated(dsn: str) -> None:
    """Apply what is missing of the migrations."""
    async with connected(dsn) as connection:
        for name in await migrate(connection):
            log.info("migrated", file=name)
