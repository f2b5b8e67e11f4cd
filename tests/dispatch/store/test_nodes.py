"""Processes on PostgreSQL: what a beat never waits for; the rest is in the contract of stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec
import pytest

from dispatch.ports import Answer, Binding, Node, NodeId, Once
from dispatch.store.connection import Connection
from dispatch.store.pools import CONNECTIONS, DESK_CONNECTIONS, SIDE_CONNECTIONS
from dispatch.store.postgres import PostgresStore
from schemas.base import DeviceId
from tests.contract.stores import register
from tests.fakes import START

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

ME: Final = Node(id=NodeId("node-a"), host="boot-1", pid=7, started_at=START)
WORKERS: Final = 8
COMMANDS: Final = 20
SOON_S: Final = 5
WAITING: Final = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
DONE: Final = Answer(status=200, body=msgspec.Raw(b"{}"))


async def test_a_beat_has_a_connection_of_its_own(database: str) -> None:
    """Whatever reads and decisions are under way, it does not queue behind them."""
    store = await PostgresStore.open(database)
    drivers = [store._side._driver] * SIDE_CONNECTIONS + [store._desk._driver] * DESK_CONNECTIONS
    held = [(driver, await driver.acquire()) for driver in drivers]
    async with asyncio.timeout(SOON_S):
        assert (await store.beat(ME)).others == ()
    for driver, connection in held:
        await driver.release(connection)
    await store.close()


async def test_a_beat_waits_for_no_standby(database: str) -> None:
    """Where nothing can be committed durably any more, a process and its phones still count."""
    await register(database)
    keeper = await asyncpg.connect(database)
    async with _silent_standby(keeper):
        store = await PostgresStore.open(database)
        write = asyncio.create_task(
            store.remember(Once(scope="s", id="1", digest=b"d"), DONE, START)
        )
        await _waits(keeper)
        async with asyncio.timeout(SOON_S):
            await store.beat(ME)
            hello = Binding(device_id=DeviceId("d1"), at=START)
            assert await store.bind(ME.id, [hello]) == []
            await store.leave(ME.id)
        assert not write.done()
    await write
    await store.close()
    await keeper.close()


async def test_the_connections_of_eight_workers_fit_our_server(postgres_dsn: str) -> None:
    """With one more that takes over from another, and with commands at work beside them."""
    keeper = await asyncpg.connect(postgres_dsn)
    most = int(await keeper.fetchval("show max_connections"))
    kept = int(await keeper.fetchval("show superuser_reserved_connections"))
    assert most - kept >= (WORKERS + 1) * CONNECTIONS + COMMANDS
    await keeper.close()


async def test_two_databases_of_one_server_are_two_installations(
    database: str, postgres_dsn: str
) -> None:
    """All processes on one of them share its name."""
    stores = [await PostgresStore.open(dsn) for dsn in (database, database, postgres_dsn)]
    one, same, other = [await store.installation() for store in stores]
    assert one == same != other
    for store in stores:
        await store.close()


@asynccontextmanager
async def _silent_standby(keeper: Connection) -> AsyncIterator[None]:
    """Let commits of this database wait for a standby that there is not; others go on."""
    name = await keeper.fetchval("select current_database()")
    await keeper.execute(f"alter database {name} set synchronous_commit = 'on'")
    await keeper.execute("alter system set synchronous_standby_names = 'nobody'")
    await keeper.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        await keeper.execute("alter system reset synchronous_standby_names")
        await keeper.execute("select pg_reload_conf()")


async def _waits(keeper: Connection) -> None:
    """Return when a commit waits for the standby."""
    async with asyncio.timeout(SOON_S):
        while not await keeper.fetchval(WAITING):  # noqa: ASYNC110 - no server tells of its waits
            await asyncio.sleep(0.01)
