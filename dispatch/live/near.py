"""Who is near a place, by row: searched as far as somebody asks, and no farther."""

from collections.abc import Callable
from functools import cached_property
from typing import Final

import numpy as np

from geo.point import Floats
from geo.standing import Quality, Reach, Rows

FIRST_S: Final = 300.0
"""How far a first search goes: the five-minute ring, in which nearly all is decided."""

Found = tuple[Rows, Reach]
Search = Callable[[float], Found]


class Near:
    """The ETAs of all units to one place; who is beyond the limit is out of reach."""

    def __init__(self, units: int, search: Search, limit_s: float) -> None:
        """Take how many units there are, and what finds those within some seconds."""
        self._units = units
        self._search = search
        self._limit_s = limit_s
        self._first: Found | None = None
        self._all: Found | None = None

    def upto(self, ring_s: float) -> Found:
        """Return who is inside a ring, in no order, and perhaps some beyond it."""
        if ring_s <= FIRST_S or self._limit_s <= FIRST_S:
            if self._first is None:
                self._first = self._search(min(FIRST_S, self._limit_s))
            return self._first
        if self._all is None:
            self._all = self._search(self._limit_s)
        return self._all

    def within(self, ring_s: float) -> tuple[Rows, Floats, Floats]:
        """Return rows, ETAs in seconds and metres of those inside a ring, in no order."""
        rows, reach = self.upto(ring_s)
        inside = (reach.eta_s <= ring_s).nonzero()[0]
        return rows[inside], reach.eta_s[inside], reach.distance_m[inside]

    def of(self, row: int) -> tuple[float, float]:
        """Return the ETA and the metres of one row; inf for both where it is out of reach."""
        for rows, reach in map(self.upto, (FIRST_S, self._limit_s)):
            found = (rows == row).nonzero()[0]
            if len(found):
                return float(reach.eta_s[found[0]]), float(reach.distance_m[found[0]])
        return float("inf"), float("inf")

    @property
    def quality(self) -> Quality:
        """What all of them are reckoned from: one place is never answered in two ways."""
        return self.upto(0.0)[1].quality

    @cached_property
    def eta_s(self) -> Floats:
        """Return the ETA of every unit, in the units' order; inf beyond the limit."""
        rows, reach = self.upto(self._limit_s)
        every = np.full(self._units, np.inf)
        every[rows] = reach.eta_s
        return every
