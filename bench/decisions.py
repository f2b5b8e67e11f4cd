"""Decisions a second, in a closed loop: opened, accepted and ended, each committed durably."""

import asyncio
import os
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, Final, NamedTuple

import asyncpg
import numpy as np

from bench.harness.child import Child, child
from bench.harness.result import Found, Mark, Row
from bench.harness.serving import SEED, database, fill, folder

MOST_S: Final = 150.0
UNITS: Final = 23_334
ROUNDS: Final = 3
ROUND_S: Final = 4.0
BARE_S: Final = 0.3
"""The floor writes a hundred megabytes of log a second: the disk would have to do with that yet
when ours are measured."""
CLIENTS: Final = (1, 8, 32)
MANY: Final = CLIENTS[-1]
BARE: Final = 8
"""Connections of the floor: as many as commit at once behind the desk."""
PER_S: Final = 300
PLACES: Final = 2_000
STEPS: Final = {
    "open": "open an incident, first units asked",
    "accept": "a unit accepts",
    "end": "the incident is taken back",
}
TABLE: Final = """
create table bench_commit (body bytea not null);
alter table bench_commit alter column body set storage external;
"""
WRITTEN: Final = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


class Decided(NamedTuple):
    """What came of one round: ms by step, how many were refused, and how long it took (s)."""

    ms: dict[str, list[float]]
    refused: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Incidents opened and offers accepted, a second; the endings are not counted."""
        return (len(self.ms["open"]) + len(self.ms["accept"])) / self.seconds

    @property
    def commits(self) -> int:
        """All that was committed for it."""
        return sum(map(len, self.ms.values()))


def measure(scale: float) -> Found:
    """Let clients decide, more and more of them, with the floor in turn."""
    return asyncio.run(_measure(max(60, int(UNITS * scale)), whole=scale >= 1))


async def _measure(units: int, *, whole: bool) -> Found:
    rounds, seconds = (ROUNDS, ROUND_S) if whole else (1, 0.3)
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(folder())
        filled = await fill(data, units, units)
        dice = np.random.default_rng(SEED)
        dsn = await stack.enter_async_context(database(data))
        decider = stack.enter_context(
            child(
                "bench.peers.decider",
                dsn=dsn,
                tokens=[phone.token for phone in filled.issued],
                places=[tuple(at.point) for at in filled.city.incident_places(dice, PLACES)],
            )
        )
        connections = [await asyncpg.connect(dsn) for _ in range(BARE)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        await connections[0].execute(TABLE)
        _, size = await _decided(decider, connections[0], MANY, seconds)  # warms up
        bare: list[float] = []
        found: dict[int, list[Decided]] = {clients: [] for clients in CLIENTS}
        for _ in range(rounds):
            for clients in CLIENTS:
                decided, _ = await _decided(decider, connections[0], clients, seconds)
                found[clients].append(decided)
            bare.append(await _bare(connections, size, min(BARE_S, seconds)))
            await connections[0].execute("checkpoint")
    return _found(bare, found, size)


def _found(bare: list[float], found: dict[int, list[Decided]], size: int) -> Found:
    rates = {
        clients: Row.of(
            f"opened and accepted, {clients} at once", [one.per_s for one in rounds], "per s"
        )
        for clients, rounds in found.items()
    }
    best = max(rate.median or 0.0 for rate in rates.values())
    floor = Row.of(f"bare durable transactions of {size:,} bytes, {BARE} at once", bare, "per s")
    every = [one for rounds in found.values() for one in rounds]
    commits = sum(one.commits for one in every) / sum(one.seconds for one in every)
    alone = found[CLIENTS[0]]
    return Found(
        rows=[
            floor,
            *rates.values(),
            Row.count("durable commits for it, mean of all rounds", commits, "per s"),
            *(
                Row.of(f"{what}, one at a time", [ms for one in alone for ms in one.ms[step]], "ms")
                for step, what in STEPS.items()
            ),
            Row.count(
                "refused: another incident had the unit", sum(e.refused for e in every), "offers"
            ),
        ],
        ratios={"bare transactions to decisions": (floor.median or 0.0) / best if best else None},
        marks={f"ms a decision at {PER_S} a second": Mark.at_most(1000 / PER_S, 1000 / best)}
        if best
        else {},
    )


async def _decided(
    decider: Child, connection: "asyncpg.Connection[asyncpg.Record]", clients: int, seconds: float
) -> tuple[Decided, int]:
    """Let so many clients decide; return how it went, and the bytes of log each commit wrote."""
    before = await connection.fetchval(WRITTEN)
    told: dict[str, Any] = await asyncio.to_thread(
        decider.ask, "decide", clients=clients, seconds=seconds
    )
    decided = Decided(told["ms"], told["refused"], told["seconds"])
    written = int(await connection.fetchval(WRITTEN) - before)
    return decided, written // max(1, decided.commits)


async def _bare(
    connections: "list[asyncpg.Connection[asyncpg.Record]]", size: int, seconds: float
) -> float:
    """Return how many durable transactions a second write as many bytes of log each."""
    body = os.urandom(size)
    began = perf_counter()

    async def insert(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        done = 0
        while perf_counter() < began + seconds:
            await connection.execute("insert into bench_commit values ($1)", body)
            done += 1
        return done

    done = await asyncio.gather(*map(insert, connections))
    await connections[0].execute("truncate bench_commit")
    return sum(done) / (perf_counter() - began)
