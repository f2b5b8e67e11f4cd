"""Kill -9: until all phones are back, until an offer can be heard, until a decision is durable."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    suppress,
)
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import asyncpg
import httpx

from bench.harness.child import Child, child, inheriting
from bench.harness.crowd import crowd, dialled
from bench.harness.incidents import Body, bodies
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import DATABASE, Filled, fill, folder, free_port, migrated
from bench.peers.port import listener
from dispatch.clock import SystemClock
from dispatch.gateway.limits import spread_s
from dispatch.store.embedded import EmbeddedPostgres

MOST_S: Final = 400.0
UNITS: Final = 23_334
PHONES: Final = 19_000
"""As many as one process may have open files."""
FIXES_PER_S: Final = 2_300
BACK_WITHIN_S: Final = 120.0
BEFORE_AGAIN_S: Final = 0.2
"""How long the parent of a service waits before it starts a dead worker again."""
CALL_EVERY_S: Final = 0.2
LOOK_EVERY_S: Final = 0.05
KILLS: Final = 3
"""Of the database, for each of those who wait for it."""
SETTLE_S: Final = 1.0
FLOOR: Final = "bare websockets"
OURS: Final = "ours"

Start = Callable[[], AbstractContextManager[Child]]


class Back(NamedTuple):
    """What came of a kill: seconds until each phone was back, and the longest stall meanwhile."""

    phones_s: list[float]
    out: int
    started_s: float
    stall_ms: float


def measure(scale: float) -> Found:
    """Kill the bare server, our worker, and the database, one after the other."""
    phones = max(60, int(PHONES * scale))
    units = max(60, int(UNITS * scale))
    floor = bare(units, phones, FIXES_PER_S * scale)
    ours, offer_s, commits = asyncio.run(_ours(units, phones, scale))
    rows = {name: _last(name, back, phones) for name, back in ((FLOOR, floor), (OURS, ours))}
    database = {name: Row.of(what, commits[name], "s") for name, what in COMMITS.items()}
    first = Row.count("ours: until a phone has heard an offer again", offer_s, "s")
    return Found(
        rows=[
            *rows.values(),
            *(
                Row.of(f"{name}: until a phone is back", back.phones_s, "s")
                for name, back in ((FLOOR, floor), (OURS, ours))
            ),
            *(
                Row.count(f"{name}: until the server listens again", back.started_s, "s")
                for name, back in ((FLOOR, floor), (OURS, ours))
            ),
            *(
                Row.count(f"{name}: longest stall meanwhile", back.stall_ms, "ms")
                for name, back in ((FLOOR, floor), (OURS, ours))
            ),
            first,
            *database.values(),
        ],
        ratios={
            "all phones back, ours to bare websockets": ratio(rows[OURS], rows[FLOOR]),
            "first commit after the database is killed, ours to asyncpg": ratio(
                database[OURS], database[FLOOR]
            ),
        },
        marks={
            f"all of {phones:,} phones back, s": Mark.at_most(60.0, rows[OURS].median),
            "phones that did not come back": Mark.at_most(0.0, float(ours.out)),
            "first offer heard, s": Mark.at_most(10.0, offer_s),
            "longest stall meanwhile, ms": Mark.at_most(150.0, ours.stall_ms),
        },
    )


COMMITS: Final = {
    FLOOR: "database killed: until asyncpg has inserted a row durably",
    OURS: "database killed: until ours has answered a POST of an incident",
}


def _last(name: str, back: Back, phones: int) -> Row:
    what = f"{name}: until all of {phones:,} phones are back"
    return Row.count(what, max(back.phones_s), "s") if back.phones_s else Row.missing(what)


# The floor. ---------------------------------------------------------------------------------------


def bare(units: int, phones: int, per_s: float) -> Back:
    """Kill a bare server and start it again on its port, before the same phones."""
    port = free_port()
    start = partial(child, "bench.peers.bare_websockets", units=units, port=port, watching=True)
    with ExitStack() as stack:
        server = stack.enter_context(start())
        talkers = stack.enter_context(
            child("bench.peers.talkers", port=port, phones=phones, spread_s=spread_s(phones))
        )
        asyncio.run(_talking(talkers, phones, per_s))
        killed = _kill(server)
        again = stack.enter_context(start())
        started_s = _now_s() - killed
        return asyncio.run(_back(again, talkers, killed, started_s))


async def _talking(talkers: Child, phones: int, per_s: float) -> None:
    await dialled(talkers, phones)
    talkers.ask("begin", per_s=max(1.0, per_s))


def _kill(server: Child) -> float:
    at = _now_s()
    server.kill()
    return at


def _now_s() -> float:
    return SystemClock().now().timestamp()


async def _back(server: Child, talkers: Child, killed_s: float, started_s: float) -> Back:
    """Wait until all phones are back, or the time is over."""
    ask = partial(asyncio.to_thread, talkers.ask, "returns")
    told, till = await ask(), perf_counter() + BACK_WITHIN_S
    while told["out"] and perf_counter() < till:
        await asyncio.sleep(LOOK_EVERY_S)
        told = await ask()
    stall_ms = (await asyncio.to_thread(server.ask, "stall"))["stall_ms"]
    back: list[float] = (await asyncio.to_thread(talkers.ask, "came_back"))["ms"]
    seconds = [at / 1000 - killed_s for at in back]
    return Back(seconds, told["out"], started_s, stall_ms)


# Ours. --------------------------------------------------------------------------------------------


async def _ours(
    units: int, phones: int, scale: float
) -> tuple[Back, float, dict[str, list[float]]]:
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(folder())
        filled = await fill(data, units, phones)
        dsn = await stack.enter_async_context(watched(data))
        port = stack.enter_context(listener())
        fd = port.fileno()
        start = partial(inheriting, (fd,), "bench.peers.our_worker", dsn=dsn, fd=fd)
        worker = await _started(stack, start)
        lost_s = spread_s(phones)
        talkers = stack.enter_context(crowd(filled.issued, port.getsockname()[1], lost_s))
        await _talking(talkers, phones, FIXES_PER_S * scale)
        client = await stack.enter_async_context(_client(filled, port.getsockname()[1]))
        killed = _kill(worker)
        await asyncio.sleep(BEFORE_AGAIN_S)
        calls = asyncio.create_task(until_heard(client, filled, talkers, killed))
        again = await _started(stack, start)
        back = await _back(again, talkers, killed, _now_s() - killed)
        offer_s = await calls
        commits = await databases(client, filled, data, dsn, KILLS if scale >= 1 else 1)
        return back, offer_s, commits


async def _started(stack: AsyncExitStack, start: Start) -> Child:
    """Start a worker; its start is waited for beside the loop."""
    context = start()
    worker = await asyncio.to_thread(context.__enter__)
    stack.push(context)
    return worker


@asynccontextmanager
async def watched(data: Path) -> AsyncIterator[str]:
    """Run the database of a data folder, brought back whenever it ends, as the service does."""
    async with EmbeddedPostgres(data / DATABASE) as server:
        await migrated(server.dsn)
        watch = asyncio.create_task(server.watch())
        try:
            yield server.dsn
        finally:
            watch.cancel()


@asynccontextmanager
async def _client(filled: Filled, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client whose every request dials: the one before it may lead to a dead worker."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers=filled.headers | {"Connection": "close"},
        timeout=10.0,
    ) as client:
        yield client


async def until_heard(
    client: httpx.AsyncClient, filled: Filled, talkers: Child, killed_s: float
) -> float:
    """Call in incidents until a phone hears an offer; return the seconds since the kill."""
    posted: set[str] = set()
    calls = bodies(filled.city)
    till = perf_counter() + BACK_WITHIN_S
    while perf_counter() < till:
        if (made := await post(client, next(calls))) is not None:
            posted.add(made)
        told = await asyncio.to_thread(talkers.ask, "offers")
        heard = [at for iid, (_, at) in told["offers"].items() if iid in posted]
        if heard:
            return float(min(heard)) / 1000 - killed_s
        await asyncio.sleep(CALL_EVERY_S)
    return float("inf")


async def post(client: httpx.AsyncClient, body: Body) -> str | None:
    """Post an incident once; return its id, None where nobody took it."""
    try:
        answer = await client.post(
            "/v1/incidents", json=body, headers={"Idempotency-Key": SystemClock().new_id()}
        )
    except httpx.TransportError:
        return None
    made: str | None = answer.json()["id"] if answer.is_success else None
    return made


# The database. ------------------------------------------------------------------------------------


async def databases(
    client: httpx.AsyncClient, filled: Filled, data: Path, dsn: str, kills: int
) -> dict[str, list[float]]:
    """Kill the database for each in turn; return the seconds until its first durable commit."""
    calls = bodies(filled.city)
    await _insert(dsn, "create table bench_commit (at timestamptz default now())")

    async def ours() -> bool:
        return await post(client, next(calls)) is not None

    waiting: dict[str, Callable[[], Awaitable[bool]]] = {
        FLOOR: partial(_insert, dsn, "insert into bench_commit default values"),
        OURS: ours,
    }
    found: dict[str, list[float]] = {name: [] for name in waiting}
    for _ in range(kills):
        for name, committed in waiting.items():
            await asyncio.sleep(SETTLE_S)
            found[name].append(await _killed(data, committed))
    return found


async def _killed(data: Path, committed: Callable[[], Awaitable[bool]]) -> float:
    postmaster = int((data / DATABASE / "postmaster.pid").read_text().split()[0])
    began = perf_counter()
    os.kill(postmaster, signal.SIGKILL)
    async with asyncio.timeout(BACK_WITHIN_S):
        while not await committed():  # noqa: ASYNC110 - a commit has no event to wait for
            await asyncio.sleep(LOOK_EVERY_S / 10)
    return perf_counter() - began


async def _insert(dsn: str, statement: str) -> bool:
    """Connect and commit once; say whether that went well."""
    with suppress(
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
    ):
        connection = await asyncpg.connect(dsn, timeout=3.0)
        try:
            await connection.execute(statement)
        finally:
            connection.terminate()
        return True
    return False
