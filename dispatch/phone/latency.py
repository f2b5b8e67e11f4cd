"""How long things took, counted in steps of one percent, so that many processes add up."""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

LEAST_MS: Final = 0.01
STEP: Final = 1.01
_LOG_STEP: Final = math.log(STEP)


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, exact to one percent; `max` is exact. All 0 where n is."""

    n: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Latency(msgspec.Struct, kw_only=True):
    """Durations by their logarithm: a few hundred numbers, however many are added."""

    counts: dict[int, int] = {}
    n: int = 0
    most_ms: float = 0.0

    def add(self, ms: float) -> None:
        """Add one; what is shorter than 0.01 ms, or negative by two clocks, counts as that."""
        step = int(math.log(ms / LEAST_MS) / _LOG_STEP) if ms > LEAST_MS else 0
        self.counts[step] = self.counts.get(step, 0) + 1
        self.most_ms = max(self.most_ms, ms)
        self.n += 1

    def take(self, other: "Latency") -> None:
        """Add all of another."""
        for step, count in other.counts.items():
            self.counts[step] = self.counts.get(step, 0) + count
        self.most_ms = max(self.most_ms, other.most_ms)
        self.n += other.n

    def quantiles(self) -> Quantiles:
        """Return them as they stand."""
        if not self.n:
            return Quantiles()
        p50, p90, p99 = (round(self._at(share), 3) for share in (0.5, 0.9, 0.99))
        return Quantiles(n=self.n, p50=p50, p90=p90, p99=p99, max=round(self.most_ms, 3))

    def _at(self, share: float) -> float:
        """Return the smallest duration that a share of all do not exceed."""
        wanted, passed, steps = share * self.n, 0, sorted(self.counts)
        for step in steps:
            passed += self.counts[step]
            if passed >= wanted:
                return float(min(LEAST_MS * STEP ** (step + 0.5), self.most_ms))
        return self.most_ms


def latency_of(ms: Iterable[float]) -> Latency:
    """Return the latency of a few durations at once."""
    found = Latency()
    for each in ms:
        found.add(each)
    return found
