"""The right to run a server on a data folder: held by one process, lost only with it."""

import fcntl
import os
from pathlib import Path
from typing import Self


class FolderHeldError(Exception):
    """Somebody else holds the folder; `holder` is his pid, None while he has not written it."""

    def __init__(self, holder: int | None) -> None:
        super().__init__(holder)
        self.holder = holder


class FolderLock:
    """A lock on `<folder>.lock`, beside the folder; the file stays, the lock ends with the process.

    The file names the holder's pid and, on its second line, the holder's socket folder.
    """

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self.path = path

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Lock `folder`, which need not exist.

        Raises:
            FolderHeldError: another supervisor has it.
        """
        path = folder.with_name(f"{folder.name}.lock")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise FolderHeldError(_holder(path)) from None
        return cls(file, path)

    def last_socket_folder(self) -> Path | None:
        """Return what the last holder noted and, killed, could not remove."""
        lines = self.path.read_text().splitlines()
        return Path(lines[1]) if len(lines) > 1 else None

    def note(self, socket_folder: Path) -> None:
        """Write down who holds the lock, and where his sockets are."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n{socket_folder}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one in."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def _holder(path: Path) -> int | None:
    first = path.read_text().partition("\n")[0]
    return int(first) if first.isdigit() else None
