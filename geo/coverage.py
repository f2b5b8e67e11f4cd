"""How well a city is covered: for each of many places, who can be there in time, and how surely.

Told per place: how many free units are within 180 and 300 s, and the chance that somebody arrives
by then if all of them were asked. It is reckoned from the units outwards, not from the places: a
unit that stays where it is reaches the same places at the same time, so of 23,334 units only those
that moved are searched again, and one search by a unit's own way of moving replaces four by every
way from each of 20,849 places. What changes by the second, who is free and how likely to say yes,
is one pass over the pairs that are kept.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.eta import StraightLine
from geo.jurisdiction import JurisdictionIndex
from geo.point import Flags, Floats, Point
from geo.standing import MoveCodes
from geo.straight import StraightStandings

RINGS_S: Final = (180.0, 300.0)
SURE: Final = 0.95
"""A place counts as sure where the chance of an arrival is at least this."""
MOVED_M: Final = 25.0
"""A unit is searched again once it stands farther than this from where it was; as a fix is kept."""
SURELY_NOT: Final = 1e-12
METRES_A_DEGREE: Final = 111_195.0

Numbers = NDArray[np.int64]
Chances = Callable[[Floats, float], Floats]
"""The chance that somebody expected after some seconds is there by then."""


class Places(NamedTuple):
    """Where somebody may be needed: one place of each jurisdiction that has none below it."""

    paths: tuple[str, ...]
    lons: Floats
    lats: Floats

    @classmethod
    def of(cls, index: JurisdictionIndex) -> "Places":
        """Return a place inside each of the deepest jurisdictions, by path."""
        deepest = [each for each in index if not index.children(each.path)]
        inside = shapely.point_on_surface([each.polygon for each in deepest])
        lons, lats = shapely.get_coordinates(inside).T
        return cls(tuple(each.path for each in deepest), lons.copy(), lats.copy())

    def same(self, other: "Places") -> bool:
        """Tell whether these are the same places."""
        return (
            self.paths == other.paths
            and np.array_equal(self.lons, other.lons)
            and np.array_equal(self.lats, other.lats)
        )


class Pairs(NamedTuple):
    """Who reaches which place, by index, and when; each pair once."""

    units: Numbers
    places: Numbers
    eta_s: Floats

    @classmethod
    def joined(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """Return all of some pairs, in their order."""
        return cls(*(np.concatenate(each) for each in zip(NOTHING, *parts, strict=True)))


NOTHING: Final = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class Reaching(Protocol):
    """Whatever can tell which places units reach, and when."""

    @property
    def far(self) -> Flags:
        """Which places are told as the crow flies."""
        ...  # pragma: no cover - a protocol has no body

    def again(self) -> None:
        """Look anew at what has changed: something was closed or opened, or is faster now."""
        ...  # pragma: no cover - a protocol has no body

    def pairs(self, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float) -> Pairs:
        """Return who reaches which place within the limit, turnout included, as an ETA would."""
        ...  # pragma: no cover - a protocol has no body


class StraightReaching:
    """Places as a model without roads reaches them."""

    def __init__(self, model: StraightLine, lons: Floats, lats: Floats) -> None:
        """Take the places."""
        self._model = model
        self._lons, self._lats = lons, lats
        self._standings: dict[int, StraightStandings] = {}

    @property
    def far(self) -> Flags:
        """All of them."""
        return np.ones(len(self._lons), np.bool_)

    def again(self) -> None:
        """Do nothing: nothing changes on a plain."""

    def pairs(self, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float) -> Pairs:
        """Return who reaches which place within the limit."""
        parts = []
        for unit in np.flatnonzero(np.isfinite(lons) & np.isfinite(lats)).tolist():
            here = Point(float(lons[unit]), float(lats[unit]))
            places, reach = self._standing(int(moves[unit])).reach(here, limit_s)
            parts.append(Pairs(np.full(len(places), unit), places, reach.eta_s))
        return Pairs.joined(parts)

    def _standing(self, move: int) -> StraightStandings:
        """Return the places as units that move that way: as long there as back."""
        if move not in self._standings:
            made = self._standings[move] = self._model.standings()
            for place, (lon, lat) in enumerate(
                zip(self._lons.tolist(), self._lats.tolist(), strict=True)
            ):
                made.put(place, lon, lat, move)
        return self._standings[move]


class Covered(NamedTuple):
    """By ring, for each place: how many free units are within it, and the chance of an arrival."""

    units: NDArray[np.int32]
    p: Floats

    @property
    def within(self) -> Flags:
        """Which places have anybody within a ring."""
        return self.units > 0

    @property
    def sure(self) -> Flags:
        """Which places somebody reaches within a ring, as surely as `SURE`."""
        return self.p >= SURE


class Coverage:
    """Who reaches which place, kept up to date by searching for those who moved."""

    def __init__(self, places: int, reaching: Reaching, limit_s: float = RINGS_S[-1]) -> None:
        """Begin with nobody."""
        self._count = places
        self._reaching = reaching
        self._limit_s = limit_s
        self._lons, self._lats = np.zeros(0), np.zeros(0)
        self._moves = np.zeros(0, np.uint8)
        self._waits = np.zeros(0, np.bool_)
        self._reached: list[Pairs] = []

    @property
    def pending(self) -> int:
        """How many units are still to be searched for; till then they count as they stood."""
        return int(np.count_nonzero(self._waits))

    @property
    def far(self) -> Flags:
        """Which places are told as the crow flies."""
        return self._reaching.far

    def again(self) -> None:
        """Search for everybody anew: other roads are open, or others are fast."""
        self._reaching.again()
        self._waits[:] = True

    def take(self, lons: Floats, lats: Floats, moves: MoveCodes) -> None:
        """Take where all units stand, by row; NaN is nowhere."""
        self._make_room(len(lons))
        there = np.isfinite(lons) != np.isfinite(self._lons)
        moved = _metres(self._lons, self._lats, lons, lats) > MOVED_M
        rows = np.flatnonzero(there | moved | (moves != self._moves))
        self._lons[rows], self._lats[rows], self._moves[rows] = lons[rows], lats[rows], moves[rows]
        self._waits[rows] = True

    def _make_room(self, rows: int) -> None:
        """Have exactly so many rows; a new one stands nowhere."""
        stay, new = min(rows, len(self._lons)), max(rows - len(self._lons), 0)
        nowhere = np.full(new, np.nan)
        self._lons = np.append(self._lons[:stay], nowhere)
        self._lats = np.append(self._lats[:stay], nowhere)
        self._moves = np.append(self._moves[:stay], np.zeros(new, np.uint8))
        self._waits = np.append(self._waits[:stay], np.zeros(new, np.bool_))
        self._reached = self._reached[:stay] + [NOTHING] * new

    def work(self, most: int) -> int:
        """Search for at most so many of those that wait; return how many were."""
        rows = np.flatnonzero(self._waits)[:most]
        pairs = self._reaching.pairs(
            self._lons[rows], self._lats[rows], self._moves[rows], self._limit_s
        )
        order = np.argsort(pairs.units, kind="stable")
        ends = np.searchsorted(pairs.units[order], np.arange(len(rows) + 1))
        for at, row in enumerate(rows.tolist()):
            part = order[ends[at] : ends[at + 1]]
            own = np.full(len(part), row)
            self._reached[row] = Pairs(own, pairs.places[part], pairs.eta_s[part])
        self._waits[rows] = False
        return len(rows)

    def covered(
        self, free: Flags, rates: Floats, chances: Chances, later_s: Floats
    ) -> tuple[Covered, ...]:
        """Return how each place is covered by those who are free, for each of `RINGS_S`.

        `rates` are the units' own acceptance rates, `later_s` how much longer than the model's
        turnout each takes to set out. Within a ring the chance counts those inside
        it only; it is that of somebody accepting and arriving, were all of them asked.
        """
        pairs = Pairs.joined([self._reached[row] for row in np.flatnonzero(free).tolist()])
        pairs = pairs._replace(eta_s=pairs.eta_s + later_s[pairs.units])
        return tuple(self._within(pairs, rates, chances, ring_s) for ring_s in RINGS_S)

    def _within(self, pairs: Pairs, rates: Floats, chances: Chances, ring_s: float) -> Covered:
        inside = pairs.eta_s <= ring_s
        places = pairs.places[inside]
        p = rates[pairs.units[inside]] * chances(pairs.eta_s[inside], ring_s)
        missed = np.log(np.maximum(1.0 - p, SURELY_NOT))
        return Covered(
            np.bincount(places, minlength=self._count).astype(np.int32),
            1.0 - np.exp(np.bincount(places, weights=missed, minlength=self._count)),
        )


class Part(NamedTuple):
    """A jurisdiction's coverage: sums of the weights of its places, by ring."""

    path: str
    places: int
    weight: float
    within: tuple[float, ...]
    sure: tuple[float, ...]


