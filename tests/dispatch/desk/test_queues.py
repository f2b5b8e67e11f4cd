"""How much waits, in memory and in the store."""

import pytest

from dispatch.desk.queues import Queues
from dispatch.store.postgres import PostgresStore
from schemas import wire
from schemas.base import UnitId
from tests.dispatch.desk.station import Station
from tests.dispatch.desk.test_notices import send

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


def length(station: Station, queue: str) -> float | None:
    """Return how long a queue is said to be."""
    registry = station.desk.metrics.registry
    return registry.get_sample_value("kapok_queue", {"queue": queue})


async def test_what_waits_in_memory_is_told_as_it_is(station: Station) -> None:
    """Nobody has to look first."""
    store = station.desk.store
    assert isinstance(store, PostgresStore)
    Queues(station.desk, station.phones, store.backlog)
    phone = await station.phones.identify(station.issued[0].token)
    empty = ("acks", "push_addresses", "notices_unheard", "searches", "units_to_read")
    assert [length(station, queue) for queue in empty] == [0] * len(empty)
    station.phones.push_address(phone, wire.PushAddress(k=wire.PushKind.HOOK, a="t"))
    station.desk.reread.add(UnitId("u1"))
    assert [length(station, "push_addresses"), length(station, "units_to_read")] == [1, 1]


async def test_what_waits_in_the_store_is_told_when_looked_at(station: Station) -> None:
    """Notices that are still to be sent, then frames that are not acknowledged."""
    store = station.desk.store
    assert isinstance(store, PostgresStore)
    queues = Queues(station.desk, station.phones, store.backlog)
    await send(station)
    await queues.look()
    names = ("store_notices", "store_outbox", "store_due", "store_pushes")
    assert [length(station, queue) for queue in names] == [1, 0, 0, 0]
    await station.desk.notices.send_waiting()
    await queues.look()
    phones = len(station.issued)
    assert [length(station, queue) for queue in names] == [0, phones, 0, 0]
    assert length(station, "notices_unheard") == phones
