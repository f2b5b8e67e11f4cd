"""Crowds: all phones gone and back at once, and phones that never read; callers are served."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from dispatch.auth import DEVICE_PREFIX, token_hash
from dispatch.cli.calls import Called, Caller
from dispatch.clock import new_token
from dispatch.gateway.limits import QUEUE_BYTES_MAX
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.registry import IssuedDevice, registry
from schemas.base import DeviceId, MemberId, Record, UnitId
from schemas.unit import Member, Unit, UnitKind
from schemas.wire import Close
from tests.faults.checker import Violation
from tests.faults.proxy import FINE, Proxy, Weather
from tests.faults.town import ANSWER_S, Town
from tests.faults.visitor import Visitor, visiting
from tests.faults.witness import Witness
from tests.patience import until

AWAY_S: Final = 2.0
"""So long nobody gets through who dials."""
BACK_S: Final = 60.0
"""Within this all phones are back."""
PER_MINUTE: Final = 60.0
HELLOS: Final = 25
"""Phones that say hello at the same time: an address may have 50."""
SOURCES: Final = 20
LONG: Final = "\N{FIRE}" * 1000
"""A notice of four kilobytes."""
NOTICES: Final = 120
"""More than the kernel and the queue of a phone that never reads hold together: enough for all."""
HEARD_S: Final = 3.0
DROPPED_S: Final = 30.0
"""A send that waits is given up after 10 s."""
LIVE_S: Final = 20.0
LOOK_S: Final = 0.5
SLOW: Final = f'code="{int(Close.SLOW_CONSUMER)}"'
IDLE_KB: Final = 32
BUFFER_KB: Final = 64
"""What a connection of asyncio keeps before it says that it is full."""
PHONE_KB: Final = IDLE_KB + BUFFER_KB + QUEUE_BYTES_MAX // 1024
"""What a phone that never reads may cost a service until it is dropped, beside `SPARE_MB`."""
SPARE_MB: Final = 40.0
"""What the others need meanwhile."""


Tell = Callable[[str, str], Awaitable[None]]
"""Sends a notice to all, to a service at an address."""


class Storm(Record, frozen=True, kw_only=True):
    """All phones gone at once: who called meanwhile, and when they were back."""

    calls: Called
    back_s: float | None
    slowest_answer_s: float

    def rows(self) -> list[tuple[str, object]]:
        """Return it as rows of a table."""
        return [
            ("storm, all back after, s", self.back_s),
            ("  calls answered", f"{self.calls.acknowledged} of {self.calls.sent}"),
            ("  slowest answer, s", self.slowest_answer_s),
        ]


class Deaf(Record, frozen=True, kw_only=True):
    """Phones that never read: how many were dropped for it, and the memory of all workers."""

    phones: int
    dropped: int
    before_mb: float
    most_mb: float
    seconds: float
    calls: Called

    def rows(self) -> list[tuple[str, object]]:
        """Return it as rows of a table."""
        return [
            ("never read, dropped", f"{self.dropped} of {self.phones}"),
            ("  after, s", self.seconds),
            ("  calls answered", f"{self.calls.acknowledged} of {self.calls.sent}"),
            ("  memory of workers, MB", f"{self.before_mb}, at most {self.most_mb}"),
        ]


def wrong_of_storm(storm: Storm) -> Iterator[Violation]:
    """Return what is wrong with a storm."""
    yield from unserved(storm.calls)
    if storm.back_s is None:
        yield Violation("not_back", f"phones are still away {BACK_S:.0f} s after a storm")


def wrong_of_deaf(deaf: Deaf) -> Iterator[Violation]:
    """Return what is wrong with phones that never read."""
    yield from unserved(deaf.calls)
    if deaf.dropped < deaf.phones:
        yield Violation("not_dropped", f"{deaf.phones - deaf.dropped} that never read are kept")
    most_mb = deaf.before_mb + SPARE_MB + deaf.phones * PHONE_KB / 1024
    if deaf.most_mb > most_mb:
        yield Violation("memory_unbounded", f"{deaf.most_mb:.0f} MB of at most {most_mb:.0f}")


def unserved(calls: Called) -> Iterator[Violation]:
    """Return the calls that had no answer at the first try, each within `ANSWER_S`."""
    if calls.repeated or calls.refused or calls.given_up or not calls.sent:
        yield Violation("not_served", str(calls))


RULES: Final = ("not_served", "not_back", "not_dropped", "memory_unbounded")


# All at once. -------------------------------------------------------------------------------------


async def storm(front: Proxy, fleet: Witness, caller: Caller) -> Storm:
    """Cut all phones off, let nobody in for a moment, and wait until all are back."""
    loop, back_s = asyncio.get_running_loop(), None
    async with calling(caller):
        began_s = loop.time()
        await front.turn(Weather(refuses=True))
        front.cut()
        await asyncio.sleep(AWAY_S)
        await front.turn(FINE)
        if await all_back(fleet, BACK_S):
            back_s = round(loop.time() - began_s, 1)
    slowest_ms = max((post.answered_ms - post.sent_ms for post in caller.posts), default=0.0)
    return Storm(calls=caller.called, back_s=back_s, slowest_answer_s=round(slowest_ms / 1000, 3))


@asynccontextmanager
async def calling(caller: Caller) -> AsyncIterator[None]:
    """Let somebody call until the end of the block, and have all answers."""
    stop = asyncio.Event()
    task = asyncio.create_task(caller.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def all_back(fleet: Witness, within_s: float) -> bool:
    """Wait until all phones are connected; tell whether they are."""
    return await came_true(lambda: len(fleet.here()) == len(fleet.phones), within_s)


async def came_true(true: Callable[[], bool], within_s: float) -> bool:
    """Wait for something; tell whether it came true."""
    try:
        await until(true, within_s)
    except TimeoutError:
        return False
    return True


# Who never reads. ---------------------------------------------------------------------------------


async def enrolled(town: Town, many: int) -> list[str]:
    """Register so many more phones, of units that are off duty; return their tokens."""
    home = town.phones[0]
    units = [
        Unit(
            id=UnitId(town.new_id()),
            code=f"deaf-{n}",
            name=f"deaf {n}",
            kind=UnitKind.VILLAGE,
            juris=town.city.jurisdictions[0].path,
            lon=home.lon,
            lat=home.lat,
        )
        for n in range(many)
    ]
    members = [
        Member(id=MemberId(town.new_id()), unit_id=unit.id, name=unit.name, leader=True)
        for unit in units
    ]
    tokens = [new_token(DEVICE_PREFIX) for _ in units]
    phones = [
        IssuedDevice(
            id=DeviceId(town.new_id()),
            unit_id=member.unit_id,
            member_id=member.id,
            token_hash=token_hash(token),
        )
        for member, token in zip(members, tokens, strict=True)
    ]
    async with EmbeddedPostgres(town.postgres) as server, registry(server.dsn) as registered:
        await registered.put_units(units)
        await registered.put_members(members)
        await registered.put_devices(phones)
    return tokens


async def never_read(
    tell: Tell,
    url: str,
    tokens: Sequence[str],
    workers: Sequence[int],
    fleet: Witness,
    caller: Caller,
) -> Deaf:
    """Say hello as all of these, read nothing, and be told more than anybody keeps for them."""
    before_mb = most_mb = memory_mb(workers)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with AsyncExitStack() as stack, calling(caller):
        deaf = await _deaf(stack, url, tokens)
        await stack.enter_async_context(_living(deaf))
        dropped, told = 0, 0
        while dropped < len(tokens) and told < NOTICES:
            await _told(tell, url, fleet)
            most_mb = max(most_mb, memory_mb(workers))
            dropped, told = await slow(url), told + 1
        till_s = loop.time() + DROPPED_S
        while dropped < len(tokens) and loop.time() < till_s:
            await asyncio.sleep(LOOK_S)
            most_mb = max(most_mb, memory_mb(workers))
            dropped = await slow(url)
    return Deaf(
        phones=len(tokens),
        dropped=dropped,
        before_mb=round(before_mb, 1),
        most_mb=round(most_mb, 1),
        seconds=round(loop.time() - began_s, 1),
        calls=caller.called,
    )


async def _told(tell: Tell, url: str, fleet: Witness) -> None:
    """Tell everybody, and let those who read do so before they are told more."""
    known = len(fleet.notes.noticed)
    with suppress(httpx.HTTPError, AssertionError):
        await tell(url, LONG)
        await came_true(lambda: len(fleet.notes.noticed) >= known + len(fleet.phones), HEARD_S)


async def _deaf(stack: AsyncExitStack, url: str, tokens: Sequence[str]) -> list[Visitor]:
    """Say hello as all of these; they are there until the stack is closed."""
    deaf = list[Visitor]()
    for start in range(0, len(tokens), HELLOS):
        some = tokens[start : start + HELLOS]
        source = f"127.0.3.{1 + start // HELLOS % SOURCES}"
        deaf += await asyncio.gather(*(_hello(stack, url, token, source) for token in some))
    return deaf


@asynccontextmanager
async def _living(deaf: Sequence[Visitor]) -> AsyncIterator[None]:
    """Let them all say now and then that they live: who is silent is closed for that."""
    living = asyncio.create_task(_say_that_they_live(deaf))
    try:
        yield
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living


async def _say_that_they_live(deaf: Sequence[Visitor]) -> None:
    while True:
        await asyncio.sleep(LIVE_S)
        for phone in deaf:
            await phone.say(t="ping", ts=0)


async def _hello(stack: AsyncExitStack, url: str, token: str, source: str) -> Visitor:
    deaf = await stack.enter_async_context(visiting(url, source, deaf=True))
    await deaf.hello(token)
    await deaf.hear("welcome")
    return deaf


async def slow(url: str) -> int:
    """Return how many sockets all workers have closed because nobody read; 0 if nobody says."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S) as client:
            return slow_in((await client.get("/metrics")).text)
    except httpx.HTTPError:
        return 0


def slow_in(text: str) -> int:
    """Return how many that are in a page of metrics."""
    counted = re.findall(rf"^kapok_closes_total{{.*{SLOW}.*}} (.*)$", text, re.MULTILINE)
    return int(sum(map(float, counted)))


def memory_mb(pids: Sequence[int]) -> float:
    """Return what processes have for themselves, with their part of what they share, in MB."""
    return sum(_proportional_kb(pid) for pid in pids) / 1024


def _proportional_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
