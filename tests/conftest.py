"""What tests of every floor are handed."""

import asyncio
import io
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
import structlog

from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.telemetry import configure_log

# A server that lives for one test session has nothing to keep.
QUICK: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
TEMPLATE: Final = "migrated"


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Children of a run in the background would inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Where the log goes for one test."""
    file = io.StringIO()
    configure_log(file)
    yield file
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the session's one embedded server; tests make databases of their own in it."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", settings=QUICK)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner.run(server.start())
        runner.run(server.stop())


@pytest.fixture(scope="session")
def migrated_template(postgres_dsn: str) -> str:
    """The name of a database with every migration applied, to make others from."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(_make_template(postgres_dsn))
    return TEMPLATE


@pytest.fixture(scope="session")
def database_numbers() -> Iterator[int]:
    """Numbers that name each test's database."""
    return count(1)


@pytest_asyncio.fixture
async def database(
    postgres_dsn: str, migrated_template: str, database_numbers: Iterator[int]
) -> AsyncIterator[str]:
    """The address of a migrated, empty database of the test's own, dropped afterwards."""
    name = f"test_{next(database_numbers)}"
    await _run(postgres_dsn, f"create database {name} template {migrated_template}")
    yield _within(postgres_dsn, name)
    await _run(postgres_dsn, f"drop database {name} with (force)")


async def _make_template(dsn: str) -> None:
    await _run(dsn, f"create database {TEMPLATE}")
    connection = await asyncpg.connect(_within(dsn, TEMPLATE))
    await migrate(connection)
    await connection.close()


async def _run(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def _within(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
