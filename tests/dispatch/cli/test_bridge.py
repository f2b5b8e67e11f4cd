"""The demo's bridge, closed over REST at a service that has the city's roads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from dispatch.auth import Role, token_hash
from dispatch.cli.bridge import Closing
from dispatch.cli.city import register
from dispatch.clock import SystemClock
from dispatch.store.registry import registry
from dispatch.wiring import DEFAULTS, Service
from geo.city.roads import cached_roads
from schemas.base import KeyId
from tests.cities import small_city
from tests.serving import served

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e, pytest.mark.postgres]

TOKEN = "kk_bridge"
CITY = small_city(1_500, seed=20241)


@pytest_asyncio.fixture
async def running(database: str, tmp_path: Path) -> AsyncIterator[tuple[Service, str]]:
    """A service of a city on both banks, with its roads and one dispatcher."""
    clock = SystemClock()
    async with registry(database) as registered:
        await register(registered, CITY, 1, clock.new_id, lambda *_: None)
        await registered.put_key(KeyId("k1"), "desk", Role.DISPATCHER, "gz", token_hash(TOKEN))
    settings = replace(DEFAULTS, roads=cached_roads(tmp_path, CITY))
    async with served(database, settings) as (service, url):
        yield service, url


async def test_a_closed_bridge_makes_the_ring_smaller_until_it_opens(
    running: tuple[Service, str],
) -> None:
    """Whoever came over it does not; at the end of the demo all is as it was."""
    service, url = running
    async with Closing(url, TOKEN, SystemClock()) as closing:
        closed = await closing.close(CITY)
        assert closed is not None
        assert 0 < closed.km_after < 0.9 * closed.km_before
        assert len(service.desk.closures._closed) == 1
    assert service.desk.closures._closed == {}
    async with Closing(url, TOKEN, SystemClock()) as closing:
        again = await closing.close(CITY)
    assert again == closed


async def test_a_city_without_a_bridge_closes_none(running: tuple[Service, str]) -> None:
    """The middle of a small city is away from the water: its service knows no such place."""
    service, url = running
    service.desk.places = small_city(20, seed=20241).index
    async with Closing(url, TOKEN, SystemClock()) as closing:
        assert await closing.close(CITY) is None
