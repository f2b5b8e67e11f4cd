"""A fix from the socket to every worker's fleet: one worker, two with a bus, and a bare server."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import sleep
from typing import Final, NamedTuple

from bench.harness.child import Child, child
from bench.harness.crowd import crowd, dialled
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import Filled, fill, folder, serving

MOST_S: Final = 240.0
UNITS: Final = 23_334
TALKING: Final = 4_600
"""Phones that share the rate: each stays under the one location a second it may send."""
FIXES_PER_S: Final = 2_300
LEAST_PER_S: Final = 50.0
ROUNDS: Final = 5
ROUND_S: Final = 3.0
SETTLE_S: Final = 2.0
FLOOR: Final = "bare websockets"
WORKERS: Final[Mapping[str, int]] = {"one worker": 1, "two workers and their bus": 2}
ONE, TWO = WORKERS
US: Final = "us of CPU"
MS: Final = "ms of CPU"


class Spent(NamedTuple):
    """Processor time so far, in seconds: of all processes, and of all but the database's."""

    all_s: float
    without_database_s: float


class Line(NamedTuple):
    """A running server, phones that talk to it, and how its processor time is read."""

    talkers: Child
    spent: Callable[[], Spent]


class Cost(NamedTuple):
    """Processor time of a fix (us): of all processes, and of all but the database's."""

    all_us: float
    without_database_us: float


def measure(scale: float) -> Found:
    """Let the same phones talk to each of them in turn."""
    return asyncio.run(_measure(scale))


async def _measure(scale: float) -> Found:
    units, phones = max(60, int(UNITS * scale)), max(60, int(TALKING * scale))
    rounds, seconds = (ROUNDS, ROUND_S) if scale >= 1 else (1, 0.3)
    async with _lines(units, phones) as lines:
        await asyncio.sleep(SETTLE_S if scale >= 1 else 0)
        found, idle = await asyncio.to_thread(
            _in_turn, lines, max(LEAST_PER_S, FIXES_PER_S * scale), rounds, seconds
        )
    return _found(found, idle)


def _found(found: dict[str, list[Cost]], idle: dict[str, list[float]]) -> Found:
    every = {
        name: Row.of(f"{name}: a fix, all processes", [c.all_us for c in costs], US)
        for name, costs in found.items()
    }
    ways = {
        name: Row.of(
            f"{name}: a fix, without the database", [c.without_database_us for c in costs], US
        )
        for name, costs in found.items()
    }
    quiet = {
        name: Row.of(f"{name}: a second without fixes, all processes", spent, MS)
        for name, spent in idle.items()
    }
    to_floor, to_one = ratio(ways[TWO], every[FLOOR]), ratio(every[TWO], every[ONE])
    return Found(
        rows=[*every.values(), ways[ONE], ways[TWO], *quiet.values()],
        ratios={
            "a fix, one worker to bare websockets": ratio(ways[ONE], every[FLOOR]),
            "a fix, two workers and their bus to bare websockets": to_floor,
            "a fix, two workers to one": to_one,
            "the same without what a second costs without fixes": _marginal(every, quiet),
        },
        marks={
            "a fix, two workers and their bus to bare websockets": Mark.at_most(1.5, to_floor),
            "a fix, two workers to one": Mark.at_most(1.15, to_one),
        },
    )


def _marginal(every: Mapping[str, Row], quiet: Mapping[str, Row]) -> float | None:
    """Return the ratio of what fixes alone cost: an idle service has its clocks and checks, too."""
    alone = []
    for name in (TWO, ONE):
        fix_us, idle_ms = every[name].median, quiet[name].median
        if fix_us is None or idle_ms is None:
            return None
        alone.append(fix_us - idle_ms * 1000 / FIXES_PER_S)
    return alone[0] / alone[1] if alone[1] > 0 else None


def _in_turn(
    lines: Mapping[str, Line], per_s: float, rounds: int, seconds: float
) -> tuple[dict[str, list[Cost]], dict[str, list[float]]]:
    """Return what fixes cost, and the ms that a second costs without any; the first is not kept."""
    found: dict[str, list[Cost]] = {name: [] for name in lines}
    idle: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(rounds + 1):
        for name, line in lines.items():
            cost, quiet_ms = _talk(line, per_s, seconds), _idle(line, seconds)
            if turn:
                found[name].append(cost)
                idle[name].append(quiet_ms)
    return found, idle


def _talk(line: Line, per_s: float, seconds: float) -> Cost:
    before = line.spent()
    told = line.talkers.ask("talk", per_s=per_s, seconds=seconds)
    after = line.spent()
    assert abs(told["pongs"] - told["sent"] / 10) <= 1, told
    spent_us = ((b - a) / told["sent"] * 1e6 for a, b in zip(before, after, strict=True))
    return Cost(*spent_us)


def _idle(line: Line, seconds: float) -> float:
    before = line.spent()
    sleep(seconds)
    return (line.spent().all_s - before.all_s) / seconds * 1000


# Who is talked to. --------------------------------------------------------------------------------


@asynccontextmanager
async def _lines(units: int, phones: int) -> AsyncIterator[dict[str, Line]]:
    """Run the floor, and the service with one worker and with two, on cities that are the same."""
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(folder())
        filled = await fill(root / "one", units, phones)
        shutil.copytree(root / "one", root / "two")
        lines = {FLOOR: await _bare(stack, units, phones)}
        for (name, workers), data in zip(
            WORKERS.items(), (root / "one", root / "two"), strict=True
        ):
            lines[name] = await _ours(stack, filled, data, workers)
        yield lines


async def _bare(stack: AsyncExitStack, units: int, phones: int) -> Line:
    server = stack.enter_context(child("bench.peers.bare_websockets", units=units))
    port = server.facts["port"]
    talkers = stack.enter_context(child("bench.peers.talkers", port=port, phones=phones))
    await dialled(talkers, phones)
    return Line(talkers, lambda: Spent(server.cpu_s(), server.cpu_s()))


async def _ours(stack: AsyncExitStack, filled: Filled, data: Path, workers: int) -> Line:
    options = ("--workers", str(workers)) if workers > 1 else ()
    service = await stack.enter_async_context(
        serving(data, *options, environment={"KAPOK_CANARY": "off"})
    )
    talkers = stack.enter_context(crowd(filled.issued, service.port))
    await dialled(talkers, len(filled.issued))
    known = service.family().workers
    assert len(known) == workers, known

    def spent() -> Spent:
        family = service.family()
        assert family.workers == known, f"a worker was replaced: {known} by {family.workers}"
        return Spent(family.cpu_s(), family.cpu_s(database=False))

    return Line(talkers, spent)
