"""A server process under measurement: its longest stall."""

import asyncio
from typing import Any, Final

LOOK_S: Final = 0.005


class Watch:
    """Notices how long the loop did not turn, while it is asked to."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._longest_s = 0.0

    async def begin(self) -> dict[str, Any]:
        """Look from now on."""
        self._longest_s = 0.0
        self._task = asyncio.create_task(self._look())
        return {}

    async def end(self) -> dict[str, Any]:
        """Return the longest stall since `begin`."""
        if self._task is not None:
            self._task.cancel()
        return {"stall_ms": self._longest_s * 1000}

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(LOOK_S)
            self._longest_s = max(self._longest_s, loop.time() - before - LOOK_S)
