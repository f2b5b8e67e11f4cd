"""The store: what a durable commit costs above the disk, a decision above a commit, and claims."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter_ns
from typing import Final, NamedTuple

import asyncpg
import numpy as np

from bench.harness.incidents import context, incident
from bench.harness.result import Found, Row, ratio
from bench.harness.serving import database
from dispatch.cli.city import register
from dispatch.clock import SystemClock
from dispatch.core.commands import Accept, Open
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import Context
from dispatch.live.fleet import Fleet
from dispatch.ports import StaleCase, UnitTaken
from dispatch.store.postgres import PostgresStore
from dispatch.store.registry import registry
from geo.city import City
from geo.city.build import build
from geo.eta import StraightLine
from schemas.incident import Case, Incident

MOST_S: Final = 60.0
UNITS: Final = 2_000
TURNS: Final = 400
SEED: Final = 20241
PAGE: Final = bytes(8192)
"""What PostgreSQL writes at least for a commit: a page of its log."""
AT_ONCE: Final = 8
RIVALS: Final = 8
QUEUE: Final = 1_000
CLAIM: Final = 100
RATE_S: Final = 2.0

Step = Callable[[], Awaitable[object]]


class Bench(NamedTuple):
    """A registered city in a fresh database, and connections to it."""

    city: City
    store: PostgresStore
    fleet: Fleet
    clock: SystemClock
    connection: "asyncpg.Connection[asyncpg.Record]"
    dsn: str
    folder: Path


def measure(scale: float) -> Found:
    """Measure on a database of our own, removed at the end."""
    return asyncio.run(_measure(max(20, int(UNITS * scale)), max(5, int(TURNS * scale))))


async def _measure(units: int, turns: int) -> Found:
    async with prepared(units) as bench:
        decisions = Decisions(bench)
        found = await in_turn(
            {
                FLOOR: flushing(bench.folder),
                INSERT: lambda: bench.connection.execute("insert into bench_commit default values"),
                LOOK: lambda: bench.connection.fetchval("select 1"),
                LOAD: decisions.load,
                OPEN: decisions.open,
                ACCEPT: decisions.accept,
            },
            turns,
        )
        rows = {name: Row.of(name, samples, "ms") for name, samples in found.items()}
        races = [await decisions.race() for _ in range(max(2, turns // 20))]
        assert all(won == 1 for won in races), f"a unit was booked other than once: {races}"
        rate = await commits_per_s(bench)
        decided = await decisions_per_s(decisions)
        claims = await claims_per_s(bench)
    return Found(
        rows=[
            *rows.values(),
            Row.count(f"durable inserts from {AT_ONCE} connections", rate, "per s"),
            Row.count(f"decisions that open, {AT_ONCE} at once", decided, "per s"),
            Row.count(f"due rows claimed, {CLAIM} at a time", claims, "per s"),
            Row.count(f"races of {RIVALS} decisions for one unit, won once", len(races), "races"),
        ],
        ratios={
            "durable insert to fdatasync": ratio(rows[INSERT], rows[FLOOR]),
            "decision that opens to durable insert": ratio(rows[OPEN], rows[INSERT]),
            "decision that accepts to durable insert": ratio(rows[ACCEPT], rows[INSERT]),
        },
    )


FLOOR: Final = "fdatasync of one page"
INSERT: Final = "durable insert by asyncpg"
LOOK: Final = "round trip without a commit"
LOAD: Final = "load of a case"
OPEN: Final = "commit of a decision that opens an incident and asks units"
ACCEPT: Final = "commit of a decision that takes an offer up"


async def in_turn(steps: Mapping[str, Step], turns: int) -> dict[str, list[float]]:
    """Return the milliseconds of every step; one of each in every turn."""
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(turns + turns // 10 + 1):
        for name, step in steps.items():
            began = perf_counter_ns()
            spent = await step()
            taken = (perf_counter_ns() - began) / 1e6
            if turn > turns // 10:
                samples[name].append(spent if isinstance(spent, float) else taken)
    return samples


def flushing(folder: Path) -> Step:
    """Return the floor: a page written over and flushed, in the folder of the database."""
    file = os.open(folder / "floor", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(file, PAGE * 64, 0)
    os.fsync(file)
    at = 0

    async def flush() -> None:
        nonlocal at
        at = (at + 1) % 64
        os.pwrite(file, PAGE, at * len(PAGE))
        os.fdatasync(file)

    return flush


class Decisions:
    """Cases that are opened, loaded and taken up; what a step returns is its own milliseconds."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._dice = np.random.default_rng(SEED)
        self._case: Case | None = None

    async def open(self) -> float:
        """Open an incident near some unit; the first units are asked in the same commit."""
        begun = self._incident()
        decision = open_case(Open(incident=begun, trusted=True), self._context(begun))
        began = perf_counter_ns()
        await self._bench.store.commit(decision, None, None, self._bench.clock.now())
        taken = (perf_counter_ns() - began) / 1e6
        self._case = decision.case
        return taken

    async def load(self) -> None:
        """Load the last case."""
        known = self._case.incident.id if self._case else None
        await self._bench.store.load(known, None)

    async def accept(self) -> float:
        """Let the first unit that was asked take its offer up: its row is claimed."""
        case = self._case
        assert case is not None
        offer = case.offers[0]
        command = Accept(unit_id=offer.unit_id, offer_id=offer.id, at=self._bench.clock.now())
        decision = decide(case, command, self._context(case.incident))
        began = perf_counter_ns()
        await self._bench.store.commit(decision, None, None, self._bench.clock.now())
        taken = (perf_counter_ns() - began) / 1e6
        self._bench.fleet.fold(decision.entries)  # a unit with a task is asked no more
        return taken

    async def race(self) -> int:
        """Let several decide the same at once; return how many of them were written."""
        await self.open()
        case = self._case
        assert case is not None
        offer = case.offers[0]
        command = Accept(unit_id=offer.unit_id, offer_id=offer.id, at=self._bench.clock.now())
        decision = decide(case, command, self._context(case.incident))
        now = self._bench.clock.now()
        tried = (self._bench.store.commit(decision, None, None, now) for _ in range(RIVALS))
        found = await asyncio.gather(*tried, return_exceptions=True)
        lost = [error for error in found if isinstance(error, Exception)]
        assert all(isinstance(error, StaleCase | UnitTaken) for error in lost), lost
        self._bench.fleet.fold(decision.entries)
        return len(found) - len(lost)

    def _incident(self) -> Incident:
        units = self._bench.city.units
        home = units[int(self._dice.integers(len(units)))].home
        return incident(self._bench.clock, self._bench.city, home)

    def _context(self, about: Incident) -> Context:
        return context(self._bench.clock, self._bench.fleet, about)


