"""The postgres processes that live on a data folder: found by proof, ended in order.

A pid in a file proves nothing: it may be stale, and another program's by now. A resident is a
process named postgres whose working directory *is* the folder; only residents are ever signalled.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

Orders = Sequence[tuple[signal.Signals, float]]
"""Signals, each with the seconds it is given to work."""

# What a postmaster makes of them: fast shutdown, immediate shutdown, nothing any more.
IN_ORDER: Final[Orders] = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
AT_ONCE: Final[Orders] = ((signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
POLL_S: Final = 0.005


def postmaster_pid(folder: Path) -> int | None:
    """Return the pid that `postmaster.pid` names, alive or not."""
    first = _pid_file(folder)[0]
    return int(first) if first.isdigit() else None


def postmaster_is_ready(folder: Path) -> bool:
    """Return whether the last postmaster wrote down that it takes connections."""
    return _pid_file(folder)[-1] == "ready"


def residents(folder: Path) -> list[int]:
    """Return the pids of all postgres processes on `folder`; a process that is ending is none."""
    try:
        home = folder.stat()
    except FileNotFoundError:
        return []
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _lives_in(home, entry)
    ]


async def evict(folder: Path, orders: Orders = IN_ORDER) -> bool:
    """End all residents of `folder`; False when some outlived every order.

    SIGINT goes to the postmaster alone: to its children it means other things (PostgreSQL 18's
    checkpointer would write its shutdown checkpoint under running backends).
    """
    for number, bound_s in orders:
        present = residents(folder)
        head = postmaster_pid(folder)
        for pid in present:
            if pid == head or number != signal.SIGINT:
                _order(pid, number, folder)
        if await until(lambda: not residents(folder), bound_s):
            return True
    return False


async def until(happened: Callable[[], bool], bound_s: float) -> bool:
    """Return whether it `happened` within `bound_s`."""
    clock = asyncio.get_running_loop().time
    end_s = clock() + bound_s
    while not happened():
        if clock() > end_s:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _pid_file(folder: Path) -> list[str]:
    """Return its lines, the pid first, the state last; one empty line when there is no file."""
    try:
        text = (folder / "postmaster.pid").read_text()
    except FileNotFoundError:
        return [""]
    return [line.strip() for line in text.splitlines()] or [""]


def _lives_in(home: os.stat_result, process: Path) -> bool:
    try:
        named = (process / "comm").read_text() == "postgres\n"
        return named and os.path.samestat((process / "cwd").stat(), home)
    except OSError:  # gone, a zombie, or another user's: not one of ours
        return False


def _order(pid: int, number: signal.Signals, folder: Path) -> None:
    """Signal `pid` if it still is a resident; the open handle keeps it from meaning another."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if pid in residents(folder):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
