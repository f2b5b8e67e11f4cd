"""Makes a database of a backup: all of it, or as it was at an instant; a new life for phones."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from dispatch.core.events import Event
from dispatch.store import archive, backup_folder, backup_programs, data_folder
from dispatch.store.backup_facts import Facts
from dispatch.store.backup_folder import DATA, DUMP, BackupError, guard_room, settle, size_bytes
from dispatch.store.backup_programs import ProgramError
from dispatch.store.connection import Connection, connected
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.embedded_errors import FolderInUseError, StartError
from dispatch.store.folder_lock import FolderHeldError, FolderLock
from dispatch.store.pools import epoch_of
from dispatch.store.statements import EPOCH
from schemas.base import Instant

REPLAY_S: Final = 6 * 3600.0
"""A day of a busy city's log is replayed in minutes."""
LOAD_S: Final = 6 * 3600.0
STEP_S: Final = 600.0
ASIDE: Final = ".restore-"
ALONE: Final = {"hot_standby": "off", "recovery_target_timeline": "current"}
"""Nobody is let in before the end, which is that of the history the backup was taken in."""
NO_MORE: Final = "false"
"""A `restore_command` that has nothing: what is in the backup is all there is."""
_UNREACHED: Final = "before configured recovery target was reached"
_TABLES: Final = """
select count(*) from pg_class
where relkind = 'r' and relnamespace = current_schema()::regnamespace
"""
_ANEW: Final = "update meta set nonce = encode(uuid_send(gen_random_uuid()), 'hex')"
_NEWEST: Final = "select max(written_at) from event"
_TOLD: Final = """
insert into event (type, by, via, at, data)
values ($1, 'restore', 'operator', clock_timestamp(),
        jsonb_build_object('backup', $2::text, 'until', $3::timestamptz))
"""
_AHEAD: Final = """
select exists (select 1 from event where xid >= pg_snapshot_xmin(pg_current_snapshot()))
"""
_STRAIGHTENED: Final = (
    "alter table event disable trigger user",
    "update event set xid = '3'",
    "alter table event enable trigger user",
    "update outbox set xid = null where xid is not null",
    "update reply set xid = null where xid is not null",
)
"""A dump brings the transaction numbers of another server: the log's order has to be below what is
written from now on. The lines keep that of their own numbers."""


class Point(NamedTuple):
    """How far a restored database goes."""

    newest_at: Instant | None
    """When the last line of its log was written."""
    epoch: str


async def into_folder(
    backup: Path, facts: Facts, data: Path, until: Instant | None, archived: Path | None
) -> Point:
    """Make the embedded database's folder `data`, which is not there or empty.

    With `archived` it goes on through what the archive holds since, to its end or to `until`.

    Raises:
        BackupError: it cannot be; nothing is changed.
        EmbeddedError: no server can be had.
    """
    settings = _recovery(facts, until, archived)
    with _beside(data) as fresh:
        async with recovered(backup, facts, fresh, settings) as dsn:
            return await _born(dsn, backup.name, until)


async def into_server(backup: Path, dsn: str) -> Point:
    """Fill an empty database of an outside server from a dump.

    Raises:
        BackupError: it is not empty, or the dump cannot be read; nothing is changed.
        StoreAway: nobody answers, or no longer.
    """
    async with connected(dsn) as connection:
        if await connection.fetchval(_TABLES):
            raise BackupError("the database is not empty: name a new one")
        major = connection.get_server_version().major
    await _loaded(backup, dsn, major)
    return await _born(dsn, backup.name, None)


@asynccontextmanager
async def recovered(
    backup: Path, facts: Facts, data: Path, settings: Mapping[str, str]
) -> AsyncIterator[str]:
    """Have a server on a copy of the backup, as whole as it can be made; nobody else finds it."""
    guard_room(data.parent, size_bytes(backup))
    if facts.kind == "physical":
        await asyncio.to_thread(shutil.copytree, backup / DATA, data)
        (data / "recovery.signal").touch(mode=0o600)
    server = EmbeddedPostgres(data, settings=settings, ready_s=REPLAY_S)
    try:
        dsn = await _started(server)
        if facts.kind == "logical":
            await _loaded(backup, dsn, data_folder.major(data) or 0)
        yield dsn
    finally:
        await server.stop()


