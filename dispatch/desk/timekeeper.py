"""Keeps this process at the service's time, whatever the database's clock is set to."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from dispatch.core.service_time import STEP_S, Offset, Reading
from dispatch.ports import StoreAway, Times
from dispatch.telemetry import Metrics
from schemas.base import Instant

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.5
REACH_EVERY_S: Final = 10.0
ROUND_TRIP_MOST_S: Final = 1.0
"""What took longer tells too little of the time."""
SAME_S: Final = 1.0
"""Two readings may differ by this, and tell of one step."""


class Hands(Protocol):
    """The clock that is set."""

    def now(self) -> Instant:
        """Return the service's time, as far as is known here."""

    def elapsed_s(self) -> float:
        """Return what has passed on this machine, whatever its clock is set to."""

    def follow(self, at: Instant, offset: Offset) -> None:
        """Take the database's time, and never go back."""

    def jump(self, at: Instant, offset: Offset) -> None:
        """Take the database's time at once, be it later or earlier."""


class Timekeeper:
    """Follows what the database says, and doubts it where it is not what has passed here.

    A step that two readings tell of is one of the database's clock, unless a process alive goes by
    that clock: then it is this process that stood still, and it alone jumps.
    """

    def __init__(self, store: Times, hands: Hands, metrics: Metrics) -> None:
        self._store, self._hands, self._metrics = store, hands, metrics
        self._offset = Offset()
        self._left_s = 0.0
        self._suspected_s: float | None = None

    def ahead_s(self) -> float:
        """Return what is left of a step: how far the service's time is ahead of the database's."""
        return self._left_s

    def beats(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        """Return what is to be done every so many seconds."""
        return [(LOOK_EVERY_S, self.look), (REACH_EVERY_S, self.reach)]

    async def start(self) -> None:
        """Take the time of the processes alive; where there is none, one not before the last."""
        reading, _ = await self._read()
        first = reading.first
        kept = reading.offset if first == reading.time else _own(reading, first)
        self._hands.jump(reading.at, kept)
        self._know(reading.offset, kept.left_s(reading.at))

    async def look(self) -> None:
        """Follow the database, or find out which of us was stepped."""
        reading, took_s = await self._read()
        if took_s > ROUND_TRIP_MOST_S:
            return
        off_s = (reading.time - self._hands.now()).total_seconds()
        if abs(off_s) <= STEP_S:
            self._suspected_s = None
            self._follow(reading, off_s, took_s)
            return
        before_s, self._suspected_s = self._suspected_s, off_s
        if before_s is not None and abs(before_s - off_s) <= SAME_S:
            await self._stepped(reading, off_s)

    async def reach(self) -> None:
        """Write down how far the service's time has come, for whoever starts after all others."""
        if self._suspected_s is None:
            with suppress(StoreAway):  # nothing waits for it, and the next one says more
                await self._store.reach(self._hands.now())

    async def _read(self) -> tuple[Reading, float]:
        """Return what the database says of now, and the seconds it took to ask."""
        asked_s = self._hands.elapsed_s()
        reading = await self._store.time()
        took_s = self._hands.elapsed_s() - asked_s
        return replace(reading, at=reading.at + timedelta(seconds=took_s / 2)), took_s

    def _follow(self, reading: Reading, off_s: float, took_s: float) -> None:
        """Take what is other than the round trip explains, and what another process has noticed."""
        if abs(off_s) > took_s / 2 or reading.offset != self._offset:
            self._hands.follow(reading.at, reading.offset)
        self._know(reading.offset, reading.left_s)

    async def _stepped(self, reading: Reading, off_s: float) -> None:
        """Jump where others go by the database's clock; else keep our time, for all."""
        if reading.confirmed:
            log.warning("clock_jumped", seconds=round(off_s, 3))
            self._hands.jump(reading.at, reading.offset)
            self._know(reading.offset, reading.left_s)
            return
        kept = reading.offset.keeping(self._hands.now(), reading.at)
        if await self._store.set_offset(kept):
            log.warning("clock_stepped", seconds=round(off_s, 3), version=kept.version)
            self._hands.follow(reading.at, kept)
            self._know(kept, kept.left_s(reading.at))

    def _know(self, offset: Offset, left_s: float) -> None:
        self._offset, self._left_s = offset, left_s
        self._metrics.absorbing_s.set(left_s)


def _own(reading: Reading, time: Instant) -> Offset:
    """Return what makes the time ours until it is written down, of the version that holds."""
    return replace(reading.offset.keeping(time, reading.at), version=reading.offset.version)
