"""One change to many who follow what happens: until the first and the last of them has it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple

import httpx

from bench.harness.child import Child, child
from bench.harness.incidents import Body, bodies
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import Filled, Serving, database, fill, folder, serving
from dispatch.api.follow import EVERY_S, PER_KEY, STREAMS_MOST
from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.clock import SystemClock, new_token
from dispatch.store.registry import registry
from schemas.base import KeyId

MOST_S: Final = 120.0
UNITS: Final = 2_000
READERS: Final = STREAMS_MOST - 56
"""Some streams are left to others."""
CHANGES: Final = 40
REQUEST: Final = (
    "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n"
    "Accept: text/event-stream\r\n\r\n"
)
PADDING: Final = "x" * 400
"""A line of the log is about so long."""
MS: Final = "ms"


class Key(NamedTuple):
    """A key to the API; every line of the log that it causes names it."""

    id: KeyId
    token: str


class Load(NamedTuple):
    """The service and the floor, each with its readers; keys of those who change something."""

    service: Serving
    calls: Iterator[Body]
    ours: Child
    bare: Child
    theirs: Child
    changers: list[Key]


class Told(NamedTuple):
    """One change: until the first and the last reader had it (ms), and who did not get it."""

    first_ms: float
    last_ms: float
    missed: int


def measure(scale: float) -> Found:
    """Tell readers of the floor and of ours in turn."""
    readers = max(8, int(READERS * scale))
    return asyncio.run(_measure(max(60, int(UNITS * scale)), readers, scale))


async def _measure(units: int, readers: int, scale: float) -> Found:
    changes = CHANGES if scale >= 1 else 2
    async with _loaded(units, readers, changes) as load:
        bare, told, spent_s = [], [], []
        for key in load.changers:
            bare.append(await _told_bare(load, readers))
            before_s = load.service.family().cpu_s()
            told.append(await _told(load, key, readers))
            spent_s.append(load.service.family().cpu_s() - before_s)
    return _found(readers, bare, told, sum(spent_s) / changes)


def _found(readers: int, bare: list[Told], told: list[Told], cpu_s: float) -> Found:
    last_bare = Row.of(f"a plain loop: until the last of {readers} has it", _last(bare), MS)
    last = Row.of(f"GET /v1/events: until the last of {readers} has it", _last(told), MS)
    look = Row.count("how often each stream looks for what is new", EVERY_S * 1000, MS)
    missed = float(sum(each.missed for each in told))
    return Found(
        rows=[
            Row.of("a plain loop: until the first has it", [t.first_ms for t in bare], MS),
            last_bare,
            Row.of("GET /v1/events: until the first has it", [t.first_ms for t in told], MS),
            last,
            look,
            Row.count("processor time of all processes, a change", cpu_s * 1000, "ms of CPU"),
            Row.count("readers that missed a change", missed, "readers"),
        ],
        ratios={
            "last reader, ours to a plain loop": ratio(last, last_bare),
            "last reader, to how often streams look": ratio(last, look),
        },
        marks={"readers that missed a change": Mark.at_most(0.0, missed)},
    )


def _last(told: list[Told]) -> list[float]:
    return [each.last_ms for each in told]


async def _told_bare(load: Load, readers: int) -> Told:
    """Let the plain loop write a line as long as ours to all."""
    mark = SystemClock().new_id()
    load.theirs.ask("watch", mark=mark)
    began_ms = _now_ms()
    load.bare.ask("tell", text=f"data: {mark}{PADDING}\n\n")
    return await _seen(load.theirs, readers, began_ms)


async def _told(load: Load, key: Key, readers: int) -> Told:
    """Open an incident; its first line names the key that opened it."""
    load.ours.ask("watch", mark=key.id)
    headers = {
        "Authorization": f"Bearer {key.token}",
        "Idempotency-Key": SystemClock().new_id(),
    }
    async with httpx.AsyncClient(base_url=load.service.url, timeout=10.0) as client:
        began_ms = _now_ms()
        answer = await client.post("/v1/incidents", json=next(load.calls), headers=headers)
        assert answer.is_success, answer.text
        return await _seen(load.ours, readers, began_ms)


async def _seen(readers: Child, count: int, began_ms: float) -> Told:
    at: list[float] = (await asyncio.to_thread(readers.ask, "seen"))["at"]
    assert at, "nobody saw the change"
    return Told(min(at) - began_ms, max(at) - began_ms, count - len(at))


def _now_ms() -> float:
    return SystemClock().now().timestamp() * 1000


@asynccontextmanager
async def _loaded(units: int, readers: int, changes: int) -> AsyncIterator[Load]:
    """Run the service and the floor, each with its readers."""
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(folder())
        filled = await fill(data, units, units)
        keys = await _keys(filled, -(-readers // PER_KEY) + changes)
        service = await stack.enter_async_context(
            serving(data, environment={"KAPOK_CANARY": "off"})
        )
        requests = [REQUEST.format(keys[n // PER_KEY].token) for n in range(readers)]
        ours = await _dialled(stack, service.port, requests)
        bare = stack.enter_context(child("bench.peers.bare_fanout"))
        theirs = await _dialled(stack, bare.facts["port"], ["hello\n"] * readers)
        yield Load(service, bodies(filled.city), ours, bare, theirs, keys[-changes:])


async def _dialled(stack: AsyncExitStack, port: int, requests: list[str]) -> Child:
    readers = stack.enter_context(child("bench.peers.followers", port=port, requests=requests))
    told = await asyncio.to_thread(readers.ask, "dial")
    assert told == {"told": len(requests), "lost": 0}, told
    return readers


async def _keys(filled: Filled, count: int) -> list[Key]:
    """Issue keys before the service starts: it knows them at once then."""
    clock = SystemClock()
    keys = [Key(KeyId(clock.new_id()), new_token(KEY_PREFIX)) for _ in range(count)]
    async with database(filled.folder) as dsn, registry(dsn) as opened:
        for key in keys:
            await opened.put_key(key.id, "bench", Role.DISPATCHER, "gz", token_hash(key.token))
    return keys