def whole(settings: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return how a server is set that restores what is in a backup, and no more."""
    return {**ALONE, "restore_command": NO_MORE, **settings}


def _recovery(facts: Facts, until: Instant | None, archived: Path | None) -> dict[str, str]:
    """Return how a server is set that takes what there is to be had."""
    if until is not None:
        _guard_until(facts, until, archived)
    if facts.kind == "logical":
        return {}
    if archived is None or facts.chain is None or archive.kept(archived, facts.chain) is None:
        return whole()
    target = {"recovery_target_time": until.isoformat()} if until else {}
    return {
        **whole(target),
        "restore_command": archive.restore_command(archived, facts.chain),
        "recovery_target_action": "promote",
    }


def _guard_until(facts: Facts, until: Instant, archived: Path | None) -> None:
    if facts.kind == "logical":
        raise BackupError("a dump is of one moment: leave --until out")
    if until < facts.ended_at:
        raise BackupError(f"this backup is whole from {facts.ended_at} on: take an earlier one")
    if archived is None:
        raise BackupError("an instant needs the archive: name it by --archive or KAPOK_ARCHIVE")
    if facts.chain is None:
        raise BackupError("no archive was kept when this backup was taken: leave --until out")
    if archive.kept(archived, facts.chain) is None:
        raise BackupError(f"{archived} does not hold {facts.chain}, which goes on from this backup")


@contextmanager
def _beside(data: Path) -> Iterator[Path]:
    """Hold `data`, and hand over a place beside it that becomes it in one step at the end."""
    data = data.resolve()
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _locked(data)
    aside = Path(tempfile.mkdtemp(prefix=f"{data.name}{ASIDE}", dir=data.parent))
    try:
        yield aside / DATA
        if data.exists():
            data.rmdir()
        settle(aside / DATA, data)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        lock.release()


def _locked(data: Path) -> FolderLock:
    """Keep everybody else off, and refuse what holds something."""
    try:
        lock = FolderLock.take(data)
    except FolderHeldError as error:
        raise BackupError(str(FolderInUseError(data, error.holder))) from None
    if data.is_symlink() or (data.exists() and (not data.is_dir() or any(data.iterdir()))):
        lock.release()
        raise BackupError(f"{data} is not empty, and nothing is ever written over: name another")
    return lock


async def _started(server: EmbeddedPostgres) -> str:
    try:
        return await server.start()
    except StartError as error:
        if _UNREACHED in str(error):
            raise BackupError(
                "the archive ends before that instant, or nothing was written after it: "
                "leave --until out to take all there is"
            ) from error
        raise


async def _loaded(backup: Path, dsn: str, major: int) -> None:
    """Load a dump in one transaction, and give its log numbers that this server can go on from."""
    try:
        program = backup_programs.fitting("pg_restore", lambda here: here == major, str(major))
        await backup_programs.run(
            *(program, "--single-transaction", "--exit-on-error", "--no-owner"),
            *("--no-privileges", "--no-password", str(backup / DUMP)),
            within_s=LOAD_S,
            dsn=dsn,
        )
    except ProgramError as error:
        raise BackupError(str(error)) from error
    async with connected(dsn) as connection, connection.transaction():
        if await connection.fetchval(_AHEAD, timeout=STEP_S):
            for statement in _STRAIGHTENED:
                await connection.execute(statement, timeout=STEP_S)
    async with connected(dsn) as connection:
        await connection.execute("analyze", timeout=STEP_S)


async def _born(dsn: str, backup: str, until: Instant | None) -> Point:
    """Begin a new epoch before anybody connects, and write down that the log was cut here."""
    async with connected(dsn) as connection:
        newest = await connection.fetchval(_NEWEST, timeout=STEP_S)
        async with connection.transaction():
            await connection.execute(_ANEW)
            await connection.execute(_TOLD, Event.RESTORED, backup, until)
        return Point(newest, await _epoch(connection))


async def _epoch(connection: Connection) -> str:
    return epoch_of(await connection.fetchval(EPOCH))


def guard_readable(backup: Path) -> Facts:
    """Return the facts of a backup that has what they speak of.

    Raises:
        BackupError: it has not.
    """
    facts = backup_folder.facts_of(backup)
    if not (backup / (DATA if facts.kind == "physical" else DUMP)).exists():
        raise BackupError(
            f"{backup} is not whole: what {backup_folder.FACTS} speaks of is not there"
        )
    return facts
