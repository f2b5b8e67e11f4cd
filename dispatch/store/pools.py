"""Three pools of connections to one database, and what its errors mean."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from typing import Any, Final, Self, TypeAlias

import asyncpg
import msgspec
from asyncpg.connect_utils import SessionAttribute

from dispatch.core.errors import Invalid
from dispatch.ports import (
    AlreadyAnswered,
    Answer,
    CodeTaken,
    Once,
    StaleCase,
    StoreAway,
    UnitTaken,
)
from schemas.base import UnitId

DriverPool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"  # generic to type checkers only
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = asyncpg.Record

CONNECT_S: Final = 3.0
COMMAND_S: Final = 3.0
LOCK_MS: Final = 1000
DESK_CONNECTIONS: Final = 8
SIDE_CONNECTIONS: Final = 4
PULSE_CONNECTIONS: Final = 1
CONNECTIONS: Final = DESK_CONNECTIONS + SIDE_CONNECTIONS + PULSE_CONNECTIONS
"""What one process keeps."""
EPOCH_CHARS: Final = 16

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresIOError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""All that was seen around one crash of a server, and what it says when it is full or stuck.

So says a server that only reads, too: a primary that was made a standby.
"""
FULL: Final = (asyncpg.DiskFullError, asyncpg.PostgresIOError)
"""What it says when its disk takes no more."""


class Pool:
    """A driver's pool that answers within a time, the wait for one's turn included, or raises.

    A connection that did not answer in time is dropped. The driver would ask the server to cancel
    the statement and wait for that, which on a network that swallows packets takes just as long,
    for everybody in the queue behind it too.
    """

    def __init__(self, driver: DriverPool) -> None:
        self._driver = driver
        self.full: Callable[[], None] = lambda: None
        self.kin: Sequence[Pool] = (self,)

    async def fetch(
        self,
        statement: str,
        *values: object,
        timeout: float = COMMAND_S,  # noqa: ASYNC109 - as in the driver
    ) -> Sequence[Row]:
        """Return all rows; raise TimeoutError."""
        async with self._turn(timeout) as connection:
            return await connection.fetch(statement, *values)

    async def fetchrow(self, statement: str, *values: object) -> Row | None:
        """Return the first row, None where there is none; raise TimeoutError."""
        async with self._turn(COMMAND_S) as connection:
            return await connection.fetchrow(statement, *values)

    async def fetchval(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - as in the driver
        """Return the first field of the first row; raise TimeoutError."""
        async with self._turn(COMMAND_S) as connection:
            return await connection.fetchval(statement, *values)

    async def execute(self, statement: str, *values: object) -> str:
        """Return the server's word for what was done; raise TimeoutError."""
        async with self._turn(COMMAND_S) as connection:
            return await connection.execute(statement, *values)

    def terminate(self) -> None:
        """Cut all connections."""
        self._driver.terminate()

    async def renew(self) -> None:
        """Have each connection made anew before its next turn."""
        await self._driver.expire_connections()

    @asynccontextmanager
    async def _turn(self, within_s: float) -> AsyncIterator[Connection]:
        async with asyncio.timeout(within_s), self._driver.acquire() as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()
                raise
            except FULL:
                self.full()
                raise
            except asyncpg.ReadOnlySQLTransactionError:
                # Reads of what another server has gone on from would be answered all the same.
                for pool in self.kin:
                    await pool.renew()
                raise


class Pools:
    """What every part of the store asks through: decisions never queue behind reads and sweeps.

    Nor does the beat behind either, on the pool of its own: a late one looks like death.
    """

    def __init__(self, desk: Pool, side: Pool, pulse: Pool) -> None:
        self._desk = desk
        self._side = side
        self._pulse = pulse

    @classmethod
    async def open(cls, dsn: str) -> Self:
        """Connect all pools; raise `StoreAway` when the database does not answer."""
        with translated():
            desk = await _pool(dsn, DESK_CONNECTIONS)
            side = await _pool(dsn, SIDE_CONNECTIONS)
            pulse = await _pool(dsn, PULSE_CONNECTIONS)
        desk.kin = side.kin = pulse.kin = (desk, side, pulse)
        return cls(desk, side, pulse)

    def tell_full(self, full: Callable[[], None]) -> None:
        """Call this, from now on, whenever the database says that its disk takes no more."""
        for pool in (self._desk, self._side, self._pulse):
            pool.full = full

    async def close(self) -> None:
        """Let go of all connections."""
        self._desk.terminate()
        self._side.terminate()
        self._pulse.terminate()
        await asyncio.sleep(0)  # the loop closes what was cut before anybody ends it

    async def _rows(self, statement: str, *values: object) -> list[Row]:
        with translated():
            return list(await self._side.fetch(statement, *values))


async def _pool(dsn: str, most: int) -> Pool:
    """Connect `most` times, each with the bounds of time above, to a server that writes."""
    driver = await asyncpg.create_pool(
        dsn,
        min_size=most,
        max_size=most,
        timeout=CONNECT_S,
        max_inactive_connection_lifetime=0,
        reset=_as_it_is,
        target_session_attrs=SessionAttribute.read_write,
        server_settings={
            "application_name": "kapok",
            "timezone": "UTC",
            "lock_timeout": str(LOCK_MS),
            "jit": "off",
        },
    )
    return Pool(driver)


async def _as_it_is(_: object) -> None:
    """Hand a connection on: nothing here listens, locks or sets, so there is nothing to undo.

    The driver's own way is one more round trip after every statement, before its answer is given.
    """


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver and the functions raise into what the ports promise."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _meaning(error) from error
    except AWAY as error:
        raise StoreAway(str(error)) from error


def _meaning(error: asyncpg.PostgresError) -> Exception:
    if error.sqlstate == "KP001":
        return StaleCase()
    if error.sqlstate == "KP002":
        return UnitTaken([UnitId(u) for u in (error.detail or "").split()])
    if error.sqlstate == "KP003":
        return AlreadyAnswered()
    if error.sqlstate == "KP004":
        return CodeTaken()
    if isinstance(error, asyncpg.DataError):
        return Invalid("a text or a number in it cannot be stored")
    return StoreAway(str(error)) if isinstance(error, AWAY) else error


def epoch_of(history: str) -> str:
    """Return the epoch that a database's history means."""
    return sha256(history.encode()).hexdigest()[:EPOCH_CHARS]


def encoded(body: object) -> str:
    """Return JSON, as the functions of the database take it."""
    return msgspec.json.encode(body).decode()


def kept_reply(once: Once | None, answer: Answer | None) -> dict[str, Any]:
    """Return the answer to be kept with what a command did, where there is a command."""
    if once is None or answer is None:
        return {}
    kept = {"scope": once.scope, "id": once.id, "digest": once.digest}
    return {"reply": {**kept, "status": answer.status, "body": answer.body}}
