"""The bus of `kapok serve`: the site's own, else one that the parent runs for its workers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import structlog

from dispatch.bus.program import NatsServerError
from dispatch.bus.server import NatsServer
from dispatch.cli.codes import Failure
from dispatch.settings import Settings
from dispatch.store.folder_lock import FolderHeldError, FolderLock

log = structlog.get_logger()

BUS: Final = "nats"
"""Where our own bus keeps its files, inside the data folder."""
AGAIN_S: Final = 10.0


@asynccontextmanager
async def bus(settings: Settings) -> AsyncIterator[str | None]:
    """Give the address of the bus: the site's own, else that of ours; one worker needs none.

    Raises:
        Failure: our own cannot be started.
    """
    if settings.bus_url or settings.workers == 1:
        yield settings.bus_url
        return
    folder = settings.data / BUS
    with _held(folder), _told():
        async with NatsServer(folder) as server:
            watch = asyncio.create_task(_watched_bus(server))
            try:
                yield server.url
            finally:
                watch.cancel()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the bus's folder: the files of two would be one another's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FolderLock.take(folder)
    except FolderHeldError as error:
        raise Failure(f"process {error.holder} runs a bus in {folder}: stop it first") from error
    lock.note(folder)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except NatsServerError as error:
        raise Failure(str(error)) from error


async def _watched_bus(server: NatsServer) -> None:
    """Bring the bus back whenever it ends, for as long as it takes: phones are held meanwhile."""
    while True:
        try:
            return await server.watch()
        except NatsServerError as error:
            log.critical("bus_lost", error=str(error), again_in_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)
