"""Numbered SQL files, each applied once, in order, in a transaction of its own.

They expand: a build runs on a database that later files have been applied to. What takes something
away is named `NNNN_contract_MMMM_what_it_does.sql`, and only builds that know file MMMM run on it.

- MigrationError
  - SourceError: the files themselves are not a numbered row
  - ChangedFileError: an applied file is no longer what was applied
  - NewerDatabaseError: later code has taken away what this code needs
  - SkippedFileError: a file is older than one that was applied, and was not
  - BusyError: another process is migrating, for too long
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic to type checkers only

LOCK_KEY: Final = 0x6B61706F6B  # "kapok"
LOCK_WAIT_S: Final = 600.0
FILE_LIMIT_S: Final = 600.0  # an index over a large table takes its time
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_CONTRACT: Final = re.compile(r"\d{4}_contract_(\d{4})_[a-z0-9_]+\.sql")

_CREATE_TABLE: Final = """
    create table if not exists migration (
        number integer primary key,
        name text not null,
        sha256 text not null,
        applied_at timestamptz not null default now()
    )
"""
_APPLIED: Final = "select number, name, sha256 from migration order by number"
_RECORD: Final = "insert into migration (number, name, sha256) values ($1, $2, $3)"


class MigrationError(Exception):
    """The database is not up to date; files applied before the failing one stay applied."""


class SourceError(MigrationError):
    """The folder of migrations is empty, or holds a file of a wrong or doubled number."""


class ChangedFileError(MigrationError):
    """An applied file was edited: what the database holds is unknown."""


class NewerDatabaseError(MigrationError):
    """The database was migrated by newer code, and this code does not run on it any more."""


class SkippedFileError(MigrationError):
    """A file came in below the newest applied one."""


class BusyError(MigrationError):
    """Another process held the lock for all of LOCK_WAIT_S."""


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """What tells this text from an edited one."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class _Applied(NamedTuple):
    number: int
    name: str
    sha256: str


async def migrate(
    connection: Connection,
    progress: Callable[[str], None] | None = None,
    source: Traversable | None = None,
) -> list[str]:
    """Apply what is pending and return the file names; `progress` hears each one once committed.

    Of two processes one waits, and finds nothing to do. A file runs inside a transaction, so it
    cannot hold what PostgreSQL refuses there (`create index concurrently`).

    Raises:
        MigrationError: see the tree above.
        asyncpg.PostgresError: a file is wrong; nothing of that file was kept.
    """
    known = read(source)
    async with _alone(connection):
        await connection.execute(_CREATE_TABLE)
        due = _due(known, await _applied(connection))
        for migration in due:
            await _apply(connection, migration)
            if progress is not None:
                progress(migration.name)
    return [migration.name for migration in due]


async def pending(connection: Connection, source: Traversable | None = None) -> list[str]:
    """Return the names of the files that `migrate` would apply, and change nothing.

    Raises:
        MigrationError: see the tree above.
    """
    return [migration.name for migration in _due(read(source), await _applied(connection))]


def read(source: Traversable | None = None) -> list[Migration]:
    """Return the migrations in `source` (default: those of this package) by number.

    Raises:
        SourceError: there are none, or a number is missing, doubled or not four digits.
    """
    folder = files("dispatch.store") / "migrations" if source is None else source
    names = sorted(
        entry.name
        for entry in (folder.iterdir() if folder.is_dir() else ())
        if entry.name.endswith(".sql")
    )
    if not names:
        raise SourceError(f"no migrations in {folder}: the installation is not complete")
    found = [_read_one(folder / name) for name in names]
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise SourceError(f"{migration.name} stands where number {expected:04} belongs")
    return found


def _read_one(file: Traversable) -> Migration:
    parts = _NAME.fullmatch(file.name)
    if parts is None:
        raise SourceError(f"{file.name} is not named like 0001_what_it_does.sql")
    return Migration(int(parts[1]), file.name, file.read_text(encoding="utf-8"))


def _due(known: Sequence[Migration], applied: Mapping[int, _Applied]) -> list[Migration]:
    """Return what is left to do; raise where the two histories part."""
    newest = max(applied, default=0)
    for number in range(len(known) + 1, newest + 1):
        _guard_expands(applied.get(number), applied[newest], known)
    for migration in known[:newest]:
        _guard_same(migration, applied.get(migration.number))
    return list(known[newest:])


def _guard_expands(later: _Applied | None, newest: _Applied, known: Sequence[Migration]) -> None:
    if later is None or contracts_to(later.name) > len(known):
        raise NewerDatabaseError(
            f"the database has {newest.name}, and the newest here is {known[-1].name}: "
            "run the newer version of Kapok"
        )


def contracts_to(name: str) -> int:
    """Return the number of the file that a build has to know to run on what this one leaves."""
    contract = _CONTRACT.fullmatch(name)
    return int(contract[1]) if contract else 0


def _guard_same(migration: Migration, applied: _Applied | None) -> None:
    if applied is None:
        raise SkippedFileError(
            f"{migration.name} was never applied, and later ones were: give it the next number"
        )
    if applied.sha256 != migration.sha256:
        raise ChangedFileError(
            f"{migration.name} is not what was applied as {applied.name}: restore the file, "
            "and put the change into a new one"
        )


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[None]:
    """Hold the migrations' lock, which also ends with the connection."""
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK_KEY, timeout=LOCK_WAIT_S)
    except TimeoutError:
        raise BusyError(
            f"another process has been migrating for {LOCK_WAIT_S:.0f} s: wait for it, or end it"
        ) from None
    try:
        yield
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK_KEY)


async def _applied(
    connection: Connection,
) -> dict[int, _Applied]:
    if await connection.fetchval("select to_regclass('migration')") is None:
        return {}
    return {row["number"]: _Applied(*row.values()) for row in await connection.fetch(_APPLIED)}


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql, timeout=FILE_LIMIT_S)
        await connection.execute(_RECORD, migration.number, migration.name, migration.sha256)
