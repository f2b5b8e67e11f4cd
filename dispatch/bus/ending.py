"""Ends tasks that use the library: some of its steps take a cancellation for their own."""

import asyncio
from typing import Any, Final

AGAIN_S: Final = 0.1


async def ended(task: "asyncio.Task[Any]") -> None:
    """Cancel a task until it is done; what became of it is for whoever asks it.

    Flushing swallows the word (nats-py 2.x, `_flush_pending`): said once, a task would go on for
    ever, and whoever waits for its end with it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
