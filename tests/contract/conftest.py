"""A store of each kind, empty or with the town in it."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from dispatch.store.postgres import PostgresStore
from dispatch.store.registry import registry
from schemas.unit import Unit
from tests.contract.stores import STORES, in_memory, register
from tests.contract.town import Town


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest) -> str | None:
    """Where the store is: a database of the test's own, or nowhere but in memory."""
    address: str | None = (
        request.getfixturevalue("database") if request.param == "postgres" else None
    )
    return address


@pytest_asyncio.fixture
async def town(address: str | None) -> AsyncIterator[Town]:
    """Three units with their phones in a store."""
    if address is None:
        memory = await in_memory()
        yield Town(memory, memory.put_units)
        return
    await register(address)
    store = await PostgresStore.open(address)

    async def put_units(units: Sequence[Unit]) -> None:
        async with registry(address) as known:
            await known.put_units(units)

    yield Town(store, put_units)
    await store.close()
