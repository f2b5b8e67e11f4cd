"""The time, and new ids; and what the store says of the time."""

from typing import Protocol

from dispatch.core.service_time import Offset, Reading
from schemas.base import Instant


class Clock(Protocol):
    """The service's time, new ids (UUIDv7 text), and new trace ids (32 hexadecimal digits)."""

    def now(self) -> Instant: ...
    def new_id(self) -> str: ...
    def new_trace(self) -> str: ...


class Times(Protocol):
    """What time the service goes by; a part of every store."""

    async def time(self) -> Reading:
        """Return what the store says of the time, all of one moment."""

    async def set_offset(self, offset: Offset) -> bool:
        """Let an offset hold; say whether nobody was faster, whose version is the same."""

    async def reach(self, time: Instant) -> None:
        """Keep what the service's time has come to, unless it is known to be later."""
