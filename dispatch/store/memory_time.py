"""What time the service goes by, in memory: the clock it was given, and an offset."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatch.core.service_time import NEVER, Offset, Reading
from dispatch.ports import LIVE_S
from dispatch.store.memory_nodes import MemoryNodes
from schemas.base import Instant

LIVE: Final = timedelta(seconds=LIVE_S)


class MemoryTime(MemoryNodes):
    """The part of the store in memory that knows what time it is."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._offset = Offset()
        self._reached: Instant = NEVER

    async def time(self) -> Reading:
        """Return what its clock says, and by how much the service is ahead of it."""
        at = self._now()
        claims = (c for seen, c in self._claims.values() if abs(at - seen) <= LIVE)
        return Reading(at=at, offset=self._offset, reached=self._reached, claims=tuple(claims))

    async def set_offset(self, offset: Offset) -> bool:
        """Let an offset hold; say whether nobody was faster, whose version is the same."""
        is_next = offset.version == self._offset.version + 1
        self._offset = offset if is_next else self._offset
        return is_next

    async def reach(self, time: Instant) -> None:
        """Keep what the service's time has come to, unless it is known to be later."""
        self._reached = max(self._reached, time)
