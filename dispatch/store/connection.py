"""One connection of one's own, for work of many rows outside the desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from dispatch.ports import StoreAway
from dispatch.store.pools import AWAY

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic to type checkers only

CONNECT_S: Final = 5.0
CLOSE_S: Final = 5.0
UNWELL: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)


TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when the line is cut under it
    ConnectionError,
)


class StoreRefused(Exception):
    """The database answers, and says no to a statement: a missing right, a broken rule."""


@asynccontextmanager
async def connected(dsn: str, within_s: float = CONNECT_S) -> AsyncIterator[Connection]:
    """Open a connection, and close it at the end.

    Raises:
        StoreAway: nobody answers at the address, or no longer; or it is no address.
        StoreRefused: a statement inside was refused.
    """
    connection = await _open(dsn, within_s)
    try:
        yield connection
    except TROUBLE as error:
        raise _meaning(error) from error
    finally:
        with suppress(*UNWELL):  # a server that does not even say goodbye is let go of
            await connection.close(timeout=CLOSE_S)


async def _open(dsn: str, within_s: float) -> Connection:
    try:
        return await _connected(dsn, within_s)
    except TimeoutError as error:
        raise StoreAway(f"no answer within {within_s:g} s") from error
    except (*UNWELL, ValueError) as error:  # a ValueError is about the address
        raise StoreAway(str(error)) from error


async def _connected(dsn: str, within_s: float) -> Connection:
    """Connect to a server that writes, where one does; else to one that only reads."""
    try:
        return await asyncpg.connect(
            dsn, timeout=within_s, target_session_attrs=SessionAttribute.read_write
        )
    except asyncpg.TargetServerAttributeNotMatched:
        return await asyncpg.connect(dsn, timeout=within_s)


def _meaning(error: Exception) -> Exception:
    return StoreAway(str(error)) if isinstance(error, AWAY) else StoreRefused(str(error))
