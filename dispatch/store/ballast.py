"""A file of real blocks beside the data, that is given up when the disk runs out of room."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MB: Final = 2**20
BLOCK_BYTES: Final = 512
"""Of `st_blocks`, whatever the file system's own are."""
NAME: Final = "ballast"


def free_bytes(folder: Path) -> int:
    """Return what may still be written on the disk of a folder that is there, or will be."""
    standing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    disk = os.statvfs(standing)
    return disk.f_bavail * disk.f_frsize


class Ballast:
    """The ballast of one data folder, on the disk of its database.

    A file system that compresses, or shares blocks, may give back less than the size.
    """

    def __init__(self, data: Path, size_bytes: int) -> None:
        self._data = data.absolute()
        self._path = self._data / NAME
        self.size_bytes = size_bytes

    def held_bytes(self) -> int:
        """Return the size of what is held; a whole one has `size_bytes`."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def room_bytes(self) -> int:
        """Return what may still be written once the ballast is given up."""
        free = free_bytes(self._data)
        with suppress(FileNotFoundError):
            return free + self._path.stat().st_blocks * BLOCK_BYTES
        return free

    def put(self) -> None:
        """Hold the whole of it, or nothing; raise OSError where there is no room."""
        self.give_up()
        self._data.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self.size_bytes)
        except OSError:
            self.give_up()
            raise
        finally:
            os.close(file)

    def give_up(self) -> None:
        """Leave its room to the database."""
        with suppress(FileNotFoundError):
            self._path.unlink()
