"""An even rate of something, whoever's turn it is: so many a second, never a great many at once."""

from typing import Final

CATCH_UP_S: Final = 1.0
"""What was missed in a longer pause is not made up for."""


class Pace:
    """Tells how many are due since it was asked last; `per_s` of 0 is none, ever."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._owed = 0.0
        self._at_ms: float | None = None

    def due(self, now_ms: float, done: int = 0) -> int:
        """Return how many are due now; `done` of them came about by themselves meanwhile."""
        passed_s = 0.0 if self._at_ms is None else max(0.0, now_ms - self._at_ms) / 1000
        self._at_ms = now_ms
        most = max(1.0, self._per_s * CATCH_UP_S)
        self._owed = max(-most, min(most, self._owed + passed_s * self._per_s - done))
        count = max(0, int(self._owed))
        self._owed -= count
        return count
