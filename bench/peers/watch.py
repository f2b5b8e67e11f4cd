"""A server process under measurement: its settings, its port, its longest stall."""

import asyncio
import gc
import socket
from typing import Any, Final

from dispatch.cli.serve import raise_open_files
from dispatch.cli.worker import GC_THRESHOLDS

LOOK_S: Final = 0.005
BACKLOG: Final = 4096


def listener() -> socket.socket:
    """Return an open port on loopback; the process may have as many files as the system lets it."""
    raise_open_files()
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", 0))
    opened.listen(BACKLOG)
    opened.setblocking(False)
    return opened


def settled() -> None:
    """Keep the collector off what is there now, as our worker does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


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
