"""An event loop whose clock jumps to the next timer: hours pass in milliseconds, none is slept."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from schemas.base import Instant
from tests.fakes import START

DAY_S: Final = 86_400.0


class Stuck(Exception):
    """Everything waits for something that will never come."""


class _Jump(selectors.SelectSelector):
    """Waits for nothing: what would be a wait is told to the clock."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass that nothing happens in."""
        if timeout is None or timeout >= DAY_S:
            raise Stuck("no timer is set, and nobody can run")
        self._skip(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop of its own time, which begins at 0 and goes only while everybody waits."""

    def __init__(self) -> None:
        self._passed_s = 0.0
        super().__init__(_Jump(self._skip))

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._passed_s

    def _skip(self, seconds: float) -> None:
        self._passed_s += max(0.0, seconds)


class LoopClock:
    """The Clock port by the loop's time; its ids are UUIDv7 text, in the order they are given."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ids = 0
        self._traces = 0

    def now(self) -> Instant:
        """Return the present instant of the loop."""
        return START + timedelta(seconds=self._loop.time())

    def new_id(self) -> str:
        """Return the next id."""
        self._ids += 1
        return f"019ab000-0000-7000-8000-{self._ids:012x}"

    def new_trace(self) -> str:
        """Return the next trace id."""
        self._traces += 1
        return f"{self._traces:032x}"
