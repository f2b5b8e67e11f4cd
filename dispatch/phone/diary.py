"""What a fleet of phones has seen, kept small, to be held against what was committed."""

from typing import Final

import msgspec
import numpy as np

RANGES_MAX: Final = 1024
WELCOMES_MAX: Final = 64
PUSHES_MAX: Final = 200_000
OFFERS_FIRST_MAX: Final = 200_000
ARRIVALS_MAX: Final = 200_000


class Seqs:
    """A set of seqs as ranges, lowest first.

    Past RANGES_MAX the lowest are cut off: nothing is known up to `cut`.
    """

    __slots__ = ("cut", "ranges")

    def __init__(self) -> None:
        self.ranges: list[list[int]] = []
        self.cut = 0

    def add(self, seq: int) -> None:
        """Add one; nearly always it continues the last range."""
        ranges = self.ranges
        at = len(ranges)
        while at and ranges[at - 1][0] > seq:
            at -= 1
        if at and seq <= ranges[at - 1][1]:
            return
        ranges.insert(at, [seq, seq])
        self._join(at)
        if at:
            self._join(at - 1)
        if len(ranges) > RANGES_MAX:
            self.cut = ranges.pop(0)[1]

    def _join(self, at: int) -> None:
        """Make one range of two that touch."""
        ranges = self.ranges
        if at + 1 < len(ranges) and ranges[at][1] + 1 == ranges[at + 1][0]:
            ranges[at][1] = ranges.pop(at + 1)[1]


class DeviceDiary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one phone saw: seqs as [first, last], unknown up to `cut`; welcomes as (head, ms)."""

    seqs: list[list[int]] = []
    cut: int = 0
    welcomes: list[tuple[int, float]] = []
    connected: bool = False


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds; exact while n is at most PUSHES_MAX, then of a fair sample."""

    n: int = 0
    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Tally(msgspec.Struct, kw_only=True):
    """What is counted while a fleet runs."""

    phones: int = 0
    online: int = 0
    dialling: int = 0
    offers: int = 0
    accepts: int = 0
    declines: int = 0
    tasks: int = 0
    arrivals: int = 0
    arrived_180_s: int = 0
    arrived_300_s: int = 0
    resolved: int = 0
    ended: dict[str, int] = {}
    refused: dict[str, int] = {}
    losses: dict[str, int] = {}
    skipped: int = 0
    dropped: int = 0
    fixes: int = 0


class Diary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it, written as JSON when a fleet ends.

    Latencies are by the server's clock, which was `skew_ms` ahead of the fleet's at the end.
    `offers_first`: when the first offer of an incident was written, by the server's clock, and
    when it was heard, by the fleet's.
    """

    devices: dict[str, DeviceDiary]
    offers_first: dict[str, tuple[float, float]]
    arrivals: list[tuple[str, float]]
    push_ms: Quantiles
    skew_ms: float = 0.0
    tally: Tally


class Pushes:
    """Latencies: all of them up to `most`, then a fair sample (algorithm R)."""

    def __init__(self, dice: np.random.Generator, most: int = PUSHES_MAX) -> None:
        self._dice = dice
        self._most = most
        self._ms = np.zeros(most, dtype=np.float32)
        self._max = 0.0
        self.n = 0

    def add(self, ms: float) -> None:
        """Add one."""
        at = self.n if self.n < self._most else int(self._dice.integers(self.n + 1))
        if at < self._most:
            self._ms[at] = ms
        self._max = max(self._max, ms)
        self.n += 1

    def quantiles(self) -> Quantiles:
        """Return them as they stand."""
        if not self.n:
            return Quantiles()
        p50, p99 = np.quantile(self._ms[: self.n], [0.5, 0.99])
        return Quantiles(n=self.n, p50=float(p50), p99=float(p99), max=self._max)
