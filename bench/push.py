"""Waking phones that sleep: from the commit to the webhook, one at a time and a whole city."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Final, NamedTuple

import asyncpg
import httpx
import msgspec

from bench.harness.child import Child, child
from bench.harness.incidents import Body, bodies
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import Filled, Serving, database, fill, folder, serving
from dispatch.clock import SystemClock, new_token
from dispatch.store.connection import connected

MOST_S: Final = 240.0
UNITS: Final = 23_334
CALLS: Final = 100
FLOOD_CALLS: Final = 20
FLOOD_S: Final = 30.0
"""How long a notice to a sleeping city is watched; what is left of it then is not waited for."""
BARE: Final = 2_000
AT_ONCE: Final = 32
CALL_EVERY_S: Final = 0.25
LOOK_EVERY_S: Final = 0.2
HEARD_WITHIN_S: Final = 10.0
MS: Final = "ms"
ASLEEP: Final = """
update device d set push_kind = 'hook', push_to = 'bench:' || d.id
from member m where m.id = d.member_id and m.duty = 'on'
"""
OFFERED: Final = """
select device_id, seq, extract(epoch from at)::float8 * 1000 as at_ms from outbox
where frame->>'t' = 'offer' and at >= to_timestamp($1::float8 / 1000)
"""
BODY: Final = msgspec.json.encode({"device": "bench", "seq": 1, "payload": {"oid": "x" * 36}})


class Load(NamedTuple):
    """A service whose phones all sleep, their webhook, and lines to both."""

    filled: Filled
    service: Serving
    receiver: Child
    client: httpx.AsyncClient
    bare: httpx.AsyncClient
    connection: "asyncpg.Connection[asyncpg.Record]"
    calls: Iterator[Body]

    @property
    def hook(self) -> str:
        """Where the webhook listens."""
        return _hook(self.receiver)


class Flood(NamedTuple):
    """A notice to all who sleep: pushes a second, how many came, and offers' pushes meanwhile."""

    per_s: float
    came: int
    offers_ms: list[float]
    unwoken: int


def measure(scale: float) -> Found:
    """Measure offers to sleepers against the floor in turn, then a notice to all of them."""
    units = max(60, int(UNITS * scale))
    return asyncio.run(_measure(units, whole=scale >= 1))


async def _measure(units: int, *, whole: bool) -> Found:
    async with _loaded(units) as load:
        commits, posts, (pushes, _) = await _offers(load, CALLS if whole else 5)
        bare_per_s = await _bare(load, BARE if whole else 50)
        flood = await _flood(load, units, FLOOD_CALLS if whole else 2)
    waited = Row.of("commit of an offer until the webhook is called", pushes, MS)
    beside = Row.of("the same while a notice goes out to all", flood.offers_ms, MS)
    floor = Row.of(
        "one durable commit and one bare POST to the same webhook",
        [a + b for a, b in zip(commits, posts, strict=True)],
        MS,
    )
    rate = Row.count("pushes a second, a notice to all", flood.per_s, "per s")
    bare_rate = Row.count(f"bare POSTs a second, {AT_ONCE} at once", bare_per_s, "per s")
    return Found(
        rows=[
            Row.of("durable commit by asyncpg", commits, MS),
            Row.of("bare POST by httpx, a connection each", posts, MS),
            floor,
            waited,
            bare_rate,
            rate,
            Row.count(f"pushes of it within {FLOOD_S:g} s, {units:,} asleep", flood.came, "pushes"),
            beside,
            Row.count("offers meanwhile whose phone was not woken", flood.unwoken, "offers"),
        ],
        ratios={
            "offer to webhook, to commit and bare POST": ratio(waited, floor),
            "bare POSTs a second to ours": ratio(bare_rate, rate),
            "offer's push beside a notice to without": ratio(beside, waited),
        },
        marks={
            "offer committed until the webhook is called, ms, p99": Mark.at_most(500.0, waited.p99),
            "the same beside a notice to all, ms, p99": Mark.at_most(3_500.0, beside.p99),
        },
    )


# A city that sleeps. ------------------------------------------------------------------------------


