"""Where a command finds its database, and how what goes wrong there ends the command."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec.structs import replace

from dispatch.cli.codes import Away, Failure
from dispatch.live.room import Room, Work
from dispatch.ports import StoreAway
from dispatch.settings import Settings, read
from dispatch.store import neighbour
from dispatch.store.ballast import MB, Ballast
from dispatch.store.connection import StoreRefused, connected
from dispatch.store.embedded import EmbeddedError, EmbeddedPostgres, FolderInUseError
from dispatch.store.migrate import MigrationError, pending
from dispatch.store.registry import Registry, registry

T = TypeVar("T")

BALLAST: Final = ("KAPOK_BALLAST_MB",)
"""What else of the environment every command goes by."""
POSTGRES: Final = "postgres"
"""The embedded database's folder, inside the data folder."""


def options(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command --database-url and --data, and hand it both as `settings`."""

    @click.option(
        "--database-url",
        envvar="DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="An outside PostgreSQL, 15 or later.",
    )
    @click.option(
        "--data",
        envvar="KAPOK_DATA",
        show_envvar=True,
        show_default=True,
        default=Settings().data,
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of the embedded PostgreSQL, when there is no URL.",
    )
    @wraps(command)
    def with_settings(*given: Any, database_url: str | None, data: Path, **named: Any) -> T:
        ballast = read({name: os.environ.get(name, "") for name in BALLAST})
        settings = replace(ballast, data=data, database_url=database_url or None)
        return command(*given, settings=settings, **named)

    return with_settings


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """Have a database for as long as this lasts, and hand over its DSN.

    Without a URL it is the embedded one: that of a Kapok running on the data folder if there is
    one, else our own, which is stopped at the end.

    Raises:
        EmbeddedError: it cannot be had.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data / POSTGRES)
    try:
        dsn = await _started_or_running(server, settings.data / POSTGRES)
        yield dsn
    finally:
        await server.stop()


@asynccontextmanager
async def registered(settings: Settings) -> AsyncIterator[Registry]:
    """Open the registry of a database that is up to date.

    Raises:
        Failure: migrations are pending.
    """
    async with database(settings) as dsn:
        async with connected(dsn) as connection:
            missing = await pending(connection)
        if missing:
            raise Failure(f"the database is {len(missing)} migrations behind: run `kapok migrate`")
        async with registry(dsn) as opened:
            yield opened


def require_room(settings: Settings) -> None:
    """Refuse an import where the disk of our own database is nearly full.

    Raises:
        Failure: there is no room; it says how much there is.
    """
    if settings.database_url is not None:
        return
    ballast = Ballast(settings.data, settings.ballast_mb * MB)
    room = Room(ballast.size_bytes)
    room.look(found := ballast.room_bytes(), 0.0)
    if not room.has(Work.IMPORTS):
        raise Failure(
            f"the store is nearly full ({found // MB:,} MB, the ballast counted in): make room "
            "first; nothing was imported"
        )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; every expected trouble with the database becomes a `Failure`."""
    try:
        return asyncio.run(work)
    except (StoreAway, EmbeddedError) as error:
        raise Away(f"the database cannot be reached: {error}") from error
    except StoreRefused as error:
        raise Failure(f"the database refuses: {error}") from error
    except MigrationError as error:
        raise Failure(str(error)) from error


async def _started_or_running(server: EmbeddedPostgres, folder: Path) -> str:
    try:
        return await server.start()
    except FolderInUseError as error:
        running = neighbour.address(folder)
        if running is None:
            who = f"process {error.holder}" if error.holder else "another process"
            raise StoreAway(
                f"{who} holds {folder} and does not say where its database is: "
                "wait for it, or set DATABASE_URL"
            ) from error
        return running
