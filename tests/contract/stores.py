"""The stores that promises are tried on, with the town in them."""

import pytest

from dispatch.store.memory import MemoryStore
from dispatch.store.registry import IssuedDevice, registry
from tests.contract.town import KEY, devices, members, places, units
from tests.fakes import ManualClock

STORES = [pytest.param("memory"), pytest.param("postgres", marks=pytest.mark.postgres)]


async def in_memory() -> MemoryStore:
    """Return a store in memory that knows the town."""
    store = MemoryStore(ManualClock().now)
    await store.put_jurisdictions(places())
    await store.put_units(units())
    await store.put_members(members())
    await store.put_devices(devices())
    await store.put_keys([KEY])
    return store


async def register(dsn: str) -> None:
    """Let a database know the town."""
    async with registry(dsn) as known:
        await known.put_jurisdictions(places())
        await known.put_units(units())
        await known.put_members(members())
        await known.put_devices(
            [
                IssuedDevice(
                    id=d.id, unit_id=d.unit_id, member_id=d.member_id, token_hash=d.token_hash
                )
                for d in devices()
            ]
        )
        await known.put_key(KEY.id, KEY.name, KEY.role, KEY.juris, KEY.hash)
