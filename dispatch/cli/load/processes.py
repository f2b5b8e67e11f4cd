"""Memory and CPU of processes and all that they start, looked at again and again in /proc."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from schemas.base import Record

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
WARM_S: Final = 300.0
"""Growth counts from here."""
KB: Final = 1024.0
ARGUMENTS: Final = 3
"""Of `python -m dispatch serve`: what follows them is the command."""


class Use(Record, frozen=True, kw_only=True):
    """What one process used; MB are MiB. `pss_mb` is None where this user may not look."""

    pid: int
    name: str
    cpu_s: float
    rss_mb: float
    pss_mb: float | None
    pss_mb_max: float | None
    ended: bool = False


class Sum(NamedTuple):
    """All of them at a moment, since the beginning."""

    at_s: float
    rss_mb: float
    pss_mb: float


class Watched:
    """One process, from the first look at it on."""

    def __init__(self, pid: int, proc: Path = PROC) -> None:
        self.pid = pid
        self._folder = proc / str(pid)
        self.name = _name(self._folder)
        self.ticks_first: int | None = None
        self.ticks = 0
        self.rss_kb = 0
        self.pss_kb: int | None = None
        self.pss_kb_max: int | None = None
        self.alive = True

    def look(self, *, fresh: bool) -> None:
        """Look at it; `fresh`: it began after we did, so that all its CPU counts."""
        ticks, memory = _ticks(self._folder), _memory_kb(self._folder)
        if ticks is None or memory is None:
            self.alive = False
            return
        self.ticks = ticks
        self.ticks_first = (0 if fresh else ticks) if self.ticks_first is None else self.ticks_first
        self.rss_kb, self.pss_kb = memory
        if self.pss_kb is not None:
            self.pss_kb_max = max(self.pss_kb, self.pss_kb_max or 0)

    @property
    def cpu_s(self) -> float:
        """Return the CPU it has used since the first look."""
        return (self.ticks - (self.ticks_first or 0)) / TICKS_PER_S

    def use(self) -> Use:
        """Return what it used."""
        return Use(
            pid=self.pid,
            name=self.name,
            cpu_s=self.cpu_s,
            rss_mb=_mb(self.rss_kb) or 0.0,
            pss_mb=_mb(self.pss_kb),
            pss_mb_max=_mb(self.pss_kb_max),
            ended=not self.alive,
        )


class Processes:
    """Some processes with their descendants; those that end meanwhile still count."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = frozenset(roots)
        self._watched: dict[int, Watched] = {}
        self.sums: list[Sum] = []

    def look(self, at_s: float) -> None:
        """Look at all; `at_s` since the beginning."""
        if not self._roots:
            return
        first = not self.sums
        found = set(descendants(self._roots))
        for pid in found - self._watched.keys():
            self._watched[pid] = Watched(pid)
        for pid, watched in self._watched.items():
            if watched.alive and pid in found:
                watched.look(fresh=not first)
            else:
                watched.alive = False
        alive = [watched for watched in self._watched.values() if watched.alive]
        rss = sum(watched.rss_kb for watched in alive)
        pss = sum(w.rss_kb if w.pss_kb is None else w.pss_kb for w in alive)
        self.sums.append(Sum(at_s, rss / KB, pss / KB))

    def uses(self) -> list[Use]:
        """Return what each used, the largest first."""
        return sorted((w.use() for w in self._watched.values()), key=lambda u: -u.rss_mb)

    @property
    def cpu_s(self) -> float | None:
        """Return the CPU of all since the first look; None where nothing was looked at."""
        return sum(w.cpu_s for w in self._watched.values()) if self._watched else None

    @property
    def seconds(self) -> float:
        """Return the time between the first look and the last."""
        return self.sums[-1].at_s - self.sums[0].at_s if self.sums else 0.0

    @property
    def pss_mb_max(self) -> float | None:
        """Return the most memory there was, by PSS."""
        return max((each.pss_mb for each in self.sums), default=None)

    @property
    def rss_mb_max(self) -> float | None:
        """Return the most memory there was, by RSS."""
        return max((each.rss_mb for each in self.sums), default=None)

    @property
    def growth_percent(self) -> float | None:
        """Return by how much the PSS grew after the first five minutes; None of a shorter run."""
        later = [each.pss_mb for each in self.sums if each.at_s >= WARM_S]
        if len(later) < 2 or not later[0]:  # noqa: PLR2004 - growth is between two
            return None
        return 100.0 * (later[-1] / later[0] - 1.0)


def descendants(roots: Iterable[int], proc: Path = PROC) -> Iterator[int]:
    """Yield the roots that live, and all that they have started, near ones first."""
    children: dict[int, list[int]] = {}
    for entry in proc.iterdir():
        parent = _parent(entry) if entry.name.isdigit() else None
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    waiting = [root for root in roots if _parent(proc / str(root)) is not None]
    while waiting:
        pid = waiting.pop(0)
        yield pid
        waiting += children.get(pid, [])


def _stat(process: Path) -> list[str]:
    """Return the fields of a process behind its name; none where it is gone."""
    try:
        text = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _parent(process: Path) -> int | None:
    fields = _stat(process)
    return int(fields[1]) if fields and fields[0] != "Z" else None


def _ticks(process: Path) -> int | None:
    fields = _stat(process)
    return int(fields[11]) + int(fields[12]) if fields and fields[0] != "Z" else None


def _memory_kb(process: Path) -> tuple[int, int | None] | None:
    """Return RSS, and PSS where this user may look; None where the process is gone."""
    try:
        text = (process / "smaps_rollup").read_text(encoding="utf-8")
    except PermissionError:
        return _resident_kb(process)
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return int(lines["Rss"].split()[0]), int(lines["Pss"].split()[0])


def _resident_kb(process: Path) -> tuple[int, None] | None:
    fields = _stat(process)
    return (int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024, None) if fields else None


def _name(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    texts = [word.decode("utf-8", "replace") for word in words]
    if texts[1:2] == ["-m"] and len(texts) > ARGUMENTS:
        return f"kapok {texts[3]}" if texts[2] == "dispatch" else texts[2]
    return Path(texts[0].split(":")[0]).name


def _mb(kb: int | None) -> float | None:
    return None if kb is None else round(kb / KB, 1)
