"""The time, and new ids."""

from typing import Protocol

from schemas.base import Instant


class Clock(Protocol):
    """The database's time, and new ids (UUIDv7 text)."""

    def now(self) -> Instant: ...
    def new_id(self) -> str: ...
