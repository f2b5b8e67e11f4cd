"""The archive: it follows the log, gives way before a commit does, and begins anew."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from dispatch.store import archive
from dispatch.store.archive import Archive, Chain, chains
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from tests.conftest import QUICK

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]

PATIENCE_S: Final = 20.0
AGAIN_S: Final = 0.05
SMALL: Final = {**QUICK, "max_slot_wal_keep_size": "16MB", "max_wal_size": "32MB"}
WRITTEN: Final = "create table if not exists written (n integer)"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that keeps next to nothing for an archive that is away."""
    async with EmbeddedPostgres(tmp_path / "data" / "postgres", settings=SMALL) as started:
        async with connected(started.dsn) as connection:
            await connection.execute(WRITTEN)
        yield started


async def seen(server: EmbeddedPostgres, true: Callable[[list[Chain]], bool]) -> list[Chain]:
    """Return the chains once something is true of them."""
    async with connected(server.dsn) as connection, asyncio.timeout(PATIENCE_S):
        while not true(found := await chains(connection)):  # noqa: ASYNC110 - the server's to say
            await asyncio.sleep(0.02)
    return found


async def write(server: EmbeddedPostgres, segments: int) -> None:
    """Fill segments of the log, each with a commit."""
    async with connected(server.dsn) as connection:
        for number in range(segments):
            await connection.execute("insert into written values ($1)", number)
            await connection.execute("select pg_switch_wal()")
        await connection.execute("checkpoint")


def followed(found: list[Chain]) -> bool:
    """Say whether somebody receives the one chain."""
    return [chain.active for chain in found] == [True]


async def test_a_full_archive_breaks_its_chain_and_no_commit(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """What the server keeps for it is bounded; when it is back, a new chain begins by itself."""
    folder = tmp_path / "archive"
    async with Archive(folder, again_s=AGAIN_S) as following:
        await following.follow(server.dsn)
        (first,) = await seen(server, followed)
        await write(server, 1)
        folder.rename(tmp_path / "away")
        folder.write_text("no room")
        async with connected(server.dsn) as connection:
            await connection.execute(
                "select pg_terminate_backend(active_pid) from pg_replication_slots"
            )
        await seen(server, lambda found: not any(chain.active for chain in found))
        await write(server, 8)
        folder.unlink()
        (second,) = await seen(server, followed)
    assert second.name != first.name
    assert archive.kept(tmp_path / "away", first.name) is not None
    assert archive.kept(folder, second.name) is not None


async def test_an_orderly_end_hands_over_all_there_is(tmp_path: Path) -> None:
    """The archive is left after the server; what is given up is kept no longer."""
    folder, data = tmp_path / "archive", tmp_path / "data" / "postgres"
    async with (
        Archive(folder, again_s=AGAIN_S) as following,
        EmbeddedPostgres(data, settings=SMALL) as server,
    ):
        await following.follow(server.dsn)
        (chain,) = await seen(server, followed)
        async with connected(server.dsn) as connection:
            await connection.execute(WRITTEN)
            await connection.execute("insert into written values (4711)")
            segment = await connection.fetchval("select pg_walfile_name(pg_current_wal_lsn())")
    partial = folder / chain.name / f"{segment}{archive.PARTIAL}"
    assert partial.read_bytes().rstrip(b"\0") == (
        (data / "pg_wal" / segment).read_bytes().rstrip(b"\0")
    )
    os.truncate(partial, partial.stat().st_size // 2)  # as a full disk leaves it
    async with EmbeddedPostgres(data, settings=SMALL) as server:
        async with Archive(folder, again_s=AGAIN_S) as following:
            await following.follow(server.dsn)
            await seen(server, followed)
            await write(server, 1)
            await seen(server, lambda found: partial.with_suffix("").exists())
        await seen(server, lambda found: not any(chain.active for chain in found))
        async with Archive(None) as off:
            await off.follow(server.dsn)
            assert await seen(server, lambda found: not found) == []


async def test_only_what_no_backup_needs_is_removed(tmp_path: Path) -> None:
    """Of the chains that are named, what lies before the first segment that is needed."""
    for chain, names in {
        "one": ("0" * 23 + "1", "0" * 23 + "2", "0" * 23 + "3"),
        "two": ("0" * 24,),
    }.items():
        (tmp_path / chain).mkdir()
        for name in names:
            (tmp_path / chain / name).touch()
    (tmp_path / "one" / ("0" * 23 + "4.partial")).touch()
    assert archive.prune(tmp_path, {"one": "0" * 23 + "3", "none": "0" * 24}) == 2
    assert sorted(each.name[-9:] for each in (tmp_path / "one").iterdir()) == [
        "000000003",
        "4.partial",
    ]
    assert archive.kept(tmp_path, "two") is not None
    assert archive.kept(tmp_path, "none") is None


async def test_a_folder_with_a_quote_is_one_word_to_the_shell() -> None:
    """And its per cent is no place for a name."""
    said = archive.restore_command(Path("/a'b%f"), "c")
    assert said.startswith("cp '/a'\\''b%%f/c/%f' '%p'")
    assert archive.first_needed(Path("/nowhere")) == ""
