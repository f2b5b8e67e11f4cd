"""Work that is done as soon as there is some, and every so often, store or no store."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from dispatch.ports import Clock, StoreAway
from dispatch.trace import begin

log = structlog.get_logger()


async def rounds(
    name: str,
    work: Callable[[], Awaitable[object]],
    new: asyncio.Event,
    clock: Clock,
    every_s: float,
) -> None:
    """Do the work whenever something is `new`, and so often without it, until cancelled."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(every_s):
                await new.wait()
        new.clear()
        begin(clock.new_trace())
        try:
            await work()
        except StoreAway as away:
            log.warning("store_away", work=name, error=str(away))
