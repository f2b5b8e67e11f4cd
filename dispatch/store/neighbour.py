"""Finds the database that another process of ours runs on a data folder."""

from pathlib import Path
from urllib.parse import quote

from dispatch.store import socket_folder
from dispatch.store.embedded_settings import DATABASE, USER


def address(data: Path) -> str | None:
    """Return the DSN of the server that runs on `data`, as the holder of its lock noted it.

    None while the holder has not noted it, or where the socket is another user's.
    """
    folder = _noted(data.resolve())
    if folder is None or not _is_ours(folder):
        return None
    place = quote(str(folder), safe="")
    return f"postgresql://{USER}@/{DATABASE}?host={place}&port={socket_folder.PORT}"


def _noted(data: Path) -> Path | None:
    """Return what stands on the second line of the lock's file."""
    try:
        lines = data.with_name(f"{data.name}.lock").read_text().splitlines()
    except OSError:
        return None
    return Path(lines[1]) if len(lines) > 1 else None


def _is_ours(folder: Path) -> bool:
    try:
        return socket_folder.is_closed(folder)
    except OSError:
        return False
