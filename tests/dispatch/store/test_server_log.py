"""The server's log stays short, on a full disk too."""

import os
from pathlib import Path

import pytest

from dispatch.store.server_log import BYTES, ServerLog


@pytest.fixture
def log(tmp_path: Path) -> ServerLog:
    """A log that has grown too long."""
    path = tmp_path / "postgres.log"
    path.touch()
    os.truncate(path, BYTES + 1)
    return ServerLog(path)


def test_what_was_said_before_is_kept(log: ServerLog) -> None:
    """One part, beside the present one."""
    log.trim()
    assert log.path.stat().st_size == 0
    assert log.path.with_suffix(".log.1").stat().st_size == BYTES + 1


def test_a_disk_that_cannot_take_the_part_before_loses_it(log: ServerLog) -> None:
    """The watch over the server goes on, and the log does not grow on a disk without room."""
    before = log.path.with_suffix(".log.1")
    before.symlink_to("/dev/full")
    log.trim()
    assert (log.path.stat().st_size, before.is_symlink()) == (0, False)


def test_a_server_that_said_nothing_has_no_log(tmp_path: Path) -> None:
    """There is nothing to trim, and nothing is made."""
    ServerLog(tmp_path / "postgres.log").trim()
    assert list(tmp_path.iterdir()) == []
