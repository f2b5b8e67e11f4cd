"""How much room the store has, and what waits as it gets less: incidents wait last of all."""

from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from typing import Final

from dispatch.core.errors import NoRoom, Unavailable

SCARCE_BELOW: Final = 2.0
SPENT_BELOW: Final = 1.25
AMPLE_FROM: Final = 2.5
"""Room, the ballast counted in, as a multiple of the ballast; more than at which it became less."""
HOLD_S: Final = 60.0
"""So long after a store has said that it is full, and nobody can look, less is written."""


class Level(IntEnum):
    """How much room there is."""

    AMPLE = 0
    SCARCE = 1
    """Without the ballast there is less than the ballast."""
    SPENT = 2
    """The ballast is given up, or the store said that it is full."""


class Work(StrEnum):
    """What waits while there is no room. All else is written for as long as it can be."""

    IMPORTS = "imports"
    NOTICES = "notices"
    REGISTRATIONS = "registrations"
    RETENTION = "retention"
    POSITIONS = "positions"


WAITS_FROM: Final[Mapping[Work, Level]] = {
    Work.IMPORTS: Level.SCARCE,
    Work.NOTICES: Level.SCARCE,
    Work.REGISTRATIONS: Level.SCARCE,
    Work.RETENTION: Level.SCARCE,
    Work.POSITIONS: Level.SPENT,
}
"""The order in which work waits. Incidents, offers, answers and progress stand nowhere in it."""


class Room:
    """What is known of the store's room; without a ballast only by what the store itself says."""

    def __init__(
        self, ballast_bytes: int = 0, refused: Callable[[Work], None] = lambda _: None
    ) -> None:
        self._ballast_bytes = ballast_bytes
        self._refused = refused
        self._seen = Level.AMPLE
        self._full_till_s: float | None = None
        self.level = Level.AMPLE

    def look(self, room_bytes: int | None, now_s: float) -> Level:
        """Take how much room is seen, the ballast counted in, at a moment of a steady clock.

        Where it is ample again, a word of the store from before counts no more.
        """
        if room_bytes is not None and self._ballast_bytes:
            self._seen = self._judged(room_bytes / self._ballast_bytes)
            if self._seen is Level.AMPLE:
                self._full_till_s = None
        if self._full_till_s is not None and now_s >= self._full_till_s:
            self._full_till_s = None
        self.level = self._seen if self._full_till_s is None else Level.SPENT
        return self.level

    def _judged(self, ballasts: float) -> Level:
        if ballasts < SPENT_BELOW:
            return Level.SPENT
        if ballasts < SCARCE_BELOW:
            return max(self._seen, Level.SCARCE)
        return Level.AMPLE if ballasts >= AMPLE_FROM else self._seen

    def told_full(self, now_s: float) -> None:
        """Take the store's word that it is full."""
        self._full_till_s = now_s + HOLD_S
        self.level = Level.SPENT

    def has(self, work: Work) -> bool:
        """Say whether there is room for a work."""
        return self.level < WAITS_FROM[work]

    def require(self, work: Work) -> None:
        """Refuse a work that waits, and have it counted."""
        if not self.has(work):
            self._refused(work)
            raise NoRoom(f"the store is nearly full: {work} wait until there is room")

    def away(self) -> Unavailable:
        """Return the refusal of what the store did not take, with the likely reason."""
        if self.level is Level.SPENT:
            return Unavailable("the store is full; try again")
        return Unavailable("the store does not answer; try again")
