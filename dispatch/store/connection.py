"""One connection of one's own, for work of many rows outside the desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg

from dispatch.ports import StoreAway
from dispatch.store.postgres import AWAY

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic to type checkers only

CONNECT_S: Final = 5.0
CLOSE_S: Final = 5.0


class StoreRefused(Exception):
    """The database answers, and says no to a statement: a missing right, a broken rule."""


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Open a connection, and close it at the end.

    Raises:
        StoreAway: nobody answers at the address, or no longer; or it is no address.
        StoreRefused: a statement inside was refused.
    """
    connection = await _open(dsn)
    try:
        yield connection
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise _meaning(error) from error
    finally:
        await _close(connection)


async def _open(dsn: str) -> Connection:
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_S)
    except TimeoutError as error:
        raise StoreAway(f"no answer within {CONNECT_S:.0f} s") from error
    except (OSError, ValueError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise StoreAway(str(error)) from error  # a ValueError is about the address


async def _close(connection: Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_S)
    except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
        connection.terminate()


def _meaning(error: Exception) -> Exception:
    return StoreAway(str(error)) if isinstance(error, AWAY) else StoreRefused(str(error))
