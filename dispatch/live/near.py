"""Who is near a place, by row: the few that are, and inf for all others."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geo.eta import Reach
from geo.point import Floats

Rows = NDArray[np.int64]


class Near:
    """The ETAs of some rows of a fleet; the others are out of reach."""

    def __init__(self, units: int, rows: Rows, reach: Reach) -> None:
        self._units = units
        self._rows = rows
        self._reach = reach

    def within(self, ring_s: float) -> tuple[Rows, Floats, Floats]:
        """Return rows, ETAs in seconds and metres of those inside a ring, in no order."""
        inside = (self._reach.eta_s <= ring_s).nonzero()[0]
        return self._rows[inside], self._reach.eta_s[inside], self._reach.distance_m[inside]

    def of(self, row: int) -> tuple[float, float]:
        """Return the ETA and the metres of one row; inf for both where it is out of reach."""
        found = (self._rows == row).nonzero()[0]
        if not len(found):
            return float("inf"), float("inf")
        return float(self._reach.eta_s[found[0]]), float(self._reach.distance_m[found[0]])

    @cached_property
    def eta_s(self) -> Floats:
        """Return the ETA of every unit, in the units' order; inf beyond the limit."""
        every = np.full(self._units, np.inf)
        every[self._rows] = self._reach.eta_s
        return every
