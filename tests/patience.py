"""Waiting for what happens elsewhere, and has no event, within reason."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.01


async def until(true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for something to come true; raise TimeoutError where it does not."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(LOOK_S)


async def until_said(true: Callable[[], Awaitable[bool]], within_s: float = PATIENCE_S) -> None:
    """Wait for something that has to be asked for."""
    async with asyncio.timeout(within_s):
        while not await true():  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(LOOK_S)
