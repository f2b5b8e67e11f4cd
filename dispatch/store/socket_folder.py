"""The folder of the server's Unix socket: short of path, closed to others, gone at the end.

Whoever reaches the socket is let in without a password, so the folder is the guard.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

PORT: Final = 5432  # names the socket's file; nothing listens on it
PATH_BYTES: Final = 107  # sockaddr_un.sun_path holds 108, the last is NUL
PREFIX: Final = "kapok-pg-"


def path_bytes(folder: Path) -> int:
    """Return the length of the path of a socket in `folder`."""
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}"))


def is_closed(folder: Path) -> bool:
    """Return whether nobody but us may enter."""
    found = folder.lstat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def temporary() -> Path | None:
    """Make a new folder; None when no place for temporary files has a short enough path."""
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 -- short; mkdtemp closes it
        fits = path_bytes(Path(place) / f"{PREFIX}12345678") <= PATH_BYTES
        if fits and "," not in place:  # an address takes a comma for the end of a host
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    return None


def clear(folder: Path) -> None:
    """Remove what a server left there; the folder itself is made if it is gone."""
    folder.mkdir(mode=0o700, exist_ok=True)  # a cleaner of /tmp may have been here
    for left in folder.glob(".s.PGSQL.*"):
        left.unlink()


def remove(folder: Path | None) -> None:
    """Remove the sockets, and the folder if it is one of our temporary ones."""
    with suppress(OSError):  # gone already, or others' files in it
        if folder is None or folder.is_symlink() or not is_closed(folder):
            return
        clear(folder)
        if folder.name.startswith(PREFIX):
            folder.rmdir()
