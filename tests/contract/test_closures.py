"""What every store promises about closed roads, tried on each of them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from dispatch.ports import AlreadyAnswered, Store
from dispatch.store.postgres import PostgresStore
from schemas.closure import Closure, ClosureId
from tests.contract.stores import in_memory, register
from tests.contract.town import OK, once
from tests.fakes import START

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]
HOUR = timedelta(hours=1)
RING = [[113.4, 23.1], [113.41, 23.1], [113.41, 23.11], [113.4, 23.1]]


@pytest_asyncio.fixture
async def store(address: str | None) -> AsyncIterator[Store]:
    """A store with three units in it."""
    if address is None:
        yield await in_memory()
        return
    await register(address)
    opened = await PostgresStore.open(address)
    yield opened
    await opened.close()


def closure(number: int = 1, **facts: Any) -> Closure:
    """Return a closure of a district's roads, for an hour."""
    given: dict[str, Any] = {
        "id": ClosureId(f"019ab000-0000-7000-8000-0000000000{number:02x}"),
        "polygon": {"type": "Polygon", "coordinates": [RING], "datum": "gcj02"},
        "reason": "河水上涨",
        "juris": "gz.hp",
        "by": "key:k1",
        "at": START,
        "expires_at": START + HOUR,
    }
    return Closure(**{**given, **facts})


async def put(store: Store, given: Closure, most: int = 500) -> bool:
    """Keep a closure under an id of its own."""
    return await store.put_closure(given, most, once(given.id), OK)


async def test_a_closure_is_kept_as_it_was_given(store: Store) -> None:
    """Every fact of it."""
    given = closure()
    assert await put(store, given)
    assert await store.closure(given.id) == given
    assert await store.open_closures(500, START) == [given]
    assert await store.closure(ClosureId("unknown")) is None


async def test_it_is_kept_once_with_its_answer(store: Store) -> None:
    """A retry finds the answer, and closes nothing twice."""
    await put(store, closure())
    with pytest.raises(AlreadyAnswered):
        await put(store, closure())
    assert (await store.load(None, once(closure().id))).answer is not None
    assert len(await store.open_closures(500, START)) == 1


async def test_no_more_are_in_force_than_may_be(store: Store) -> None:
    """Who comes too late is told so and not answered; room is made by time, or by an end."""
    assert await put(store, closure(1), most=1)
    assert not await put(store, closure(2), most=1)
    assert (await store.load(None, once(closure(2).id))).answer is None
    later = START + HOUR
    assert await put(store, closure(2, at=later, expires_at=later + HOUR), most=1)
    assert await store.end_closure(closure(2).id, "key:k2", later)
    assert await put(store, closure(3, at=later, expires_at=later + HOUR), most=1)


async def test_it_is_in_force_until_it_expires(store: Store) -> None:
    """To the second."""
    await put(store, closure())
    last = START + HOUR - timedelta(seconds=1)
    assert len(await store.open_closures(500, last)) == 1
    assert await store.open_closures(500, START + HOUR) == []
    assert await store.closures("gz", None, 10, START + HOUR) == []
    assert not await store.end_closure(closure().id, "key:k2", START + HOUR)


async def test_it_is_ended_once(store: Store) -> None:
    """By whom and when stays."""
    await put(store, closure())
    assert await store.end_closure(closure().id, "key:k2", START)
    assert not await store.end_closure(closure().id, "key:k3", START)
    assert not await store.end_closure(ClosureId("unknown"), "key:k3", START)
    kept = await store.closure(closure().id)
    assert kept is not None
    assert (kept.ended_by, kept.ended_at) == ("key:k2", START)
    assert await store.open_closures(500, START) == []


async def test_every_change_is_told_by_a_number_that_grows(store: Store) -> None:
    """Nothing else makes it grow."""
    told = [await store.closure_changes()]
    await put(store, closure())
    told.append(await store.closure_changes())
    await store.end_closure(closure().id, "key:k2", START)
    told.append(await store.closure_changes())
    assert told == sorted(set(told))
    await store.end_closure(closure().id, "key:k2", START)
    assert not await put(store, closure(2), most=0)
    assert await store.closure_changes() == told[-1]


async def test_those_that_concern_a_jurisdiction_are_listed(store: Store) -> None:
    """Its own, those under it, and those of the larger ones it lies in; newest first."""
    for number, juris in ((1, "gz"), (2, "gz.hp"), (3, "gz.hp.xg"), (4, "gz.hpx"), (5, "gz.th")):
        await put(store, closure(number, juris=juris))
    found = await store.closures("gz.hp", None, 10, START)
    assert [c.juris for c in found] == ["gz.hp.xg", "gz.hp", "gz"]
    rest = await store.closures("gz.hp", found[0].id, 1, START)
    assert [c.juris for c in rest] == ["gz.hp"]
    assert len(await store.closures("gz", None, 10, START)) == 5


async def test_closures_are_forgotten_a_month_after_their_end(store: Store) -> None:
    """However they ended."""
    await put(store, closure(1))
    await put(store, closure(2))
    await store.end_closure(closure(2).id, "key:k2", START)
    month = timedelta(days=30)
    await store.forget(START + month, 100)
    assert await store.closure(closure(2).id) is not None
    await store.forget(START + month + timedelta(seconds=1), 100)
    assert await store.closure(closure(2).id) is None
    assert await store.closure(closure(1).id) is not None
    await store.forget(START + month + HOUR + timedelta(seconds=1), 100)
    assert await store.closure(closure(1).id) is None
