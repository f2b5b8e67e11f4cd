"""From the start of the service until it is ready: a city's units, its roads, incidents open."""

import asyncio
import os
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from bench.harness.child import child, pss_kb
from bench.harness.extract import extract
from bench.harness.family import postmaster
from bench.harness.homes import homes
from bench.harness.incidents import context, incident
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import SEED, Serving, database, folder, put, serving
from dispatch.clock import SystemClock
from dispatch.core.commands import Open
from dispatch.core.decide import open_case
from dispatch.live.fleet import Fleet
from dispatch.store.postgres import PostgresStore
from geo.city import City
from geo.city.build import build
from geo.eta import StraightLine
from geo.osm import read
from geo.point import Point
from geo.roads.build import Source
from geo.roads.build import build as build_roads
from geo.roads.file import save
from geo.roads.graph import RoadGraph

MOST_S: Final = 240.0
SAMPLE: Final = "porto"
SMALL_SAMPLE: Final = "bayfront_singapore"
UNITS: Final = 23_334
OPEN: Final = 1_000
STARTS: Final = 5
AT_ONCE: Final = 8
READY: Final = "kapok serve until it is ready"
FLOOR: Final = "PostgreSQL, and a bare process that reads the same rows and roads"
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Started(NamedTuple):
    """One start: until ready, its phases (s), and what memory it takes then (MB)."""

    ready_s: float
    phases: dict[str, float]
    worker_mb: float
    all_mb: float


class Floor(NamedTuple):
    """One start of the floor: of the database, and of the process that reads (s)."""

    database_s: float
    reader_s: float
    facts: dict[str, Any]


def measure(scale: float) -> Found:
    """Start the floor and the service in turn, on the same folder."""
    return asyncio.run(_measure(scale))


async def _measure(scale: float) -> Found:
    units, cases = max(60, int(UNITS * scale)), max(5, int(OPEN * scale))
    async with folder() as data:
        roads = await _prepared(data, units, cases, whole=scale >= 1)
        floors, ours = [], []
        for turn in range(STARTS + 1 if scale >= 1 else 1):
            floor, start = await _floor(data, roads), await _started(data, roads)
            if turn or scale < 1:  # the first start on a machine compiles what searches roads
                floors.append(floor)
                ours.append(start)
    about = f"{units:,} units, {cases:,} incidents open" + (", roads" if roads else ", no roads")
    ready = Row.of(f"{READY}, {about}", [one.ready_s for one in ours], "s")
    bare = Row.of(FLOOR, [one.database_s + one.reader_s for one in floors], "s")
    return Found(
        rows=[
            Row.of("floor: PostgreSQL started", [one.database_s for one in floors], "s"),
            Row.of("floor: rows read by asyncpg", [f.facts["rows_s"] for f in floors], "s"),
            Row.of("floor: road file loaded", [f.facts["roads_s"] for f in floors], "s"),
            bare,
            *(
                Row.of(f"ours: {name}", [one.phases[name] for one in ours], "s")
                for name in ours[0].phases
            ),
            ready,
            Row.of("memory of the worker, no phone online", [s.worker_mb for s in ours], "MB"),
            Row.of("memory of all processes", [s.all_mb for s in ours], "MB"),
        ],
        ratios={"ready, to the floor": ratio(ready, bare)},
        marks={"seconds until ready": Mark.at_most(5.0, ready.median)},
    )


async def _floor(data: Path, roads: Path | None) -> Floor:
    began = perf_counter()
    async with database(data) as dsn:
        database_s = perf_counter() - began
        began = perf_counter()
        with child("bench.peers.reader", dsn=dsn, roads=str(roads) if roads else None) as reader:
            return Floor(database_s, perf_counter() - began, reader.facts)


async def _started(data: Path, roads: Path | None) -> Started:
    options = ("--roads", str(roads)) if roads else ()
    began_s = time.time()
    async with serving(data, *options, environment={"KAPOK_CANARY": "off"}) as service:
        phases, family = _phases(service, began_s), service.family()
        worker_mb = sum(map(pss_kb, family.workers)) / 1024
        return Started(service.ready_s, phases, worker_mb, family.pss_kb() / 1024)


def _phases(service: Serving, began_s: float) -> dict[str, float]:
    """Return what went on until when: by the processes' own starts, and the worker's first line."""
    family = service.family()
    database_s, worker_s = _born_s(postmaster(service.pid)), _born_s(family.workers[0])
    awake_s = _said_s(service.log, "worker")
    ends = {
        "parent imported, until PostgreSQL is started": database_s,
        "PostgreSQL ready, migrations looked at": worker_s,
        "worker imported": awake_s,
        "worker read the store and listens": began_s + service.ready_s,
    }
    return dict(zip(ends, np.diff([began_s, *ends.values()]).tolist(), strict=True))


def _born_s(pid: int) -> float:
    """Return when a process was started, in seconds since the epoch."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / TICKS


def _said_s(log: Path, event: str) -> float:
    """Return when an event was first logged, in seconds since the epoch."""
    for line in log.read_bytes().splitlines():
        if line.startswith(b"{") and (said := msgspec.json.decode(line))["event"] == event:
            return datetime.fromisoformat(said["timestamp"]).timestamp()
    raise LookupError(f"the service has not said {event}")


# What is there to be read. ------------------------------------------------------------------------


async def _prepared(data: Path, units: int, cases: int, *, whole: bool) -> Path | None:
    """Register units beside roads, all on duty, with incidents open; return the road file."""
    city = await asyncio.to_thread(build, SEED, units)
    sample = extract(SAMPLE if whole else SMALL_SAMPLE)
    roads = None
    if sample is not None:
        graph = await asyncio.to_thread(build_roads, read(sample), Source(sample.name))
        roads = data / "bench.roads"
        save(graph, roads)
        city = _beside(city, graph)
    async with database(data) as dsn:
        await put(dsn, city, units)
        await open_some(dsn, city, cases)
    return roads


def _beside(city: City, graph: RoadGraph) -> City:
    """Return the city with its units' homes beside the roads, as houses are."""
    places = homes(graph, len(city.units), np.random.default_rng(SEED)).tolist()
    moved = (replace(u, home=Point(*at)) for u, at in zip(city.units, places, strict=True))
    return replace(city, units=tuple(moved))


async def open_some(dsn: str, city: City, count: int) -> None:
    """Open incidents near units, and ask the first units of each, as decisions do."""
    store, clock, dice = await PostgresStore.open(dsn), SystemClock(), np.random.default_rng(SEED)
    try:
        fleet = Fleet(StraightLine())
        fleet.load(await store.unit_rows(clock.now()), clock.now().timestamp())
        at = [city.units[n].home for n in dice.integers(0, len(city.units), count)]
        places = asyncio.Semaphore(AT_ONCE)

        async def one(place: Point) -> None:
            async with places:
                begun = incident(clock, city, place)
                decided = open_case(
                    Open(incident=begun, trusted=True), context(clock, fleet, begun)
                )
                await store.commit(decided, None, None, clock.now())
                fleet.fold(decided.entries)

        await asyncio.gather(*map(one, at))
    finally:
        await store.close()
