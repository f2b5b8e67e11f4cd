"""What is made of many rows is made in their order, with room for others between."""

import asyncio

import pytest

from dispatch.store.slices import SLICE, in_slices

pytestmark = pytest.mark.asyncio


async def test_others_run_between_two_slices() -> None:
    """Each of them once, where there is a next slice."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    numbers = range(2 * SLICE + 1)
    assert await in_slices(numbers, str) == [str(n) for n in numbers]
    running.cancel()
    assert turns == 2


async def test_nothing_is_made_of_nothing() -> None:
    """An empty table is no fault."""
    assert await in_slices([], str) == []
