"""The migrations: once, in order, all or nothing, and loud where histories part."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from dispatch.store.migrate import (
    ChangedFileError,
    NewerDatabaseError,
    SkippedFileError,
    SourceError,
    migrate,
    pending,
    read,
)

pytestmark = pytest.mark.postgres

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic to mypy only

UNIT = "create table unit (id text primary key);"
INCIDENT = "create table incident (id text primary key); insert into unit values ('u1');"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two files, and one that is no migration."""
    (tmp_path / "0001_unit.sql").write_text(UNIT)
    (tmp_path / "0002_incident.sql").write_text(INCIDENT)
    (tmp_path / "README.md").write_text("not a migration")
    return tmp_path


@pytest_asyncio.fixture
async def blank(postgres_dsn: str) -> AsyncIterator[str]:
    """The address of a database that nobody migrated."""
    keeper = await asyncpg.connect(postgres_dsn)
    await keeper.execute("create database blank")
    yield postgres_dsn.replace("/kapok?", "/blank?")
    await keeper.execute("drop database blank with (force)")
    await keeper.close()


@pytest_asyncio.fixture
async def connection(blank: str) -> AsyncIterator[Connection]:
    """A connection to it."""
    opened = await asyncpg.connect(blank)
    yield opened
    await opened.close()


async def tables(connection: Connection) -> set[str]:
    """The tables there are."""
    rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def recorded(connection: Connection) -> list[tuple[int, str]]:
    """Number and name of what was applied."""
    rows = await connection.fetch("select number, name from migration order by number")
    return [(row["number"], row["name"]) for row in rows]


@pytest.mark.asyncio
async def test_every_file_is_applied_in_order_and_recorded(
    connection: Connection, source: Path
) -> None:
    """The second file needs the first; progress hears each by name."""
    heard: list[str] = []
    done = await migrate(connection, heard.append, source)
    assert done == heard == ["0001_unit.sql", "0002_incident.sql"]
    assert await tables(connection) == {"migration", "unit", "incident"}
    assert await recorded(connection) == [(1, "0001_unit.sql"), (2, "0002_incident.sql")]


@pytest.mark.asyncio
async def test_a_second_run_finds_nothing_to_do(connection: Connection, source: Path) -> None:
    """Migrating is idempotent."""
    await migrate(connection, source=source)
    assert await migrate(connection, source=source) == []
    assert await pending(connection, source) == []


@pytest.mark.asyncio
async def test_only_new_files_are_applied(connection: Connection, source: Path) -> None:
    """A database is brought on from where it stands."""
    await migrate(connection, source=source)
    (source / "0003_offer.sql").write_text("create table offer (id text);")
    assert await pending(connection, source) == ["0003_offer.sql"]
    assert await migrate(connection, source=source) == ["0003_offer.sql"]


@pytest.mark.asyncio
async def test_pending_changes_nothing(connection: Connection, source: Path) -> None:
    """Asking leaves not even the runner's own table."""
    assert await pending(connection, source) == ["0001_unit.sql", "0002_incident.sql"]
    assert await tables(connection) == set()


