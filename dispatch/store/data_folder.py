"""The folder a server's data live in: whole or not there, ours or refused."""

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from dispatch.store.embedded_errors import FolderNotOursError
from dispatch.store.residents import AT_ONCE, evict


def major(folder: Path) -> int | None:
    """Return the major version of PostgreSQL that made it; None when there are no data yet."""
    file = folder / "PG_VERSION"
    return int(file.read_text()) if file.is_file() else None


def guard(folder: Path) -> None:
    """Refuse what is somebody else's, and what could not be renamed into place.

    Raises:
        FolderNotOursError: with the reason.
    """
    if not folder.exists():
        return
    if folder.is_mount():
        raise FolderNotOursError(f"{folder} is a mount point: name a folder inside it")
    if not folder.is_dir():
        raise FolderNotOursError(f"{folder} is not a folder: name another")
    if (owner := folder.stat().st_uid) != os.geteuid():
        raise FolderNotOursError(
            f"{folder} belongs to user {owner}, and this is user {os.geteuid()}: "
            "run as its owner, or name another folder"
        )
    if any(folder.iterdir()) and major(folder) is None:
        raise FolderNotOursError(f"{folder} is not empty and holds no database: name another")


async def make(folder: Path, fill: Callable[[Path], Awaitable[None]]) -> None:
    """Make `folder` if it holds no data: `fill` another beside it, then rename that in one step.

    What a killed predecessor left half filled is removed.
    """
    name = f"{folder.name}.initdb-"
    for left in _beside(folder, name):
        await evict(left, AT_ONCE)
        shutil.rmtree(left, ignore_errors=True)  # what is still there goes at the next start
    if major(folder) is not None:
        return
    fresh = Path(tempfile.mkdtemp(prefix=name, dir=folder.parent))
    await fill(fresh)
    _rename_for_good(fresh, folder)


def _beside(folder: Path, name: str) -> list[Path]:
    return [entry for entry in folder.parent.iterdir() if entry.name.startswith(name)]


def _rename_for_good(fresh: Path, folder: Path) -> None:
    """Rename so that it is whole or not at all, even after a power cut."""
    fresh.rename(folder)
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
