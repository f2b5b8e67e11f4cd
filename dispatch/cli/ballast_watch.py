"""Gives the ballast up when the disk runs out, and takes it back when there is room again."""

import asyncio
from typing import Final

import structlog

from dispatch.live.room import Level, Room
from dispatch.store.ballast import Ballast

log = structlog.get_logger()

LOOK_S: Final = 0.25
AGAIN_S: Final = 10.0
"""After a disk that could not be looked at, or took no ballast."""


class BallastWatch:
    """What the parent of a service does for its own database."""

    def __init__(self, ballast: Ballast) -> None:
        self._ballast = ballast
        self._room = Room(ballast.size_bytes)

    @property
    def spent(self) -> bool:
        """Whether the disk has no more room than the ballast, or had when it was looked at."""
        return self._room.level is Level.SPENT

    async def run(self) -> None:
        """Look until cancelled, four times a second: whoever fills a disk does it fast."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:
                log.warning("ballast_fails", error=str(error), again_in_s=AGAIN_S)
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look once; raise OSError where the disk cannot be looked at, or takes no ballast."""
        if not self._ballast.size_bytes:
            self._ballast.give_up()
            return
        level = self._room.look(self._ballast.room_bytes(), 0.0)
        held = self._ballast.held_bytes()
        if level is Level.SPENT and held:
            self._ballast.give_up()
            log.error("ballast_given_up", bytes=held)
        elif level is Level.AMPLE and held != self._ballast.size_bytes:
            self._ballast.put()
            log.info("ballast_held", bytes=self._ballast.size_bytes)
