"""Crowds and bad manners: who floods, never reads or never finishes harms nobody but himself.

One service for all of them, with its town of well-behaved phones: those are never disconnected, and
every call is answered and offered, whatever the others do.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from dispatch.gateway.patience import HALF_S
from schemas.wire import Close
from tests.faults.running import Running
from tests.faults.town import CREATED, Town
from tests.faults.visitor import turned_away, visiting
from tests.faults.witness import Witness
from tests.patience import until, until_said

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.faults,
    pytest.mark.postgres,
]

NEVER_READ: Final = 50
STRANGERS: Final = NEVER_READ + 10
"""Phones of the town that misbehave; the others are the neighbours."""
CALLS: Final = 5
SLOWLORIS: Final = 100
HALVES: Final = (
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /v1/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n",
    b"",
)
PORCH: Final = 50
FLOOD: Final = 400
BAD: Final = 10
WHY: Final = {"why": "lost"}
ANYBODY: Final[dict[str, Any]] = {"needs": [{}]}
"""Few of the neighbours can give first aid: whoever is near will do."""
LONG: Final = "\N{FIRE}" * 1000
"""A notice of four kilobytes."""
NOTICES: Final = 120
"""More than the kernel and the queue of a phone that never reads hold together."""
QUEUES_MB: Final = 40
"""What so many full queues may cost, with room for what the neighbours need meanwhile."""


class Crowd:
    """The service, the neighbours, and those who misbehave."""

    def __init__(self, town: Town, service: Running, fleet: Witness) -> None:
        self.town, self.service, self.fleet = town, service, fleet
        self.strangers = town.phones[-STRANGERS:]
        self._doors = count()

    @property
    def url(self) -> str:
        """Where the service answers."""
        return self.service.url

    async def neighbours_are_served(self) -> bool:
        """Call in from new doors; tell whether all are taken and offered, and no line lost."""
        calls = [
            await self.town.post(
                self.url, "/v1/incidents", self.town.call(next(self._doors)) | ANYBODY
            )
            for _ in range(CALLS)
        ]
        taken = [call.json()["id"] for call in calls if call.status_code == CREATED]
        await until(lambda: set(taken) <= self.fleet.notes.rung_for)
        return len(taken) == CALLS and not self.fleet.tally.losses

    async def closed(self, code: Close, times: int) -> bool:
        """Tell whether the service says that it has closed so many sockets by a code."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            text = (await client.get("/metrics")).text
        name = f'kapok_closes_total{{worker="0",code="{int(code)}"}} '
        counts = [float(line[len(name) :]) for line in text.splitlines() if line.startswith(name)]
        return counts == [times]


def resident_mb(pid: int) -> float:
    """Return the memory that a process has in use, in MB."""
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection is dropped."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@asynccontextmanager
async def half(url: str, said: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Say half a request, and wait."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    yield reader
    writer.transport.abort()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(original: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    """A service with its town online; those who misbehave are off duty: nobody waits for them."""
    town = original.copied(tmp_path_factory.mktemp("crowd") / "data")
    neighbours = town.lines()[:-STRANGERS]
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Running.started(town.data))
        for phone in town.phones[-STRANGERS:]:
            path = f"/v1/units/{phone.unit}/duty"
            answer = await town.post(service.url, path, {"duty": "off"}, key=town.registrar)
            assert answer.status_code == 200, answer.text
        fleet = await stack.enter_async_context(Witness.started(neighbours, service.url))
        await until(lambda: fleet.online == len(neighbours))
        yield Crowd(town, service, fleet)


async def test_who_never_finishes_a_sentence_is_hung_up_on(crowd: Crowd) -> None:
    """Half a header, half a body, nothing at all; and sockets that never say hello: by 4100.

    Of the latter an address has so many at a time; one more is turned away.
    """
    async with AsyncExitStack() as stack:
        lines = [
            await stack.enter_async_context(half(crowd.url, HALVES[n % len(HALVES)]))
            for n in range(SLOWLORIS)
        ]
        silent = [
            await stack.enter_async_context(visiting(crowd.url, "127.0.9.1")) for _ in range(PORCH)
        ]
        async with visiting(crowd.url, "127.0.9.1") as one_more:
            assert await one_more.closed() == Close.OVERLOADED
        assert await crowd.neighbours_are_served()
        async with asyncio.timeout(HALF_S * 2):
            assert set(await asyncio.gather(*(ended(line) for line in lines))) == {b""}
            codes = await asyncio.gather(*(visitor.closed() for visitor in silent))
    assert Counter(codes) == {Close.HELLO_TIMEOUT: PORCH}


async def test_a_phone_that_floods_is_closed_and_others_are_served(crowd: Crowd) -> None:
    """Beyond its rate it is told so, then closed by 4103."""
    async with visiting(crowd.url) as visitor:
        await visitor.hello(crowd.strangers[0].token)
        await visitor.hear("welcome")
        for _ in range(FLOOD):
            await visitor.say(t="ping", ts=0)
        assert await crowd.neighbours_are_served()
        assert await visitor.closed() == Close.RATE_LIMITED


async def test_a_phone_that_talks_nonsense_is_closed(crowd: Crowd) -> None:
    """Ten frames that mean nothing within a minute are enough: 4107."""
    async with visiting(crowd.url) as visitor:
        await visitor.hello(crowd.strangers[1].token)
        await visitor.hear("welcome")
        for _ in range(BAD):
            await visitor.say(nonsense=True)
        assert await visitor.closed() == Close.TOO_MANY_ERRORS
    assert await crowd.neighbours_are_served()


async def test_a_revoked_phone_is_cut_off_and_nothing_of_it_counts(crowd: Crowd) -> None:
    """Closed by 4002 in the midst; its token opens nothing afterwards, by socket or by HTTP."""
    stranger = crowd.strangers[2]
    async with visiting(crowd.url) as visitor:
        await visitor.hello(stranger.token)
        await visitor.hear("welcome")
        path = f"/v1/devices/{stranger.device}/revoke"
        answer = await crowd.town.post(crowd.url, path, WHY, key=crowd.town.registrar)
        assert answer.status_code == 200, answer.text
        assert await visitor.closed() == Close.DEVICE_REVOKED
    assert await turned_away(crowd.url, stranger.token) == Close.AUTH_INVALID
    said = await crowd.town.post(crowd.url, "/v1/device/messages", {}, key=stranger.token)
    assert said.status_code == 401
    assert await crowd.neighbours_are_served()


async def test_phones_that_never_read_are_dropped_and_cost_a_bounded_memory(crowd: Crowd) -> None:
    """Each is closed by 4102 once its queue is full; neighbours hear every notice."""
    fleet = crowd.fleet
    known = len(fleet.notes.noticed)
    async with AsyncExitStack() as stack:
        for phone in crowd.strangers[-NEVER_READ:]:
            deaf = await stack.enter_async_context(visiting(crowd.url, deaf=True))
            await deaf.hello(phone.token)
            await deaf.hear("welcome")
        before_mb = resident_mb(crowd.service.worker)
        for _ in range(NOTICES):
            await crowd.town.notify(crowd.url, LONG)
        await until(lambda: len(fleet.notes.noticed) == known + NOTICES * len(fleet.phones))
        assert await crowd.neighbours_are_served()
        await until_said(lambda: crowd.closed(Close.SLOW_CONSUMER, NEVER_READ))
        assert resident_mb(crowd.service.worker) < before_mb + QUEUES_MB
