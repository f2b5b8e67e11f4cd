"""What a server says of itself is what it is set to."""

import asyncio

import pytest

from dispatch.store import server_facts
from dispatch.store.connection import connected
from dispatch.store.server_facts import Registered, ServerFacts

pytestmark = pytest.mark.postgres


async def asked(dsn: str) -> ServerFacts:
    """Ask a server over a connection of one's own."""
    async with connected(dsn) as connection:
        return await server_facts.facts(connection)


def test_settings_are_those_that_our_sessions_get(database: str) -> None:
    """The tests' own server has nothing to keep."""
    facts = asyncio.run(asked(database))
    assert facts.version >= 150_000
    assert set(facts.durable) == {"fsync", "full_page_writes", "synchronous_commit"}
    assert set(facts.durable.values()) == {"off"}
    assert not facts.is_standby


def test_an_empty_register_counts_nothing(database: str) -> None:
    """Nor does what lies under the hidden jurisdiction."""

    async def counted() -> Registered:
        async with connected(database) as connection:
            return await server_facts.registered(connection, "canary")

    assert asyncio.run(counted()) == Registered(units=0, phones=0)


def test_the_services_time_is_that_of_the_database_until_a_step_is_noticed(database: str) -> None:
    """Then it is so far ahead as is left of the step."""

    async def ahead() -> tuple[float, float]:
        async with connected(database) as connection:
            before = await server_facts.ahead_s(connection)
            await connection.execute("update clock set offset_s = 3600, since = clock_timestamp()")
            return before, await server_facts.ahead_s(connection)

    before, after = asyncio.run(ahead())
    assert abs(before) < 1
    assert 3500 < after <= 3600.1
