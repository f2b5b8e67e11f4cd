"""The time, and new ids."""

from typing import Protocol

from schemas.base import Instant


class Clock(Protocol):
    """The database's time, new ids (UUIDv7 text), and new trace ids (32 hexadecimal digits)."""

    def now(self) -> Instant: ...
    def new_id(self) -> str: ...
    def new_trace(self) -> str: ...
