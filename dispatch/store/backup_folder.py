"""The folder of a backup: whole and on disk or not there, never written over, closed to others."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from dispatch.store.backup_facts import Facts

FACTS: Final = "facts.json"
DATA: Final = "postgres"
"""A physical backup: a data folder, as `pg_basebackup` writes it."""
DUMP: Final = "kapok.dump"
"""A logical one: an archive, as `pg_dump` writes it."""
PART: Final = ".part-"
"""Stands in the name of what is not whole."""
SPARE_BYTES: Final = 64 * 2**20
MB: Final = 1_000_000


class BackupError(Exception):
    """There is no backup, or it cannot be made or used; the message says why."""


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Hand over a new folder beside `folder`; it becomes `folder` in one step at the end.

    Raises:
        BackupError: there is something of that name, or no place for it.
    """
    fresh = _fresh(folder)
    try:
        yield fresh
        settle(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def settle(fresh: Path, folder: Path) -> None:
    """Rename `fresh` to `folder`, which is not there; a power cut leaves the one or the other."""
    sync(fresh)
    guard_absent(folder)
    fresh.rename(folder)
    sync(folder.parent)


def guard_absent(folder: Path) -> None:
    """Refuse a name that is taken.

    Raises:
        BackupError: it is.
    """
    if folder.exists() or folder.is_symlink():
        raise BackupError(f"{folder} is there already, and nothing is ever written over")


def guard_room(place: Path, needed_bytes: int) -> None:
    """Refuse a disk that would be full.

    Raises:
        BackupError: there is less room than that and a spare.
    """
    free, needed = shutil.disk_usage(place).free, needed_bytes + SPARE_BYTES
    if free < needed:
        raise BackupError(
            f"{place} has {free // MB:,} MB free, and {needed // MB:,} MB are needed: make room"
        )


def note(folder: Path, facts: Facts) -> None:
    """Write down what a backup holds: one line of JSON."""
    with (folder / FACTS).open("xb") as file:
        file.write(msgspec.json.encode(facts) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    (folder / FACTS).chmod(0o600)


def facts_of(folder: Path) -> Facts:
    """Return what was written down.

    Raises:
        BackupError: it is no backup of ours, or not a whole one.
    """
    if PART in folder.name:
        raise BackupError(f"{folder} is what a backup left that was cut short: remove it")
    try:
        return msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {error.strerror}: {FACTS}") from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"{folder / FACTS} cannot be read: {error}") from error


def backups(folder: Path) -> list[tuple[Path, Facts]]:
    """Return the whole backups in a folder, the oldest first; everything else is passed over."""
    found = list[tuple[Path, Facts]]()
    for each in folder.iterdir() if folder.is_dir() else ():
        try:
            found.append((each, facts_of(each)))
        except BackupError:
            continue
    return sorted(found, key=lambda one: one[1].ended_at)


def size_bytes(folder: Path) -> int:
    """Return the size of all files in a folder."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def _fresh(folder: Path) -> Path:
    guard_absent(folder)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{folder.name}{PART}", dir=folder.parent))
    except OSError as error:
        raise BackupError(f"cannot write in {folder.parent}: {error.strerror}") from error


def close_off(file: Path) -> None:
    """Let nobody else read a file, and wait until it is on disk."""
    file.chmod(0o600)
    sync(file)


def sync(path: Path) -> None:
    """Wait until a file or a folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
