"""Work by turns."""

import asyncio

import pytest

from dispatch.gateway.turns import Turns

pytestmark = pytest.mark.asyncio


async def test_a_turn_does_its_share_and_no_more() -> None:
    """Between two turns everything else has its own."""
    turns, done = Turns(per_turn=2), list[int]()
    for number in range(5):
        turns.soon(lambda n=number: done.append(n))  # type: ignore[misc]  # bound at once
    told = []
    while turns:
        await asyncio.sleep(0)
        told.append(list(done))
    assert told == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4]]


async def test_work_that_makes_work_waits_behind_the_others() -> None:
    """In order, and no turn is begun twice."""
    turns, done = Turns(per_turn=1), list[str]()

    def first() -> None:
        done.append("first")
        turns.soon(lambda: done.append("third"))

    turns.soon(first)
    turns.soon(lambda: done.append("second"))
    while turns:
        before = len(done)
        await asyncio.sleep(0)
        assert len(done) == before + 1
    assert done == ["first", "second", "third"]
    turns.soon(lambda: done.append("later"))
    await asyncio.sleep(0)
    assert done[-1] == "later"