@asynccontextmanager
async def _loaded(units: int) -> AsyncIterator[Load]:
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(folder())
        filled = await fill(data, units, units)
        await _asleep(filled)
        receiver = stack.enter_context(child("bench.peers.receiver"))
        environment = {"KAPOK_PUSH_URL": _hook(receiver), "KAPOK_PUSH_SECRET": new_token("bench")}
        service = await stack.enter_async_context(
            serving(data, environment=environment | {"KAPOK_CANARY": "off"})
        )
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=service.url, headers=filled.headers, timeout=10.0)
        )
        limits = httpx.Limits(max_keepalive_connections=0)
        bare = await stack.enter_async_context(httpx.AsyncClient(limits=limits, trust_env=False))
        connection = await stack.enter_async_context(connected(service.dsn))
        await connection.execute("create table bench_commit (at timestamptz default now())")
        yield Load(filled, service, receiver, client, bare, connection, bodies(filled.city))


def _hook(receiver: Child) -> str:
    return f"http://127.0.0.1:{receiver.facts['port']}/"


async def _asleep(filled: Filled) -> None:
    """Let every phone be known to sleep, with an address to wake it at."""
    async with database(filled.folder) as dsn, connected(dsn) as connection:
        await connection.execute(ASLEEP)


# One at a time. -----------------------------------------------------------------------------------


async def _offers(
    load: Load, calls: int
) -> tuple[list[float], list[float], tuple[list[float], int]]:
    """Call in incidents, a commit and a bare POST beside each; return the ms of all three."""
    commits, posts, since_ms = [], [], _now_ms()
    for _ in range(calls):
        next_at = perf_counter() + CALL_EVERY_S
        await _call(load)
        commits.append(
            await _timed(load.connection.execute("insert into bench_commit default values"))
        )
        posts.append(await _timed(load.bare.post(load.hook, content=BODY)))
        await asyncio.sleep(max(0.0, next_at - perf_counter()))
    return commits, posts, await _waits(load, since_ms)


def _now_ms() -> float:
    return SystemClock().now().timestamp() * 1000


async def _call(load: Load) -> None:
    key = {"Idempotency-Key": SystemClock().new_id()}
    answer = await load.client.post("/v1/incidents", json=next(load.calls), headers=key)
    assert answer.is_success, answer.text


async def _timed(work: Awaitable[object]) -> float:
    began = perf_counter()
    await work
    return (perf_counter() - began) * 1000


async def _waits(load: Load, since_ms: float) -> tuple[list[float], int]:
    """Return how long after its commit each offer's push came; and how many did not come."""
    till = perf_counter() + HEARD_WITHIN_S
    while True:
        rows = await load.connection.fetch(OFFERED, since_ms)
        told = await asyncio.to_thread(load.receiver.ask, "offers")
        came = {(device, seq): at for device, seq, at in told["offers"]}
        waits = [came[at] - row["at_ms"] for row in rows if (at := (row[0], row[1])) in came]
        if len(waits) == len(rows) or perf_counter() > till:
            return waits, len(rows) - len(waits)
        await asyncio.sleep(LOOK_EVERY_S)


# All at once. -------------------------------------------------------------------------------------


async def _bare(load: Load, posts: int) -> float:
    """Return how many bare POSTs a second the webhook takes, so many at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def post() -> None:
        async with places:
            await load.bare.post(load.hook, content=BODY)

    began = perf_counter()
    await asyncio.gather(*(post() for _ in range(posts)))
    return posts / (perf_counter() - began)


async def _flood(load: Load, phones: int, calls: int) -> Flood:
    """Send a notice to all; call in incidents meanwhile."""
    count = partial(asyncio.to_thread, load.receiver.ask, "count")
    before = (await count())["pushes"]
    since_ms, began = _now_ms(), perf_counter()
    notice = {"level": "warn", "text": "typhoon signal 8", "drill": False}
    key = {"Idempotency-Key": SystemClock().new_id()}
    answer = await load.client.post("/v1/notices", json=notice, headers=key)
    assert answer.is_success, answer.text
    calling = asyncio.create_task(_calls(load, calls))
    came = 0
    while came < phones and perf_counter() < began + FLOOD_S:
        await asyncio.sleep(LOOK_EVERY_S)
        came = (await count())["pushes"] - before
    spent_s = perf_counter() - began
    await calling
    offers_ms, unwoken = await _waits(load, since_ms)
    return Flood(came / spent_s, min(came, phones), offers_ms, unwoken)


async def _calls(load: Load, calls: int) -> None:
    for _ in range(calls):
        await _call(load)
        await asyncio.sleep(CALL_EVERY_S)
