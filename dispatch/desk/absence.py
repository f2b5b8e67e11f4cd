"""Notices that this process was away: stopped, swapped out, stuck; memory slept meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from dispatch.core.errors import Unavailable
from dispatch.ports import StoreAway

log = structlog.get_logger()

AWAY_S: Final = 5.0
LOOK_EVERY_S: Final = 0.25


class Absence:
    """Lets nobody decide on what was remembered from before an absence: it is read again first."""

    def __init__(
        self, read_again: Callable[[], Awaitable[None]], now_s: Callable[[], float]
    ) -> None:
        self._read_again = read_again
        self._now_s = now_s
        self._seen_s: float | None = None
        self._away = False
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """Note that the loop runs; to be called four times a second."""
        self._note()
        await self._catch_up()

    async def rouse(self) -> None:
        """Return at once, or once memory was read again; raise `Unavailable` where it cannot be."""
        if self._seen_s is None:
            return
        self._note()
        if not self._away:
            return
        try:
            await self._catch_up()
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away

    def _note(self) -> None:
        now_s = self._now_s()
        if self._seen_s is not None and now_s - self._seen_s > AWAY_S:
            self._away = True
            log.warning("was_away", seconds=round(now_s - self._seen_s, 1))
        self._seen_s = now_s

    async def _catch_up(self) -> None:
        async with self._turn:
            if self._away:
                await self._read_again()
                self._away = False
