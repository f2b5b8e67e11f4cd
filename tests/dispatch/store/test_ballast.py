"""The ballast: real blocks, held whole or not at all, and given back."""

from pathlib import Path

import pytest

from dispatch.store.ballast import MB, Ballast, free_bytes


def test_it_is_real_and_counts_as_room(tmp_path: Path) -> None:
    """What is held is what comes back."""
    ballast = Ballast(tmp_path / "data", 2 * MB)
    assert ballast.held_bytes() == 0
    ballast.put()
    file = (tmp_path / "data" / "ballast").stat()
    assert (ballast.held_bytes(), file.st_mode & 0o777) == (2 * MB, 0o600)
    assert file.st_blocks * 512 >= 2 * MB
    assert ballast.room_bytes() >= 2 * MB


def test_what_was_given_up_is_not_there_any_more(tmp_path: Path) -> None:
    """Twice at will."""
    ballast = Ballast(tmp_path, MB)
    ballast.put()
    ballast.give_up()
    ballast.give_up()
    assert (ballast.held_bytes(), list(tmp_path.iterdir())) == (0, [])


def test_another_size_replaces_the_one_before(tmp_path: Path) -> None:
    """A setting was changed."""
    Ballast(tmp_path, 3 * MB).put()
    smaller = Ballast(tmp_path, MB)
    smaller.put()
    assert smaller.held_bytes() == MB


def test_a_part_of_one_is_not_kept(tmp_path: Path) -> None:
    """Where the disk does not take it whole, it takes nothing."""
    ballast = Ballast(tmp_path, 2**62)
    with pytest.raises(OSError, match=r"space|large"):
        ballast.put()
    assert ballast.held_bytes() == 0


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    """A service looks before its first start too."""
    assert free_bytes(tmp_path / "not" / "yet") > 0