async def commits_per_s(bench: Bench) -> float:
    """Return how many durable inserts a second some connections make."""
    connections = [await asyncpg.connect(bench.dsn) for _ in range(AT_ONCE)]
    loop = asyncio.get_running_loop()
    until = loop.time() + RATE_S

    async def insert(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        done = 0
        while loop.time() < until:
            await connection.execute("insert into bench_commit default values")
            done += 1
        return done

    try:
        counts = await asyncio.gather(*map(insert, connections))
    finally:
        for connection in connections:
            await connection.close()
    return sum(counts) / RATE_S


async def decisions_per_s(decisions: Decisions) -> float:
    """Return how many incidents a second are decided and committed in one process."""
    loop = asyncio.get_running_loop()
    until = loop.time() + RATE_S

    async def decide_on() -> int:
        done = 0
        while loop.time() < until:
            await decisions.open()
            done += 1
        return done

    return sum(await asyncio.gather(*(decide_on() for _ in range(AT_ONCE)))) / RATE_S


async def claims_per_s(bench: Bench) -> float:
    """Return how many due rows a second are claimed, each by one taker only."""
    later = bench.clock.now() + timedelta(days=1)
    loop = asyncio.get_running_loop()
    began, ids = loop.time(), list[int]()
    while len(ids) < QUEUE:
        some = await bench.store.claim_due(CLAIM, later)
        if not some:
            break
        ids += [due.id for due in some]
    spent_s = loop.time() - began
    assert len(set(ids)) == len(ids), "a due row was claimed twice"
    return len(ids) / spent_s


@asynccontextmanager
async def prepared(units: int) -> AsyncIterator[Bench]:
    """Start a database in a folder of its own, register a city whose units are on duty."""
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name:
        folder, clock = Path(name), SystemClock()
        async with database(folder) as dsn:
            city = build(SEED, units)
            async with registry(dsn) as registered:
                await register(registered, city, units, clock.new_id, _silent)
            store, connection = await PostgresStore.open(dsn), await asyncpg.connect(dsn)
            try:
                await connection.execute("create table bench_commit (at timestamptz default now())")
                fleet = await known(store, clock)
                yield Bench(city, store, fleet, clock, connection, dsn, folder)
            finally:
                await connection.close()
                await store.close()


async def known(store: PostgresStore, clock: SystemClock) -> Fleet:
    """Return the fleet as the store has it."""
    fleet = Fleet(StraightLine())
    now = clock.now()
    fleet.load(await store.unit_rows(now), now.timestamp())
    return fleet


def _silent(_what: str, _done: int, _of: int) -> None:
    """Report no progress."""
