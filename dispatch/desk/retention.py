"""Lets go of what is older than it has to be kept, a little at a time."""

from datetime import timedelta
from typing import Final, Protocol

import structlog

from dispatch.desk.desk import Desk
from dispatch.live.room import Work
from schemas.base import Instant

log = structlog.get_logger()

EVERY_S: Final = 10.0
WORK: Final = "retention"
LEASE: Final = timedelta(seconds=9)
"""Less than the time between two looks: whoever deleted last may delete again."""
INCIDENTS_MOST: Final = 50
"""Deleted in one transaction, of about a thousand rows; 300 a minute, where a city opens 60."""
TRACES_MOST: Final = 1000
TRACES_EVERY: Final = timedelta(hours=1)


class Keeper(Protocol):
    """The part of a store that deletes."""

    async def retire(self, before: Instant, most: int) -> int | None:
        """Delete incidents that ended before then; None while a backup is taken."""

    async def forget_traces(self, now: Instant, most: int) -> int:
        """Delete places and tokens that are older than is kept."""


class Retention:
    """One process of an installation deletes; the others leave it to that one."""

    def __init__(self, desk: Desk, keeper: Keeper, keep: timedelta) -> None:
        self._desk, self._keeper, self._keep = desk, keeper, keep
        self._traces_at: Instant | None = None

    async def run(self) -> None:
        """Delete one bounded part, unless another process does, or the log of it has no room."""
        if not self._desk.room.has(Work.RETENTION):
            return
        now = self._desk.clock.now()
        if not await self._desk.store.claim_turn(WORK, now + LEASE, now):
            return
        if gone := await self._keeper.retire(now - self._keep, INCIDENTS_MOST):
            log.info("retired", rows=gone)
        if self._traces_at is None or now >= self._traces_at + TRACES_EVERY:
            if gone := await self._keeper.forget_traces(now, TRACES_MOST):
                log.info("traces_forgotten", rows=gone)
            else:
                self._traces_at = now
