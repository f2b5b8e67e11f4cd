"""The whole service and its log, for one test."""

from collections.abc import AsyncIterator
from typing import Final

import pytest_asyncio

from dispatch.auth import Role, token_hash
from dispatch.cli.city import register
from dispatch.clock import SystemClock
from dispatch.settings import read
from dispatch.store.registry import registry
from schemas.base import KeyId
from tests.cities import small_city
from tests.e2e.town import KEY, Town
from tests.serving import served

UNITS: Final = 20


@pytest_asyncio.fixture
async def town(database: str) -> AsyncIterator[Town]:
    """Twenty units on duty, each with a phone; apps called `mini` need 2.0."""
    async with registry(database) as registered:
        clock = SystemClock()
        phones = await register(registered, small_city(UNITS), UNITS, clock.new_id, lambda *_: None)
        await registered.put_key(KeyId("k1"), "test", Role.DISPATCHER, "gz", token_hash(KEY))
    settings = read({"KAPOK_OLDEST_APPS": "mini=2.0"})
    async with served(database, settings) as (running, url):
        here = Town(running, url, phones)
        async with here.http, here.stack:
            yield here
