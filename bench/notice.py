"""One notice to all phones of a city, and whether offers wait for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter
from typing import Any, Final, NamedTuple

import httpx
import numpy as np

from bench.harness.child import Child
from bench.harness.crowd import crowd, dialled
from bench.harness.incidents import body_at
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.running import SEED, Running, running
from dispatch.clock import SystemClock
from geo.city.city import IncidentPlace

MOST_S: Final = 250.0
UNITS: Final = 23_334
PHONES: Final = 19_000
FIXES_PER_S: Final = 2_300
WARM_S: Final = 3.0
NOTICES_LEAST: Final = 5
NOTICES_MOST: Final = 12
CALLS_LEAST: Final = 30
"""Calls without a notice, and beside one: of fewer the ratios mean nothing."""
SKETCH: Final = 0.1
"""Below this share of all sizes one only looks whether it runs."""
CALL_EVERY_S: Final = 0.1
CALMS_S: Final = 3.0
"""How long calls come in without a notice, between two notices."""
ACKNOWLEDGED_S: Final = 6.5
"""How long after the last phone has heard it all have acknowledged it: 5 s by the protocol."""
HEARD_WITHIN_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05
MS: Final = "ms"


class Load(NamedTuple):
    """A running service, its phones, and a line to its API."""

    running: Running
    talkers: Child
    client: httpx.AsyncClient
    clock: SystemClock


class Sent(NamedTuple):
    """One notice: by whom it was heard, and how long it took (s) to its first and last phone."""

    phones: int
    first_s: float
    last_s: float


class Calls(NamedTuple):
    """When incidents were opened (ms, by the service): without a notice, while one is sent, and
    while it is acknowledged.
    """

    calm: dict[str, float]
    beside: dict[str, float]
    after: dict[str, float]


def measure(scale: float) -> Found:
    """Send notices in turn, calls coming in before and meanwhile."""
    phones = max(50, int(PHONES * scale))
    sent, calls, offers = asyncio.run(_measure(scale, phones))
    calm, beside, after = (_waits(opened, offers) for opened in calls)
    without = Row.of("POST received until the first offer is written, no notice", calm, MS)
    meanwhile = Row.of("the same while a notice is sent", beside, MS)
    last = [notice.last_s for notice in sent]
    all_told = Row.of(f"POST of a notice until the last of {phones:,} phones has it", last, "s")
    missed = float(sum(phones - notice.phones for notice in sent))
    median, p99 = ratio(meanwhile, without), _times(meanwhile.p99, without.p99)
    return Found(
        rows=[
            Row.count("notices sent", len(sent), "notices"),
            Row.of("POST of a notice until the first phone has it", [s.first_s for s in sent], "s"),
            all_told,
            Row.count("phones that did not hear a notice", missed, "phones"),
            without,
            meanwhile,
            Row.of("the same while it is acknowledged", after, MS),
            Row.count("the slowest offer without a notice", max(calm, default=0.0), MS),
            Row.count("the slowest offer while a notice is sent", max(beside, default=0.0), MS),
            Row.count("incidents offered at once without a notice", len(calm), "incidents"),
            Row.count("incidents offered at once while one was sent", len(beside), "incidents"),
        ],
        ratios={
            "offers beside a notice to without, median": median,
            "offers beside a notice to without, p99": p99,
        },
        marks={
            "last phone has the notice, s, median": Mark.at_most(3.0, all_told.median),
            "last phone has the notice, s, slowest notice": Mark.at_most(3.0, max(last)),
            "phones that did not hear a notice": Mark.at_most(0.0, missed),
            "offers meanwhile, median": Mark.at_most(2.0, median),
            "offers meanwhile, p99": Mark.at_most(2.0, p99),
        },
    )


def _times(ours: float | None, floor: float | None) -> float | None:
    return ours / floor if ours is not None and floor else None


def _waits(opened: dict[str, float], offers: dict[str, list[float]]) -> list[float]:
    """Return how long each incident waited until its first offer was written."""
    return [offers[iid][0] - at for iid, at in opened.items() if iid in offers]


async def _measure(scale: float, phones: int) -> tuple[list[Sent], Calls, dict[str, list[float]]]:
    units = max(60, int(UNITS * scale))
    async with running(units, phones) as service, _loaded(service) as load:
        load.talkers.ask("begin", per_s=max(1.0, FIXES_PER_S * scale))
        sent, calls = await _turns(load, phones, whole=scale >= SKETCH)
        await asyncio.sleep(WARM_S)
        return sent, calls, load.talkers.ask("offers")["offers"]


@asynccontextmanager
async def _loaded(service: Running) -> AsyncIterator[Load]:
    headers = {"Authorization": f"Bearer {service.key}"}
    with crowd(service.issued, int(service.url.rsplit(":", 1)[1])) as talkers:
        await dialled(talkers, len(service.issued))
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=10.0) as client:
            yield Load(service, talkers, client, SystemClock())


async def _turns(load: Load, phones: int, *, whole: bool) -> tuple[list[Sent], Calls]:
    """Call in incidents at an even rate, in turn without a notice, beside one, and after it.

    The first calls are not counted: a process loads what it needs when it is first needed.
    """
    dice = np.random.default_rng(SEED)
    cycle_s = CALMS_S + HEARD_WITHIN_S + ACKNOWLEDGED_S
    most = int((WARM_S + NOTICES_MOST * cycle_s) / CALL_EVERY_S)
    places = iter(load.running.city.incident_places(dice, most))
    sent, calls = [], Calls({}, {}, {})
    share = 1.0 if whole else 0.1
    await _call(load, places, {}, _wait(share * WARM_S))
    for _ in range(NOTICES_MOST):
        await _call(load, places, calls.calm, _wait(share * CALMS_S))
        telling = asyncio.create_task(_notice(load, phones))
        await _call(load, places, calls.beside, telling)
        sent.append(await telling)
        await _call(load, places, calls.after, _wait(share * ACKNOWLEDGED_S))
        if len(sent) >= NOTICES_LEAST and (not whole or _enough(calls)):
            break
    return sent, calls


def _enough(calls: Calls) -> bool:
    return min(len(calls.calm), len(calls.beside)) >= CALLS_LEAST


def _wait(seconds: float) -> asyncio.Task[None]:
    return asyncio.create_task(asyncio.sleep(seconds))


async def _call(
    load: Load, places: Iterator[IncidentPlace], opened: dict[str, float], until: asyncio.Task[Any]
) -> None:
    """Call in incidents until a task is done; where nobody is free at once there is no offer."""
    while not until.done():
        next_at = perf_counter() + CALL_EVERY_S
        answer = await _post(load, "/v1/incidents", body_at(next(places).point))
        if answer["offers"]:
            opened[answer["id"]] = datetime.fromisoformat(answer["opened_at"]).timestamp() * 1000
        await asyncio.sleep(max(0.0, next_at - perf_counter()))


async def _notice(load: Load, phones: int) -> Sent:
    """Send a notice; wait until all phones have it."""
    began_ms = load.clock.now().timestamp() * 1000
    body = {"level": "warn", "text": "typhoon signal 8: stay away from the river", "drill": False}
    notice = await _post(load, "/v1/notices", body)
    heard: dict[str, Any] = {"phones": 0}
    till = perf_counter() + HEARD_WITHIN_S
    while heard["phones"] < phones and perf_counter() < till:
        await asyncio.sleep(LOOK_EVERY_S)
        heard = load.talkers.ask("notice", nid=notice["id"])
    first_s, last_s = ((heard[name] - began_ms) / 1000 for name in ("first", "last"))
    return Sent(heard["phones"], first_s, last_s)


async def _post(load: Load, path: str, body: dict[str, object]) -> dict[str, Any]:
    key = {"Idempotency-Key": load.clock.new_id()}
    answer = await load.client.post(path, json=body, headers=key)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made
