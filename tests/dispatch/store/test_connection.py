"""A connection of one's own: away and refused are two different troubles."""

import socket

import pytest

from dispatch.ports import StoreAway
from dispatch.store.connection import Connection, StoreRefused, connected

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


async def test_it_is_open_inside_and_closed_after(database: str) -> None:
    """Whatever happens inside."""
    async with connected(database) as connection:
        assert await connection.fetchval("select 1") == 1
    assert connection.is_closed()
    with pytest.raises(ZeroDivisionError):
        async with connected(database) as connection:
            raise ZeroDivisionError
    assert connection.is_closed()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://kapok@127.0.0.1:1/kapok",
        "postgresql:///kapok?host=/nonexistent",
        "postgresql://host:port/kapok",
        "nonsense",
    ],
)
async def test_nobody_there_is_away(dsn: str) -> None:
    """An address that is none counts the same."""
    with pytest.raises(StoreAway):
        async with connected(dsn):
            pass


async def test_nobody_is_waited_for_for_ever() -> None:
    """A port that takes the call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://kapok@127.0.0.1:{silent.getsockname()[1]}/kapok"
        with pytest.raises(StoreAway, match=r"no answer within 0\.05 s"):
            async with connected(dsn, within_s=0.05):
                pass


async def test_a_database_that_is_missing_is_away(database: str) -> None:
    """The server is there, and what was asked for is not."""
    with pytest.raises(StoreAway, match="does not exist"):
        async with connected(database.replace("/test_", "/missing_")):
            pass


async def test_a_statement_that_is_refused_is_no_absence(database: str) -> None:
    """The database's own words are kept."""
    with pytest.raises(StoreRefused, match='relation "nothing" does not exist'):
        async with connected(database) as connection:
            await connection.execute("select * from nothing")


async def test_a_server_that_only_reads_is_asked_where_no_other_is(database: str) -> None:
    """A standby is looked at too; what it does not write is away, not refused."""
    async with connected(database) as connection:
        await _only_read(connection, "on")
    with pytest.raises(StoreAway, match="read-only transaction"):
        await _write(database)
    async with connected(database) as connection:
        await connection.execute("set default_transaction_read_only = off")
        await _only_read(connection, "off")


async def _write(database: str) -> None:
    async with connected(database) as connection:
        assert await connection.fetchval("select count(*) from unit") == 0
        await connection.execute("delete from unit")


async def _only_read(connection: Connection, only: str) -> None:
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set default_transaction_read_only = {only}")


async def be_cut(database: str) -> None:
    """Ask something after somebody has ended our session."""
    async with connected(database) as connection, connected(database) as other:
        pid = await connection.fetchval("select pg_backend_pid()")
        await other.execute("select pg_terminate_backend($1, 10000)", pid)
        await connection.execute("select 1")


async def test_a_connection_that_is_cut_is_away(database: str) -> None:
    """Cut by another, in the middle of the work."""
    with pytest.raises(StoreAway):
        await be_cut(database)
