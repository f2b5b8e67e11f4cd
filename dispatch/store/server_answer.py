"""Whether our own server answers, and whether it is set as it was started."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import asyncpg

from dispatch.store.embedded_errors import NotDurableError
from dispatch.store.embedded_settings import DATABASE, DURABLE, USER

CONNECT_S: Final = 3.0


class Answer(Enum):
    """What a server was found to be."""

    YES = "answered"
    BUSY = "alive, and not ready yet"
    NO = "silent"


async def answer_of(dsn: str) -> Answer:
    """Ask a server that says it is ready; one that refuses us answers too."""
    try:
        await _select_1(dsn)
    except asyncpg.CannotConnectNowError:
        return Answer.BUSY
    except (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.OperatorInterventionError,
        asyncpg.PostgresConnectionError,
    ):
        return Answer.NO
    except asyncpg.PostgresError:  # full, or without our database: but an answer
        return Answer.YES
    return Answer.YES


async def inspect(dsn: str, maintenance_dsn: str, settings: Mapping[str, str]) -> None:
    """Make our database if a first start was cut short, and look at the durable settings.

    Raises:
        NotDurableError: one of them is not as it was given.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(maintenance_dsn)
        connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        for name in DURABLE:
            actual = await connection.fetchval("select current_setting($1)", name)
            _guard_durable(name, settings[name], actual)
    finally:
        await connection.close()


async def _select_1(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await connection.fetchval("select 1", timeout=CONNECT_S)
    finally:
        connection.terminate()


async def _create_database(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await connection.execute(f"create database {DATABASE}")
    finally:
        await connection.close()


def _guard_durable(name: str, meant: str, actual: str) -> None:
    if actual != meant:
        raise NotDurableError(
            f"{name} is {actual} for user {USER}: acknowledged rows could be lost. "
            "It was set inside the database (alter role, alter database): reset it there"
        )
