"""The processes of a running service: its parent, workers, bus and database, by their pid."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from bench.harness.child import cpu_s, pss_kb

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Family(NamedTuple):
    """The pids under one `kapok serve`, its own first; a database has a process a connection."""

    parent: int
    workers: tuple[int, ...]
    bus: tuple[int, ...]
    database: tuple[int, ...]

    def cpu_s(self, *, database: bool = True) -> float:
        """Return the processor time of all of them so far; the database's is left out if told.

        What children of theirs spent that have ended is in it, too: a database has many.
        """
        pids = (self.parent, *self.workers, *self.bus, *(self.database if database else ()))
        return sum(map(_spent_s, pids))

    def pss_kb(self) -> float:
        """Return the proportional share of memory of all of them."""
        return sum(map(pss_kb, (self.parent, *self.workers, *self.bus, *self.database)))


def _spent_s(pid: int) -> float:
    """Return what a process has spent, and its children that have ended; nothing for one gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        ended = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
        return cpu_s(pid) + sum(map(int, ended)) / TICKS
    return 0.0


def family(parent: int) -> Family:
    """Return the processes under a parent, as they are now."""
    known: dict[str, list[int]] = {"worker": [], "nats-server": [], "postgres": []}
    for pid in descendants(parent):
        words = {Path(word).name for word in _command(pid)[:5]}
        for name, pids in known.items():
            if name in words or any(word.startswith(f"{name}:") for word in words):
                pids.append(pid)
                break
    return Family(parent, *(tuple(known[name]) for name in known))


def postmaster(parent: int) -> int:
    """Return the pid of the database server itself."""
    return next(pid for pid in descendants(parent) if Path(_command(pid)[0]).name == "postgres")


def descendants(parent: int) -> list[int]:
    """Return all descendants, those that were started first before those they started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (of := _parent_of(entry)) is not None:
            children.setdefault(of, []).append(int(entry.name))
    found, waiting = list[int](), [parent]
    while waiting:
        born = sorted(children.get(waiting.pop(0), ()))
        found += born
        waiting += born
    return found


def _parent_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _command(pid: int) -> list[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return [""]
    return [word.decode() for word in words]
