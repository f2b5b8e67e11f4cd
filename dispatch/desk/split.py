"""Tells every city's desk that processes of the service do not hear each other, until they do."""

from datetime import timedelta
from typing import Final

import structlog

from dispatch.desk.desk import Desk
from schemas.alarm import Alarm, AlarmId, AlarmKind

log = structlog.get_logger()

EVERY_S: Final = 2.0
LASTS: Final = timedelta(seconds=10)
"""Whoever sees it says so more often; when nobody has for so long, it is over."""
WORDS: Final = (
    "processes of the service do not hear each other: positions may be a minute old, and nobody "
    "is called back or given up until they do"
)


class Split:
    """Every process that sees a part only says so; the store rings once, and ends it once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def look(self) -> None:
        """Say that the picture is partial; or end the alarms, where nobody says so any more."""
        now = self._desk.clock.now()
        if not self._desk.partial:
            if await self._desk.store.end_partial(now):
                log.info("split_over")
        elif await self._desk.store.say_partial(self._alarms(), now + LASTS):
            self._desk.alarms.look()

    def _alarms(self) -> list[Alarm]:
        now = self._desk.clock.now()
        return [
            Alarm(
                id=AlarmId(self._desk.clock.new_id()),
                kind=AlarmKind.PARTIAL,
                reason=WORDS,
                juris=city.path,
                raised_at=now,
                next_at=now,
            )
            for city in self._desk.places.children(None)
        ]
