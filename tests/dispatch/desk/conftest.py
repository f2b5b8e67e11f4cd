"""A small city in a database of the test's own, and a desk that serves it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from dispatch.bus.local import LocalBus, Wire
from dispatch.cli.city import IssuedPhone, register
from dispatch.store.registry import registry
from geo.city import City
from tests.cities import small_city
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.processes import Begin, Process, settled
from tests.dispatch.desk.station import Station
from tests.fakes import ManualClock
from tests.patience import until

Start = Callable[..., Awaitable[Station]]


@pytest.fixture(scope="session")
def city() -> City:
    """Two hundred units around the city's centre."""
    return small_city(200)


@pytest.fixture
def clock() -> ManualClock:
    """The one clock of all processes of a test."""
    return ManualClock()


@pytest_asyncio.fixture
async def issued(database: str, city: City, clock: ManualClock) -> list[IssuedPhone]:
    """A phone for each unit of the city, all on duty."""
    async with registry(database) as registered:
        return await register(registered, city, 200, clock.new_id, lambda *_: None)


@pytest_asyncio.fixture
async def start(
    database: str, issued: list[IssuedPhone], clock: ManualClock
) -> AsyncIterator[Start]:
    """Start a process over the database, or over another way to it; any number of times."""
    started: list[Station] = []

    async def begin(dsn: str = database) -> Station:
        started.append(await Station.start(dsn, clock, issued))
        return started[-1]

    yield begin
    for station in started:
        await station.store.close()


@pytest_asyncio.fixture
async def station(start: Start) -> Station:
    """One process."""
    return await start()


@pytest_asyncio.fixture
async def line(database: str) -> AsyncIterator[Line]:
    """A way to the database that can be cut."""
    made = Line(database)
    await made.mend()
    yield made
    await made.cut()


@pytest.fixture
def joining() -> Wire:
    """What connects the processes."""
    return Wire()


@pytest_asyncio.fixture
async def begin(start: Start, clock: ManualClock, joining: Wire) -> AsyncIterator[Begin]:
    """Start a process that joins the others."""
    begun: list[Process] = []

    async def started(on: Wire = joining, *, dead: bool = False, join_s: float = 5.0) -> Process:
        process = Process(await start(), clock, LocalBus(on), dead=dead, join_s=join_s)
        await process.peers.join()
        begun.append(process)
        for other in begun:
            await other.peers.pulse()
            await other.peers.beat()
        await settled()
        return process

    yield started
    for process in begun:
        await process.peers.leave()


@pytest_asyncio.fixture
async def pair(begin: Begin) -> tuple[Process, Process]:
    """Two processes that know each other."""
    first, second = await begin(), await begin()
    await until(lambda: bool(first.peers.others()) and bool(second.peers.others()))
    await first.peers.look()
    await second.peers.look()
    return first, second
