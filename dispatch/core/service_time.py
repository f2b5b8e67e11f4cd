"""What time the service goes by: the database's, less what its clock was stepped by, bit by bit."""

from datetime import UTC, datetime, timedelta
from math import copysign
from statistics import median
from typing import Final

from schemas.base import Instant, Record

STEP_S: Final = 4.0
"""A greater difference is a step: longer than a process is alive without a beat, so that whatever
the living have written down of their own time was written after the step."""
SLEW: Final = 0.05
"""So much of the time that passes goes into what is left of a step; `service_time()` of SQL too."""
NEVER: Final = datetime.fromtimestamp(0, UTC)


class Offset(Record, frozen=True, kw_only=True):
    """How many seconds the service's time was ahead of the database's, `since` an instant of that.

    It is absorbed from then on: the service's time goes by at most `SLEW` faster or slower, and
    never back. Of two offsets the one with the greater `version` holds.
    """

    version: int = 0
    seconds: float = 0.0
    since: Instant = NEVER

    def left_s(self, at: Instant) -> float:
        """Return what is left of it at an instant of the database."""
        gone_s = max(0.0, (at - self.since).total_seconds()) * SLEW
        return copysign(max(0.0, abs(self.seconds) - gone_s), self.seconds)

    def time(self, at: Instant) -> Instant:
        """Return the service's time at an instant of the database."""
        return at + timedelta(seconds=self.left_s(at)) if self.seconds else at

    def keeping(self, time: Instant, at: Instant) -> "Offset":
        """Return the offset by which the service's time is `time` at an instant of the database."""
        seconds = (time - at).total_seconds()
        return Offset(version=self.version + 1, seconds=seconds, since=at)


class Reading(Record, frozen=True, kw_only=True):
    """What the database says of the time, all of one moment.

    `at` is its own clock, `reached` an instant that the service's time is known to have come to,
    `claims` how many seconds ahead of that clock the processes alive say their own time is, but for
    those that have only just started.
    """

    at: Instant
    offset: Offset = Offset()
    reached: Instant = NEVER
    claims: tuple[float, ...] = ()

    @property
    def left_s(self) -> float:
        """What is left of a step: seconds that the service's time is ahead of the database's."""
        return self.offset.left_s(self.at)

    @property
    def time(self) -> Instant:
        """The service's time by what is written down."""
        return self.offset.time(self.at)

    @property
    def confirmed(self) -> bool:
        """Whether a process alive goes by that: who does not is off himself."""
        return any(abs(claim - self.left_s) <= STEP_S for claim in self.claims)

    @property
    def first(self) -> Instant:
        """The time that a process starts with: that of the living, whatever the clock was set to.

        Where nobody lives it is at least what the service's time had come to.
        """
        if not self.claims:
            return max(self.time, self.reached)
        return self.time if self.confirmed else self.at + timedelta(seconds=median(self.claims))


def nearer(given: Instant, now: Instant, left_s: float) -> Instant:
    """Return what an instant of somebody else's clock is by the service's time.

    While a step is absorbed, that clock may be as the database's was before, or as it is now.
    """
    return min((given, given + timedelta(seconds=left_s)), key=lambda at: abs(at - now))
