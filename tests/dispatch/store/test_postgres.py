"""The store on PostgreSQL: what only it has; the rest is in the contract of all stores."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

import asyncpg
import pytest

from dispatch.core.commands import Cancel
from dispatch.ports import StoreAway
from dispatch.store.connection import Connection
from dispatch.store.pools import CONNECTIONS, SIDE_CONNECTIONS
from dispatch.store.postgres import PostgresStore
from schemas.base import DeviceId, IncidentId
from schemas.unit import Unit
from tests.contract.stores import register
from tests.contract.town import TWO, Town
from tests.patience import until_said

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
WRITTEN: Final = (
    (
        "insert into outbox (device_id, seq, ref, at, expires_at, frame)"
        " values ('d1', 1, 'n1', now(), now(), '{}')"
    ),
    (
        "insert into notice (id, level, text, juris, by, at, expires_at, need_read, drill, rev,"
        " frame) values ('n1', 'info', '', 'gz', '', now(), now(), false, false, 1, '{}');"
        "insert into receipt (notice_id, device_id) values ('n1', 'd1')"
    ),
)
WAITING: Final = 2_000
"""Frames, and tasks long ended, of others: far more than a decision has to do with."""
OTHERS: Final = """
insert into incident select (jsonb_populate_record(i, '{"id": "old"}')).* from incident i;
insert into assignment
select (jsonb_populate_record(a, jsonb_build_object(
    'id', 'a' || n, 'incident_id', 'old', 'offer_id', null, 'ended_at', now()))).*
from assignment a, generate_series(1, 2000) n;
insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
select 'x' || n, 1, 'old', 'x', now(), now() + interval '1 day', '{"t": "offer"}'
from generate_series(1, 2000) n;
"""
ROWS_READ: Final = """
select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as rows
from pg_stat_user_tables
where relname in ('outbox', 'assignment')
"""
BACKENDS: Final = """
select count(*) from pg_stat_activity
where application_name = 'kapok' and datname = current_database()
"""
NOWHERE: Final = "postgresql://kapok@127.0.0.1:1/kapok"


async def test_a_database_that_is_not_there_is_away() -> None:
    """Not an error of the driver."""
    with pytest.raises(StoreAway):
        await PostgresStore.open(NOWHERE)


async def test_a_closed_store_is_away(database: str) -> None:
    """Whatever is asked of it."""
    store = await PostgresStore.open(database)
    await store.close()
    for look in (store.time(), store.load(IncidentId("i1"), None), store.keys()):
        with pytest.raises(StoreAway):
            await look


async def test_decisions_have_connections_of_their_own(database: str) -> None:
    """However many reads are under way, a decision does not queue behind them."""
    store = await PostgresStore.open(database)
    held = [await store._side._driver.acquire() for _ in range(SIDE_CONNECTIONS)]
    async with asyncio.timeout(5):
        loaded = await store.load(IncidentId("i1"), None)
    assert loaded.case is None
    for connection in held:
        await store._side._driver.release(connection)
    open_now = await asyncpg.connect(database)
    count = await open_now.fetchval(
        "select count(*) from pg_stat_activity"
        " where application_name = 'kapok' and datname = current_database()"
    )
    assert count == CONNECTIONS
    await open_now.close()
    await store.close()


async def test_a_lock_is_waited_for_a_second(database: str) -> None:
    """Then the store counts as away, so that a caller hears within its bound."""
    store = await PostgresStore.open(database)
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("lock table due")
        with pytest.raises(StoreAway, match="lock timeout"):
            await store.drop_due(1)
    await other.close()
    await store.drop_due(1)
    assert await store.next_due() is None
    await store.close()


async def test_a_connection_that_was_ended_is_replaced(database: str) -> None:
    """The call that was on it is told that the store was away; the next one works."""
    store = await PostgresStore.open(database)
    other = await asyncpg.connect(database)
    await other.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'kapok' and datname = current_database()"
    )
    answers = [await _tried(store.keys()) for _ in range(2 * SIDE_CONNECTIONS)]
    assert answers[-1]
    await other.close()
    await store.close()


async def test_a_server_that_only_reads_is_away_until_it_writes_again(database: str) -> None:
    """A primary that became a standby: reads of it would tell what is past, so they end too."""
    store, other = await PostgresStore.open(database), await asyncpg.connect(database)
    try:
        await _all_of_it(other, "alter system set default_transaction_read_only = on")
        await until_said(lambda: _failed(store.drop_due(1)))
        with pytest.raises(StoreAway, match="None of the hosts"):
            await store.time()
        with pytest.raises(StoreAway, match="None of the hosts"):
            await PostgresStore.open(database)
    finally:
        await _all_of_it(other, "alter system reset default_transaction_read_only")
    await until_said(lambda: _tried(store.drop_due(1)))
    assert await store.next_due() is None
    await other.close()
    await store.close()


async def test_a_decision_reads_what_it_is_about(database: str) -> None:
    """However much waits for other phones: its plans were made when there was nothing else."""
    await register(database)
    store = await PostgresStore.open(database)
    town = Town(store, _nobody)
    await town.accept(await town.open())
    other = await asyncpg.connect(database)
    await other.execute(OTHERS)
    before = {DeviceId("d1"): 9, DeviceId("d2"): 9}
    for number in range(CONNECTIONS):
        case = await town.accept(await town.open((TWO,), ext_id=f"e{number}"), TWO)
        await store.acknowledge(before, town.clock.now())
        await town.act(case, Cancel(why="enough"))
    await store.close()
    await until_said(lambda: _none(other))
    read = {row["relname"]: row["rows"] for row in await other.fetch(ROWS_READ)}
    assert all(rows < WAITING for rows in read.values()), read
    await other.close()


async def _none(connection: Connection) -> bool:
    """Say whether every connection of a store has ended: what it read is counted then."""
    return bool(await connection.fetchval(BACKENDS) == 0)


async def _nobody(units: Sequence[Unit]) -> None:
    """Register nobody."""


async def test_two_stores_of_one_database_share_an_epoch(database: str) -> None:
    """And another database has another, though the server is the same."""
    one, two = await PostgresStore.open(database), await PostgresStore.open(database)
    assert await one.epoch() == await two.epoch()
    other = await asyncpg.connect(database)
    await other.execute("update meta set nonce = 'restored'")
    before = await one.epoch()
    assert before == await two.epoch()
    await other.execute("update meta set nonce = 'again'")
    assert await one.epoch() != before
    await other.close()
    for store in (one, two):
        await store.close()


async def _tried(work: Awaitable[object]) -> bool:
    try:
        await work
    except StoreAway:
        return False
    return True


async def _failed(work: Awaitable[object]) -> bool:
    return not await _tried(work)


async def _all_of_it(connection: Connection, statement: str) -> None:
    """Change a setting of the whole server."""
    await connection.execute(statement)
    await connection.execute("select pg_reload_conf()")


@pytest.mark.parametrize("written", WRITTEN)
async def test_a_phone_that_was_written_to_stays(database: str, written: str) -> None:
    """It may be revoked; who deletes or renames it is refused, as long as anything tells of it."""
    await register(database)
    connection = await asyncpg.connect(database)
    await connection.execute(written)
    for change in ("delete from device", "update device set id = 'other'"):
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="revoked"):
            await connection.execute(f"{change} where id = 'd1'")
    await connection.execute("update device set revoked_at = now() where id = 'd1'")
    await connection.execute("delete from outbox; delete from receipt")
    assert await connection.execute("delete from device where id = 'd1'") == "DELETE 1"
    await connection.close()
