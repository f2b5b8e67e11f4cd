"""Takes a backup: of our own server all of it, as files; of any other our database, as a dump."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Final

from dispatch.store import backup_facts, backup_folder, backup_programs
from dispatch.store.backup_facts import Facts
from dispatch.store.backup_folder import DATA, DUMP, BackupError, guard_room, making, note
from dispatch.store.backup_programs import ProgramError
from dispatch.store.connection import Connection, connected
from dispatch.store.retention import ONE_AT_A_TIME

TAKE_S: Final = 6 * 3600.0
HELD_S: Final = 60.0
"""How long a backup waits for what retention is deleting just now."""
LOCK_WAIT: Final = "10s"
RATE_MB: Final = 50
"""Read from the disk a second, so that decisions get theirs."""


async def physical(dsn: str, folder: Path, rate_mb: int = RATE_MB) -> Facts:
    """Copy a running server's data folder and the log meanwhile; return what is in it.

    Raises:
        BackupError: it cannot be made; nothing is left of it.
        StoreAway: nobody answers, or no longer.
    """
    with making(folder) as fresh:
        async with connected(dsn) as connection, _undisturbed(connection):
            async with _snapshot(connection):
                began = await backup_facts.look(connection)
                log = await backup_facts.lines(connection, began.settled)
                broken = await backup_facts.broken(connection)
            guard_room(folder.parent, began.cluster_bytes)
            await _copied(dsn, fresh / DATA, began.postgres // 10_000, rate_mb)
            async with _snapshot(connection):
                ended = await backup_facts.look(connection)
        found = backup_facts.facts("physical", began, ended, log, broken)
        note(fresh, found)
    return found


async def logical(dsn: str, folder: Path) -> Facts:
    """Dump the database as one transaction sees it; return what is in it.

    It can be restored into another server, and to no other moment than its own.

    Raises:
        BackupError: it cannot be made; nothing is left of it.
        StoreAway: nobody answers, or no longer.
    """
    with making(folder) as fresh:
        async with connected(dsn) as connection, _snapshot(connection):
            name = await connection.fetchval("select pg_export_snapshot()")
            began = await backup_facts.look(connection)
            log = await backup_facts.lines(connection, began.settled)
            broken = await backup_facts.broken(connection)
            guard_room(folder.parent, began.database_bytes)
            await _dumped(dsn, fresh / DUMP, began.postgres // 10_000, name)
        with (fresh / DUMP).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        found = backup_facts.facts("logical", began, began, log, broken, digest)
        note(fresh, found)
    return found


async def _copied(dsn: str, data: Path, major: int, rate_mb: int) -> None:
    await _ran(
        *("pg_basebackup", major, f"--pgdata={data}", "--wal-method=stream"),
        *("--checkpoint=fast", "--no-password", "--label=kapok", f"--max-rate={rate_mb}M"),
        dsn=dsn,
    )


async def _dumped(dsn: str, dump: Path, major: int, snapshot: str) -> None:
    await _ran(
        *("pg_dump", major, "--format=custom", f"--file={dump}", f"--snapshot={snapshot}"),
        *("--no-owner", "--no-privileges", "--no-unlogged-table-data", "--no-password"),
        f"--lock-wait-timeout={LOCK_WAIT}",
        dsn=dsn,
    )
    backup_folder.close_off(dump)


async def _ran(program: str, major: int, *arguments: str, dsn: str) -> None:
    """Run the program of the server's own version: no other can be relied on."""
    try:
        found = backup_programs.fitting(program, lambda here: here == major, str(major))
        await backup_programs.run(found, *arguments, within_s=TAKE_S, dsn=dsn)
    except ProgramError as error:
        raise BackupError(str(error)) from error


@asynccontextmanager
async def _undisturbed(connection: Connection) -> AsyncIterator[None]:
    """Keep retention from deleting, so that what is counted can be held against what is copied."""
    try:
        await connection.execute("select pg_advisory_lock($1)", ONE_AT_A_TIME, timeout=HELD_S)
    except TimeoutError:
        raise BackupError("another backup of this database is being taken: wait for it") from None
    yield


@asynccontextmanager
async def _snapshot(connection: Connection) -> AsyncIterator[None]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield
