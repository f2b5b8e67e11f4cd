"""The bus: a city's positions from one process to two others, and a question to one of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

from bench.harness.child import Child, child, cpu_s
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.serving import folder
from dispatch.bus.server import NatsServer

MOST_S: Final = 120.0
HEARERS: Final = 2
PER_S: Final = 2_300
BYTES: Final = 48
BATCHES_PER_S: Final = 10
ROUNDS: Final = 3
ROUND_S: Final = 1.5
QUESTIONS: Final = 300
SETTLE_S: Final = 0.3
MS: Final = "ms"
FLOOR: Final = "bare sockets, one hop"
OURS: Final = "our bus over NATS"
MODULE: Final = "bench.peers.bus_member"


class Way(NamedTuple):
    """How positions are put into messages."""

    name: str
    bytes: int
    per_s: float


class Party(NamedTuple):
    """One who speaks and those who hear."""

    mouth: Child
    ears: list[Child]


class Spoken(NamedTuple):
    """What came of speaking: how long messages were under way (ms), and how many were lost."""

    ms: list[float]
    lost: int


def measure(scale: float) -> Found:
    """Speak over both in turn, then put questions."""
    return asyncio.run(_measure(scale))


async def _measure(scale: float) -> Found:
    rounds, seconds = (ROUNDS, ROUND_S) if scale >= 1 else (1, 0.3)
    per_s = max(BATCHES_PER_S, int(PER_S * scale))
    ways = (
        Way("in batches of 100 ms", BYTES * per_s // BATCHES_PER_S, BATCHES_PER_S),
        Way("one by one", BYTES, per_s),
    )
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(folder())
        server = await stack.enter_async_context(NatsServer(data / "nats"))
        parties = {
            FLOOR: await stack.enter_async_context(_party(None)),
            OURS: await stack.enter_async_context(_party(server.url)),
        }
        found = await _in_turn(parties, ways, rounds, seconds)
        broker_us = await _broker_us(parties[OURS], server.pid, ways[1], seconds)
        times = QUESTIONS if scale >= 1 else 20
        asked = await asyncio.to_thread(parties[OURS].mouth.ask, "ask", name="ear-0", times=times)
        trips = await _trips(times)
    return _found(
        ways, found, broker_us, Row.of(f"{OURS}: a question and its answer", asked["ms"], MS), trips
    )


def _found(
    ways: tuple[Way, ...],
    found: dict[tuple[str, str], Spoken],
    broker_us: float,
    asked: Row,
    trips: Row,
) -> Found:
    rows = {key: Row.of(f"{key[0]}: {key[1]}", spoken.ms, MS) for key, spoken in found.items()}
    lost = float(sum(spoken.lost for (who, _), spoken in found.items() if who == OURS))
    batches, single = ((rows[OURS, way.name], rows[FLOOR, way.name]) for way in ways)
    return Found(
        rows=[
            *rows.values(),
            trips,
            asked,
            Row.count("processor time of the NATS server, a position one by one", broker_us, "us"),
            Row.count("messages of ours that were not heard", lost, "messages"),
        ],
        ratios={
            "in batches, ours to bare sockets": ratio(*batches),
            "one by one, ours to bare sockets": ratio(*single),
            "question, to a bare round trip": ratio(asked, trips),
        },
        marks={"messages of ours that were not heard": Mark.at_most(0.0, lost)},
    )


async def _in_turn(
    parties: dict[str, Party], ways: tuple[Way, ...], rounds: int, seconds: float
) -> dict[tuple[str, str], Spoken]:
    """Speak in every way over each of them in turn; the first round is not counted."""
    found = {(who, way.name): Spoken([], 0) for way in ways for who in parties}
    for turn in range(rounds + 1):
        for way in ways:
            for who, party in parties.items():
                spoken = await _speak(party, way, seconds)
                if turn:
                    before = found[who, way.name]
                    lost = before.lost + spoken.lost
                    found[who, way.name] = Spoken(before.ms + spoken.ms, lost)
    return found


async def _speak(party: Party, way: Way, seconds: float) -> Spoken:
    ask = partial(party.mouth.ask, "speak", size=way.bytes, per_s=way.per_s, seconds=seconds)
    told = await asyncio.to_thread(ask)
    await asyncio.sleep(SETTLE_S)
    heard = [await asyncio.to_thread(ear.ask, "heard") for ear in party.ears]
    times = [ms for each in heard for ms in each["ms"]]
    return Spoken(times, told["sent"] * len(party.ears) - len(times))


async def _broker_us(party: Party, pid: int, way: Way, seconds: float) -> float:
    """Return what a message costs the server between, in microseconds of processor time."""
    before = cpu_s(pid)
    await _speak(party, way, seconds)
    return (cpu_s(pid) - before) / (way.per_s * seconds) * 1e6


async def _trips(times: int) -> Row:
    """Measure the floor of a question: there and back on a bare socket."""
    took = []
    with child("bench.peers.echo") as echo:
        reader, writer = await asyncio.open_connection("127.0.0.1", echo.facts["port"])
        for _ in range(times):
            began = perf_counter()
            writer.write(b"there?")
            await reader.readexactly(6)
            took.append((perf_counter() - began) * 1000)
        writer.close()
    return Row.of("bare sockets: there and back", took, MS)


@asynccontextmanager
async def _party(url: str | None) -> AsyncIterator[Party]:
    """Start one who speaks and those who hear, on the bus at an address, else on bare sockets."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Child:
            context = child(MODULE, **options)
            member = await asyncio.to_thread(context.__enter__)
            stack.push(context)
            return member

        ears = [await start(name=f"ear-{n}", url=url) for n in range(HEARERS)]
        ports = None if url else [ear.facts["port"] for ear in ears]
        yield Party(await start(name="mouth", url=url, ports=ports), ears)
