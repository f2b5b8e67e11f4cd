"""The bounds of the unit socket, and the two counters that hold them."""

from collections.abc import Mapping
from math import ceil
from typing import Final

from schemas.wire import Close

RATE_PER_S: Final = 2.0
RATE_BURST: Final = 20.0
LOC_PER_S: Final = 1.0
LOC_BURST: Final = 5.0
"""A phone that was offline hands over its batches one after the other."""
ERRORS_MAX: Final = 10
ERRORS_WITHIN_S: Final = 60.0
FLOOD_MAX: Final = 120
"""So many frames turned away (not ready, too many) within `ERRORS_WITHIN_S` close by 4103."""
IN_FLIGHT_MAX: Final = 8
REPLIES_MAX: Final = 64
RELIABLE_MAX: Final = 64
BREATH_FRAMES: Final = 32
"""Frames of one phone taken in a row: fewer than `REPLIES_MAX`, so answers find room."""
QUEUE_BYTES_MAX: Final = 128 * 1024
HEARTBEAT_S: Final = 30.0
QUIET_AFTER_HB: Final = 2.4
SILENT_AFTER_HB: Final = 2.5
SILENT_AFTER_MIN_S: Final = 30.0
SILENT_AFTER_S: Final = SILENT_AFTER_HB * HEARTBEAT_S
"""A phone is shown stale, then closed, after so many heartbeats without a word: engaged, with one
each 5 s, at 12 s and 30 s."""
SEND_WITHIN_S: Final = 10.0
PART_WITHIN_S: Final = 2.0
"""How long a close frame may wait behind what is still to be written."""
BEFORE_HELLO_MAX: Final = 50
SESSIONS_PER_UNIT: Final = 8
CHECKS_MAX: Final = 1000
"""Tokens looked up at the same time; busy phones may take twice as many places."""
TWIN_ROWS: Final = 64
SWEEP_ROWS: Final = 32
SWEEP_EVERY_S: Final = 1.0
NOT_READY_MS: Final = 1000
OVERLOADED_MS: Final = 1000
SPREAD_S: Final = (1.0, 60.0)
PHONES_BACK_PER_S: Final = 400
LATER_S: Final = (5.0, 60.0)
WAITING_BACK_PER_S: Final = 50
"""Who is turned away (4106) came in a storm: an eighth of what comes back in good order."""

RETRY_AFTER_S: Final[Mapping[Close, int]] = {
    Close.HELLO_TIMEOUT: 5,
    Close.AUTH_EXPIRED: 1,
    Close.SLOW_CONSUMER: 1,
    Close.RATE_LIMITED: 30,
    Close.SILENT: 1,
    Close.INTERNAL: 5,
    Close.OVERLOADED: 5,
    Close.TOO_MANY_ERRORS: 30,
}
"""What the reason of a close names as `ra` where the closer does not; all others: 0."""


def later_s(waiting: int) -> float:
    """Return within how many seconds so many turned away may come again."""
    least, most = LATER_S
    return min(most, max(least, waiting / WAITING_BACK_PER_S))


def spread_s(online: int) -> float:
    """Return over how many seconds so many phones should come back."""
    least, most = SPREAD_S
    return min(most, max(least, online / PHONES_BACK_PER_S))


class Bucket:
    """A token bucket: `burst` at once, `per_s` in the long run."""

    __slots__ = ("_at", "_burst", "_level", "_per_s")

    def __init__(self, burst: float, per_s: float, now: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._level, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take one token; False where there is none."""
        grown = self._level + max(0.0, now - self._at) * self._per_s
        self._level, self._at = min(self._burst, grown), now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

    def wait_ms(self) -> int:
        """Return how long after the last `take` there is a token again."""
        return max(0, ceil((1.0 - self._level) / self._per_s * 1000))


class Window:
    """Counts what happened lately."""

    __slots__ = ("_most", "_times", "_within_s")

    def __init__(self, most: int, within_s: float) -> None:
        self._most, self._within_s = most, within_s
        self._times: tuple[float, ...] = ()

    def full(self, now: float) -> bool:
        """Count one more at `now`; tell whether that makes `most` of them."""
        since = now - self._within_s
        self._times = (*(at for at in self._times if at > since), now)
        return len(self._times) >= self._most


class Porch:
    """Counts sockets that have not said who they are, by address."""

    def __init__(self, most: int = BEFORE_HELLO_MAX) -> None:
        self._most = most
        self._there: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count one more; False, and nothing counted, where the address has its share."""
        there = self._there.get(address, 0)
        if there >= self._most:
            return False
        self._there[address] = there + 1
        return True

    def leave(self, address: str) -> None:
        """Count one less; once for each `enter` that was let in."""
        there = self._there.pop(address) - 1
        if there:
            self._there[address] = there
