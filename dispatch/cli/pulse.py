"""The pulse of a worker: what it says to its parent on its standard output, and how often."""

import asyncio
import os
import sys
from contextlib import suppress
from typing import Final

READY: Final = b"ready\n"
"""Said once: it serves."""
BEAT: Final = b"beat\n"
"""Said from then on: its loop goes round."""
BEAT_EVERY_S: Final = 1.0


class Pulse:
    """Says it, and never waits for a parent that does not listen."""

    def __init__(self, file: int | None = None) -> None:
        self._file = sys.stdout.fileno() if file is None else file
        os.set_blocking(self._file, False)

    def ready(self) -> None:
        """Say that the worker serves."""
        self._say(READY)

    async def run(self, every_s: float = BEAT_EVERY_S) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            self._say(BEAT)

    def _say(self, word: bytes) -> None:
        # A full pipe is a parent that does not read; a closed one is no parent any more.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._file, word)