@pytest.mark.asyncio
async def test_a_failing_file_leaves_nothing_of_itself(
    connection: Connection, source: Path
) -> None:
    """One transaction per file: earlier files stay, half of a file never does."""
    (source / "0003_wrong.sql").write_text("create table half (id text); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(connection, source=source)
    assert await tables(connection) == {"migration", "unit", "incident"}
    (source / "0003_wrong.sql").write_text("create table half (id text);")
    assert await migrate(connection, source=source) == ["0003_wrong.sql"]


@pytest.mark.asyncio
async def test_an_edited_file_is_refused(connection: Connection, source: Path) -> None:
    """What was applied is known by its sha256."""
    await migrate(connection, source=source)
    (source / "0001_unit.sql").write_text(UNIT + "-- a harmless word")
    with pytest.raises(ChangedFileError, match=r"0001_unit\.sql is not what was applied"):
        await migrate(connection, source=source)
    with pytest.raises(ChangedFileError):
        await pending(connection, source)


@pytest.mark.asyncio
async def test_other_line_ends_are_no_edit(connection: Connection, source: Path) -> None:
    """A checkout with CRLF holds the same migrations."""
    (source / "0003_two_lines.sql").write_bytes(b"select 1;\nselect 2;\n")
    await migrate(connection, source=source)
    (source / "0003_two_lines.sql").write_bytes(b"select 1;\r\nselect 2;\r\n")
    assert await migrate(connection, source=source) == []


@pytest.mark.asyncio
async def test_the_build_before_runs_on_what_was_expanded(
    connection: Connection, source: Path
) -> None:
    """It starts beside the newer one, and again when that one is taken back."""
    await migrate(connection, source=source)
    (source / "0002_incident.sql").unlink()
    assert await migrate(connection, source=source) == []
    assert await pending(connection, source=source) == []


@pytest.mark.asyncio
async def test_a_database_that_was_contracted_is_refused_by_older_builds(
    connection: Connection, source: Path
) -> None:
    """By those that do not know the file which brought what is used since; no others."""
    contract = source / "0003_contract_0002_unit.sql"
    contract.write_text("drop table unit;")
    await migrate(connection, source=source)
    contract.unlink()
    assert await migrate(connection, source=source) == []
    (source / "0002_incident.sql").unlink()
    with pytest.raises(NewerDatabaseError, match=r"has 0003_contract_\S+, .* 0001_unit\.sql"):
        await migrate(connection, source=source)


@pytest.mark.asyncio
async def test_a_newer_database_with_a_gap_is_refused(connection: Connection, source: Path) -> None:
    """Nobody knows what was in it."""
    await migrate(connection, source=source)
    await connection.execute(
        "update migration set number = 9, name = '0009_x.sql' where number = 2"
    )
    (source / "0002_incident.sql").unlink()
    with pytest.raises(NewerDatabaseError, match=r"has 0009_x\.sql, .* 0001_unit\.sql"):
        await migrate(connection, source=source)


@pytest.mark.asyncio
async def test_a_file_that_was_skipped_is_refused(connection: Connection, source: Path) -> None:
    """Two branches that took the same number do not meet silently."""
    await migrate(connection, source=source)
    await connection.execute("delete from migration where number = 1")
    with pytest.raises(SkippedFileError, match=r"0001_unit\.sql was never applied"):
        await migrate(connection, source=source)


@pytest.mark.asyncio
async def test_after_a_refusal_the_next_may_migrate(connection: Connection, source: Path) -> None:
    """The lock is given back, whatever happened under it."""
    (source / "0002_incident.sql").write_text("not sql")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(connection, source=source)
    held = await connection.fetchval("select count(*) from pg_locks where locktype = 'advisory'")
    assert held == 0


@pytest.mark.asyncio
async def test_of_two_at_once_one_waits_and_finds_nothing_to_do(blank: str, source: Path) -> None:
    """The second is seen waiting for the lock while the first is still at work."""
    (source / "0003_wait.sql").write_text("select pg_advisory_xact_lock(1);")
    gate, first, second = [await asyncpg.connect(blank) for _ in range(3)]
    await gate.execute("select pg_advisory_lock(1)")  # the first cannot finish before this opens
    at_work = asyncio.create_task(migrate(first, source=source))
    await waiting_for_locks(gate, 1)
    waiting = asyncio.create_task(migrate(second, source=source))
    await waiting_for_locks(gate, 2)
    await gate.execute("select pg_advisory_unlock(1)")
    assert len(await at_work) == 3
    assert await waiting == []
    for opened in (gate, first, second):
        await opened.close()


async def waiting_for_locks(connection: Connection, expected: int) -> None:
    """Return once so many wait for an advisory lock."""
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    async with asyncio.timeout(10):
        while expected != await connection.fetchval(waiting):  # each round is one query
            pass


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    """An installation without its files must not pass for an up-to-date database."""
    with pytest.raises(SourceError, match="no migrations"):
        read(tmp_path)
    with pytest.raises(SourceError, match="no migrations"):
        read(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("3_offer.sql", "is not named like"),
        ("0003-offer.sql", "is not named like"),
        ("0004_offer.sql", "where number 0003 belongs"),
        ("0002_another.sql", "where number"),
    ],
)
def test_a_file_out_of_the_row_is_refused(source: Path, name: str, said: str) -> None:
    """Names are 0001_words.sql, numbers have no gap and no double."""
    (source / name).write_text("select 1")
    with pytest.raises(SourceError, match=said):
        read(source)
