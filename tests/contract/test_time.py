"""What the stores say of the time, and what is written down about it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from dispatch.core.service_time import Offset
from dispatch.ports import LIVE_S, Node, NodeId, Store
from dispatch.store.memory import MemoryStore
from dispatch.store.postgres import PostgresStore
from tests.fakes import START, ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

HOUR: Final = timedelta(hours=1)
SOON: Final = timedelta(seconds=30)
EXACT: Final = timedelta(microseconds=5)


@pytest_asyncio.fixture
async def store(address: str | None) -> AsyncIterator[Store]:
    """A store of each kind."""
    if address is None:
        yield MemoryStore(ManualClock().now)
        return
    postgres = await PostgresStore.open(address)
    yield postgres
    await postgres.close()


def node(started_at: datetime, name: str = "node-a") -> Node:
    """Return a process."""
    return Node(id=NodeId(name), host="boot-1", pid=7, started_at=started_at)


async def test_at_first_the_service_goes_by_the_database(store: Store) -> None:
    """No offset, no process, and nothing that was reached."""
    reading = await store.time()
    assert reading.time == reading.first == reading.at
    assert reading.offset == Offset()
    assert reading.claims == ()
    assert (await store.time()).at >= reading.at


async def test_of_two_who_notice_a_step_one_writes_it_down(store: Store) -> None:
    """The other's is of the same version, and changes nothing; the next step has the next one."""
    reading = await store.time()
    first = reading.offset.keeping(reading.time - HOUR, reading.at)
    second = reading.offset.keeping(reading.time + HOUR, reading.at)
    assert await store.set_offset(first)
    assert not await store.set_offset(second)
    assert (await store.time()).offset == first
    assert not await store.set_offset(replace(first, version=7))
    assert await store.set_offset(replace(second, version=2))
    assert (await store.time()).offset.seconds == HOUR.total_seconds()


async def test_what_was_reached_only_grows(store: Store) -> None:
    """Whoever comes later with less."""
    await store.reach(START)
    await store.reach(START - HOUR)
    assert (await store.time()).reached == START
    await store.reach(START + HOUR)
    assert (await store.time()).reached == START + HOUR


async def test_processes_say_their_own_time_with_their_beat(store: Store) -> None:
    """As seconds ahead of the store's clock; who has left says nothing any more."""
    at = (await store.time()).at
    await store.beat(node(at), at + HOUR)
    (claim,) = (await store.time()).claims
    assert HOUR - SOON <= timedelta(seconds=claim) <= HOUR
    await store.leave(node(at).id)
    assert (await store.time()).claims == ()


async def test_who_does_not_say_or_has_just_started_is_not_counted(store: Store) -> None:
    """A build that knows of no such thing, and one that may have a stepped clock's time itself."""
    at = (await store.time()).at
    await store.beat(node(at))
    await store.beat(node(at, "node-b"), at + timedelta(seconds=LIVE_S - 0.1))
    assert (await store.time()).claims == ()
    await store.beat(node(at, "node-b"), at + timedelta(seconds=LIVE_S))
    assert len((await store.time()).claims) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("aged", [timedelta(seconds=LIVE_S + 1), -timedelta(seconds=LIVE_S + 30)])
async def test_what_was_said_before_a_step_is_not_heard_after_it(
    database: str, aged: timedelta
) -> None:
    """It lies too long before the clock, or after it."""
    store, keeper = await PostgresStore.open(database), await asyncpg.connect(database)
    at = (await store.time()).at
    await store.beat(node(at - HOUR), at)
    assert len((await store.time()).claims) == 1
    await keeper.execute("update node set seen_at = seen_at - $1::interval", aged)
    assert (await store.time()).claims == ()
    await keeper.close()
    await store.close()


@pytest.mark.postgres
async def test_a_table_without_its_row_is_told(database: str) -> None:
    """Somebody has deleted it by hand: no time is made up."""
    store, keeper = await PostgresStore.open(database), await asyncpg.connect(database)
    await keeper.execute("delete from clock")
    with pytest.raises(LookupError, match="clock"):
        await store.time()
    await keeper.close()
    await store.close()


@pytest.mark.postgres
async def test_statements_and_processes_have_the_same_time(database: str) -> None:
    """`service_time()` in SQL is the function of the processes, whatever is left of a step."""
    keeper = await asyncpg.connect(database)
    for seconds in (0.0, 3600.0, -3600.0, 12.345678, -100_000.0):
        for ago_s in (-50.0, 0.0, 10.5, 36_000.0, 1e6):
            await keeper.execute(
                "update clock set offset_s = $1, since = clock_timestamp() - $2::interval",
                seconds,
                timedelta(seconds=ago_s),
            )
            row = await keeper.fetchrow(
                "select clock_timestamp() as before, service_time() as time,"
                " clock_timestamp() as after, since from clock"
            )
            assert row is not None
            offset = Offset(seconds=seconds, since=row["since"])
            least, most = offset.time(row["before"]), offset.time(row["after"])
            assert least - EXACT <= row["time"] <= most + EXACT
    await keeper.close()
