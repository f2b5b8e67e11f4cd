"""Tasks end, however often they take a cancellation for their own."""

import asyncio

import pytest

from dispatch.bus.ending import ended

pytestmark = pytest.mark.asyncio


async def test_a_task_that_swallows_a_cancellation_ends() -> None:
    """It is told again."""
    heard = 0

    async def stubborn() -> None:
        nonlocal heard
        while heard < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await ended(task)
    assert (task.done(), heard) == (True, 2)


async def test_a_task_that_is_done_is_let_be() -> None:
    """What it returned can still be asked for."""
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    await ended(task)
    assert task.result() == "done"
