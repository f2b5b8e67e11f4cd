"""The process of a fleet: told what to do by lines on its standard input, ends with its parent."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from dispatch.phone.diary import Tally
from dispatch.phone.fleet import Fleet, FleetOptions, read_phones, require_files
from dispatch.phone.latency import Quantiles
from dispatch.phone.witness import Stage
from dispatch.ports import Clock
from schemas.base import Record

STOPPED: Final = 0
ORPHANED: Final = 3
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
LINE_MAX: Final = 64 * 1024
# Default thresholds pause a storm of thousands for most of a second (docs: measurements).
GC_THRESHOLDS: Final = (100_000, 50, 1_000)


class Order(Record, frozen=True, kw_only=True):
    """A line from the parent; fields it does not know are skipped."""

    stop: bool = False
    begin: bool = False


class FleetProgress(Record, frozen=True, kw_only=True):
    """A line for the parent."""

    tally: Tally
    push_ms: Quantiles
    pong_ms: Quantiles = Quantiles()
    draining: bool = False


def run_fleet(
    phones_file: Path,
    url: str,
    options: FleetOptions,
    report: Callable[[FleetProgress], None],
    *,
    clock: Clock,
) -> int:
    """Run the phones of the file until the parent says `{"stop": true}`; return the exit code.

    `{"begin": true}` begins the latencies anew, and what drops off the net. At the stop no new
    offer is taken up, everything is still listened to for `drain_s`, and the diary is written:
    STOPPED. When standard input ends instead, the parent is gone: ORPHANED, and no diary.
    Ctrl-C is the parent's.
    Raises TooFewFiles, OSError and msgspec.DecodeError before a phone dials.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    lines = read_phones(phones_file.read_bytes())
    require_files(len(lines))
    gc.set_threshold(*GC_THRESHOLDS)
    fleet = Fleet(lines, url, options, clock)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(fleet, options, report))


def die_with_parent() -> None:
    """Ask the system to end this process with its parent; standard input tells where it cannot."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _run(fleet: Fleet, options: FleetOptions, report: Callable[[FleetProgress], None]) -> int:
    async with asyncio.TaskGroup() as group:
        living = [
            group.create_task(fleet.run()),
            group.create_task(_report(fleet, options, report)),
        ]
        stopped = await _stop_ordered(fleet)
        if stopped:
            fleet.stop_answering()
            await asyncio.sleep(options.drain_s)
            _write(Path(options.diary), msgspec.json.encode(fleet.diary()))
            await fleet.hang_up()
        for task in living:
            task.cancel()
    return STOPPED if stopped else ORPHANED


async def _report(
    fleet: Fleet, options: FleetOptions, report: Callable[[FleetProgress], None]
) -> None:
    while True:
        await asyncio.sleep(options.progress_s)
        report(
            FleetProgress(
                tally=fleet.count(),
                push_ms=fleet.witness.taken[Stage.PUSH].quantiles(),
                pong_ms=fleet.witness.taken[Stage.PONG].quantiles(),
                draining=not fleet.answering,
            )
        )


async def _stop_ordered(fleet: Fleet) -> bool:
    """Follow the parent's lines; True when it says stop, False when it is gone."""
    reader = asyncio.StreamReader(limit=LINE_MAX)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    )
    try:
        while line := await reader.readline():
            order = _order(line)
            if order.begin:
                fleet.begin()
            if order.stop:
                return True
    finally:
        transport.close()
    return False


def _order(line: bytes) -> Order:
    """Return the order of a line; one that cannot be read asks for nothing."""
    try:
        return msgspec.json.decode(line, type=Order)
    except msgspec.DecodeError:
        return Order()


def _write(path: Path, diary: bytes) -> None:
    """Write all of it or nothing, for nobody else to read."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(diary)
    partial.replace(path)
