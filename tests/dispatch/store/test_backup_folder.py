"""The folder of a backup is whole or not there."""

from pathlib import Path

import pytest

from dispatch.store import backup_folder
from dispatch.store.backup_folder import BackupError, backups, guard_room, making


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    """Not even a part, nor the name."""
    with pytest.raises(FileNotFoundError), making(tmp_path / "one") as fresh:
        (fresh / "file").rename(fresh / "nowhere" / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_was_taken_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    """Whoever was first has it."""
    with pytest.raises(BackupError, match="there already"), making(tmp_path / "one"):
        (tmp_path / "one").mkdir()
    assert [each.name for each in tmp_path.iterdir()] == ["one"]


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    """In words, before anything is done."""
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match="cannot write"), making(tmp_path / "file" / "one"):
        pass


def test_a_disk_that_would_be_full_is_refused(tmp_path: Path) -> None:
    """Before it is."""
    guard_room(tmp_path, 1)
    with pytest.raises(BackupError, match="make room"):
        guard_room(tmp_path, 2**62)


def test_only_whole_backups_are_found(tmp_path: Path) -> None:
    """A folder that is not there holds none."""
    (tmp_path / "no backup").mkdir()
    (tmp_path / f"two{backup_folder.PART}1").mkdir()
    assert backups(tmp_path) == []
    assert backups(tmp_path / "nowhere") == []
