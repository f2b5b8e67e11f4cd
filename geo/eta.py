"""When a unit can be at a place: the protocol of ETA models, and the one without roads."""

from enum import StrEnum
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geo.distance import NEAR_M, metres_many, metres_near
from geo.point import Box, Floats, Point

TURNOUT_S: Final = 30.0


class Moves(StrEnum):
    """A unit's way of moving."""

    FOOT = "foot"
    BICYCLE = "bicycle"
    EBIKE = "ebike"
    MOTORBIKE = "motorbike"
    CAR = "car"


# A way of moving is written into arrays as its index here.
MOVES: Final[tuple[Moves, ...]] = tuple(Moves)
MoveCodes = NDArray[np.uint8]


class Pace(NamedTuple):
    """How fast a way of moving is, and how much longer than the straight line its way is."""

    speed_mps: float
    detour: float


PACES: Final[dict[Moves, Pace]] = {
    Moves.FOOT: Pace(1.4, 1.3),
    Moves.BICYCLE: Pace(4.5, 1.3),
    Moves.EBIKE: Pace(4.5, 1.3),
    Moves.MOTORBIKE: Pace(8.3, 1.4),
    Moves.CAR: Pace(8.3, 1.5),
}


class Quality(StrEnum):
    """What an ETA was reckoned from; answers of two qualities are never ranked together."""

    NETWORK = "network"
    STRAIGHT_LINE = "straight_line"


class Reach(NamedTuple):
    """Every unit's way to one place, in the units' order; inf for both beyond the limit."""

    eta_s: Floats
    distance_m: Floats


FEW: Final = 10_000
"""So many are reckoned sooner than it is looked who of them is near."""
NO_TURN: Final = 179.0
"""Degrees of longitude: beyond, the way may cross the 180th meridian."""
NO_POLE: Final = 80.0
"""Degrees of latitude: beyond, a plane is none."""


@runtime_checkable
class Bounded(Protocol):
    """A model that can say who is too far away without being asked about each."""

    def within_m(self, limit_s: float) -> float:
        """Return the metres, as the crow flies, beyond which nobody is in time."""
        ...  # pragma: no cover - a protocol has no body


class EtaModel(Protocol):
    """Whatever can tell when units arrive."""

    @property
    def quality(self) -> Quality:
        """What all answers of this model are reckoned from."""
        ...  # pragma: no cover - a protocol has no body

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Return turnout plus road seconds, and metres to go, of all units to one target.

        `moves` are indexes of `MOVES`. What takes longer than `limit_s`, or has no known
        place (NaN), is inf. Arrays are read, never changed or kept.
        """
        ...  # pragma: no cover - a protocol has no body


class StraightLine:
    """ETAs where no roads are loaded: straight line times detour, at a usual speed."""

    quality: Final = Quality.STRAIGHT_LINE

    def __init__(self, turnout_s: float = TURNOUT_S) -> None:
        """Take the seconds between the alert and the first step."""
        self.turnout_s = turnout_s
        self._speed_mps = np.array([PACES[move].speed_mps for move in MOVES])
        self._detour = np.array([PACES[move].detour for move in MOVES])
        self._fastest_mps = max(pace.speed_mps / pace.detour for pace in PACES.values())
        self._s_per_m = self._detour / self._speed_mps

    def within_m(self, limit_s: float) -> float:
        """Return how far the fastest gets in the time, as the crow flies."""
        return max(limit_s - self.turnout_s, 0.0) * self._fastest_mps

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Return every unit's ETA in seconds, and straight metres times detour."""
        few = len(lons) <= FEW and self.within_m(limit_s) <= NEAR_M
        if few and abs(target.lon) <= NO_TURN and abs(target.lat) <= NO_POLE:
            return self._etas_of_few(target, lons, lats, moves, limit_s)
        eta_s, distance_m = np.full(len(lons), np.inf), np.full(len(lons), np.inf)
        near = self._near(target, lons, lats, limit_s)
        road_m = metres_many(target, lons[near], lats[near]) * self._detour[moves[near]]
        total_s = self.turnout_s + road_m / self._speed_mps[moves[near]]
        inside = total_s <= limit_s
        eta_s[near[inside]], distance_m[near[inside]] = total_s[inside], road_m[inside]
        return Reach(eta_s, distance_m)

    def _etas_of_few(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Reckon all of them, without a look at who is near: cheaper for some thousands."""
        straight_m = metres_near(target, lons, lats)
        eta_s = self._s_per_m.take(moves)
        eta_s *= straight_m
        eta_s += self.turnout_s
        straight_m *= self._detour.take(moves)
        late = ~(eta_s <= limit_s)
        np.putmask(eta_s, late, np.inf)
        np.putmask(straight_m, late, np.inf)
        return Reach(eta_s, straight_m)

    def _near(self, target: Point, lons: Floats, lats: Floats, limit_s: float) -> NDArray[np.intp]:
        """Return the indexes of all that could be inside the limit with the fastest move."""
        box = Box.around(target, self.within_m(limit_s))
        return np.flatnonzero(box.contains_many(lons, lats))