def parts(
    paths: Sequence[str], weights: Floats, covered: Sequence[Covered], level: int
) -> list[Part]:
    """Return the sums of all jurisdictions of a level, by path; 1 is the city.

    A place that lies not so deep counts for its own jurisdiction.
    """
    names, of = np.unique(
        [".".join(path.split(".")[:level]) for path in paths], return_inverse=True
    )

    def summed(some: NDArray[Any]) -> list[float]:
        sums: list[float] = np.bincount(of, weights=some, minlength=len(names)).tolist()
        return sums

    within = zip(*(summed(weights * each.within) for each in covered), strict=True)
    sure = zip(*(summed(weights * each.sure) for each in covered), strict=True)
    counts, sums = np.bincount(of).tolist(), summed(weights)
    return [Part(*row) for row in zip(names.tolist(), counts, sums, within, sure, strict=True)]


def uncovered(weights: Floats, covered: Covered) -> Numbers:
    """Return the places with nobody within a ring, those of most weight first, then in order."""
    bare = np.flatnonzero(~covered.within)
    return bare[np.argsort(-weights[bare], kind="stable")]


def _metres(from_lons: Floats, from_lats: Floats, lons: Floats, lats: Floats) -> Floats:
    """Return how far each moved, near enough for some metres; NaN from or to nowhere."""
    east = (lons - from_lons) * np.cos(np.radians(lats))
    return np.hypot(east, lats - from_lats) * METRES_A_DEGREE
