"""From the call to the offer: POST until a phone has it, a whole city online."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from bench.harness.caller import Caller, caller
from bench.harness.child import Child, child
from bench.harness.floor import MS, Floor, Pair, rows
from bench.harness.result import Found, Mark, Row
from bench.harness.running import SEED, running
from dispatch.cli.city import IssuedPhone
from dispatch.cli.phone_fleet import PhoneFleet
from dispatch.clock import SystemClock
from dispatch.phone.diary import Diary
from geo.city import City

MOST_S: Final = 200.0
UNITS: Final = 23_334
PHONES: Final = 19_000
TALKING: Final = 2_300
"""Phones that do nothing but report; the others live as in the demo, and report once a minute."""
FIXES_PER_S: Final = 2_300
USUAL_S: Final = 60
CALLS: Final = 200
CALL_EVERY_S: Final = 0.15
WARM_S: Final = 3.0
CONNECT_S: Final = 90.0
ONLINE_SHARE: Final = 0.999

T = TypeVar("T")


class Load(NamedTuple):
    """A running service with its phones, and what is measured beside it."""

    city: City
    caller: Caller
    fleet: PhoneFleet
    talkers: Child
    floor: Floor
    clock: SystemClock


class Calls(NamedTuple):
    """When each incident was called in, by our clock and the service's; what took how long (ms)."""

    posted: dict[str, float]
    opened: dict[str, float]
    answered: list[float]
    floor: list[Pair]
    fixes_per_s: float


def measure(scale: float) -> Found:
    """Measure one service with its phones.

    One mark is held against the moment the offer's frame was written, by the service's own clock
    from when it received the POST, and a whole round trip for the way there; two against what a
    phone heard, quantile by quantile: a machine shared with 19,000 phones is in those, as it is in
    the floor beside them. Both are asked for as bytes on an open connection, without a library.
    """
    calls, diary = asyncio.run(_measure(scale, CALLS if scale >= 1 else 20))
    seen = {iid: at for iid, at in diary.offers_first.items() if iid in calls.posted}
    load = f"{int(PHONES * scale):,} phones, {calls.fixes_per_s:,.0f} fixes/s"
    commit, trip, floor = rows(calls.floor, load)
    written = [at - calls.opened[iid] for iid, (at, _) in seen.items()]
    offer = Row.of(
        "POST until a phone has heard the first offer frame",
        [at - calls.posted[iid] for iid, (_, at) in seen.items()],
        MS,
    )
    way = Row.of(
        "POST written until the service has received it",
        [calls.opened[iid] - calls.posted[iid] for iid in seen],
        MS,
    )
    way_ms = trip.median or 0.0
    frame = Row.of("POST received until the first offer frame is written", written, MS)
    times = _times(frame.median, way_ms, (commit.median or 0.0) + way_ms)
    heard = _times(offer.median, 0.0, floor.median)
    heard_p99 = _times(offer.p99, 0.0, floor.p99)
    return Found(
        rows=[
            commit,
            trip,
            floor,
            way,
            frame,
            offer,
            Row.of("POST until it is answered", calls.answered, MS),
            Row.count("incidents called in whose offer was heard", len(seen), "incidents"),
        ],
        ratios={
            "POST to frame written, to commit and round trip": times,
            "POST to offer heard, to commit and round trip, median": heard,
            "POST to offer heard, to commit and round trip, p99": heard_p99,
        },
        marks={
            "POST to frame written, to commit and round trip": Mark.at_most(6.0, times),
            "POST to offer heard, to commit and round trip, median": Mark.at_most(5.0, heard),
            "POST to offer heard, to commit and round trip, p99": Mark.at_most(5.0, heard_p99),
        },
    )


def _times(ours_ms: float | None, way_ms: float, floor_ms: float | None) -> float | None:
    return (ours_ms + way_ms) / floor_ms if ours_ms is not None and floor_ms else None


async def _measure(scale: float, calls: int) -> tuple[Calls, Diary]:
    async with loaded(scale) as load:
        rate = FIXES_PER_S * scale - (PHONES - TALKING) * scale / USUAL_S
        load.talkers.ask("begin", per_s=max(1.0, rate))
        await asyncio.sleep(WARM_S)
        found = await call(load, calls)
        return found, await load.fleet.stop()


async def call(load: Load, calls: int) -> Calls:
    """Call in incidents, a commit and a round trip beside each, at an even rate."""
    dice = np.random.default_rng(SEED)
    found = Calls({}, {}, [], [], 0.0)
    began, fixes = perf_counter(), _fixes(load)
    for place in load.city.incident_places(dice, calls):
        next_at = perf_counter() + CALL_EVERY_S
        body = {
            "kind": "theft",
            "priority": 3,
            "title": "bench",
            "drill": False,
            "position": {"lon": place.point.lon, "lat": place.point.lat, "datum": "wgs84"},
        }
        await load.caller.open()
        posted_ms = load.clock.now().timestamp() * 1000
        answer, taken = await _timed(_post(load, body))
        found.posted[answer["id"]] = posted_ms
        opened = datetime.fromisoformat(answer["opened_at"])
        found.opened[answer["id"]] = opened.timestamp() * 1000
        found.answered.append(taken)
        found.floor.append(await load.floor.once())
        await asyncio.sleep(max(0.0, next_at - perf_counter()))
    per_s = (_fixes(load) - fixes) / (perf_counter() - began)
    return found._replace(fixes_per_s=per_s)


async def _timed(work: Awaitable[T]) -> tuple[T, float]:
    began = perf_counter()
    answer = await work
    return answer, (perf_counter() - began) * 1000


async def _post(load: Load, body: dict[str, object]) -> dict[str, Any]:
    opened: dict[str, Any] = await load.caller.post("/v1/incidents", body, load.clock.new_id())
    return opened


def _fixes(load: Load) -> int:
    said: int = load.talkers.ask("count")["sent"]
    return said + load.fleet.progress.tally.fixes


# The city, its service and its phones. ------------------------------------------------------------


@asynccontextmanager
async def loaded(scale: float) -> AsyncIterator[Load]:
    """Run everything in a folder of its own; all of it is ended and removed."""
    units, phones = max(60, int(UNITS * scale)), max(50, int(PHONES * scale))
    async with (
        running(units, phones) as service,
        _phones(service.issued, max(10, int(TALKING * scale)), service.url) as (fleet, talkers),
        Floor.opened(service.dsn) as floor,
    ):
        with caller(service.url, service.key) as calling:
            yield Load(service.city, calling, fleet, talkers, floor, SystemClock())


@asynccontextmanager
async def _phones(
    issued: list[IssuedPhone], talking: int, url: str
) -> AsyncIterator[tuple[PhoneFleet, Child]]:
    """Let all phones connect: every n-th only reports, the others are people."""
    every = max(2, len(issued) // talking)
    only_report, people = issued[::every], [p for n, p in enumerate(issued) if n % every]
    talkers = partial(
        child,
        "bench.peers.talkers",
        port=int(url.rsplit(":", 1)[1]),
        tokens=[phone.token for phone in only_report],
        places=[(phone.lon, phone.lat) for phone in only_report],
    )
    async with PhoneFleet.started(people, url) as fleet:
        with talkers() as reporting:
            online = await asyncio.to_thread(reporting.ask, "dial", within_s=CONNECT_S)
            assert online["online"] == len(only_report), online
            async with asyncio.timeout(CONNECT_S):
                while fleet.progress.tally.online < len(people) * ONLINE_SHARE:  # noqa: ASYNC110 - the fleet reports every half second
                    await asyncio.sleep(0.2)
            yield fleet, reporting
