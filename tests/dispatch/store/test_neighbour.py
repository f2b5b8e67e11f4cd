"""The database of another process on the same folder: found by its lock, if it is ours."""

from pathlib import Path

import pytest

from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.folder_lock import FolderLock
from dispatch.store.neighbour import address


@pytest.mark.postgres
@pytest.mark.asyncio
async def test_a_running_database_is_found(tmp_path: Path) -> None:
    """Under the address its supervisor uses; gone when it stops."""
    async with EmbeddedPostgres(tmp_path / "data") as server:
        found = address(tmp_path / "data")
        assert found == server.dsn
        async with connected(found) as connection:
            assert await connection.fetchval("select current_database()") == "kapok"
    assert address(tmp_path / "data") is None


def test_nothing_is_found_where_nobody_was(tmp_path: Path) -> None:
    """No lock, or a lock that says nothing yet."""
    assert address(tmp_path / "data") is None
    FolderLock.take(tmp_path / "data").release()
    assert address(tmp_path / "data") is None


def test_a_folder_that_is_gone_or_open_to_others_is_not_used(tmp_path: Path) -> None:
    """Whoever can write there could answer in the database's place."""
    lock = FolderLock.take(tmp_path / "data")
    lock.note(tmp_path / "gone")
    assert address(tmp_path / "data") is None
    (tmp_path / "open").mkdir(mode=0o755)
    lock.note(tmp_path / "open")
    assert address(tmp_path / "data") is None
    (tmp_path / "open").chmod(0o700)
    assert address(tmp_path / "data") is not None
    lock.release()
