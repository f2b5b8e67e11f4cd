"""When a unit can be at a place: the protocol of ETA models, and the one without roads."""

from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from geo.compiled import COMPILED
from geo.distance import NEAR_M, metres_many, metres_near
from geo.point import Box, Floats, Point
from geo.standing import MoveCodes, Quality, Reach, Standings
from geo.straight import StraightStandings

__all__ = [
    "MOVES",
    "PACES",
    "TURNOUT_S",
    "EtaModel",
    "MoveCodes",
    "Moves",
    "Pace",
    "Quality",
    "Reach",
    "Standings",
    "StraightLine",
]

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


FEW: Final = 10_000
"""So many are reckoned sooner than it is looked who of them is near."""
NO_TURN: Final = 179.0
"""Degrees of longitude: beyond, the way may cross the 180th meridian."""
NO_POLE: Final = 80.0
"""Degrees of latitude: beyond, a plane is none."""


class EtaModel(Protocol):
    """Whatever can tell when units arrive."""

    @property
    def quality(self) -> Quality:
        """What all answers of this model are reckoned from."""
        ...  # pragma: no cover - a protocol has no body

    def standings(self) -> Standings:
        """Return an empty place to keep the positions of a fleet, and to find them by arrival."""
        ...  # pragma: no cover - a protocol has no body

    def warm(self) -> None:
        """Compile what will run: once at the start of a service, some seconds."""
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

    def __init__(self, turnout_s: float = TURNOUT_S, *, compiled: bool = COMPILED) -> None:
        """Take the seconds between the alert and the first step."""
        self.turnout_s = turnout_s
        self._compiled = compiled
        self._speed_mps = np.array([PACES[move].speed_mps for move in MOVES])
        self.detour = np.array([PACES[move].detour for move in MOVES])
        self._fastest_mps = max(pace.speed_mps / pace.detour for pace in PACES.values())
        self.s_per_m = self.detour / self._speed_mps

    def standings(self) -> StraightStandings:
        """Return an empty place to keep the positions of a fleet."""
        return StraightStandings(self, compiled=self._compiled)

    def warm(self) -> None:
        """Compile what will run, or load it from its cache."""
        somewhere = self.standings()
        somewhere.put(0, 0.0, 0.0, 0)
        somewhere.reach(Point(0.0, 0.0), self.turnout_s)

    def radius_m(self, moves: Moves, limit_s: float) -> float:
        """Return how far a way of moving gets in the time, as the crow flies."""
        pace = PACES[moves]
        return max(limit_s - self.turnout_s, 0.0) * pace.speed_mps / pace.detour

    def within_m(self, limit_s: float) -> float:
        """Return how far the fastest gets in the time, as the crow flies."""
        return max(limit_s - self.turnout_s, 0.0) * self._fastest_mps

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Return every unit's ETA in seconds, and straight metres times detour."""
        if len(lons) <= FEW and self.plain_around(target, limit_s):
            return self._etas_of_few(target, lons, lats, moves, limit_s)
        eta_s, distance_m = np.full(len(lons), np.inf), np.full(len(lons), np.inf)
        near = self._near(target, lons, lats, limit_s)
        road_m = metres_many(target, lons[near], lats[near]) * self.detour[moves[near]]
        total_s = self.turnout_s + road_m / self._speed_mps[moves[near]]
        inside = total_s <= limit_s
        eta_s[near[inside]], distance_m[near[inside]] = total_s[inside], road_m[inside]
        return Reach(eta_s, distance_m)

    def plain_around(self, target: Point, limit_s: float) -> bool:
        """Say whether all who are in time lie on one plane with the target."""
        even = abs(target.lon) <= NO_TURN and abs(target.lat) <= NO_POLE
        return even and self.within_m(limit_s) <= NEAR_M

    def _etas_of_few(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Reckon all of them, without a look at who is near: cheaper for some thousands."""
        straight_m = metres_near(target, lons, lats)
        eta_s = self.s_per_m.take(moves)
        eta_s *= straight_m
        eta_s += self.turnout_s
        straight_m *= self.detour.take(moves)
        late = ~(eta_s <= limit_s)
        np.putmask(eta_s, late, np.inf)
        np.putmask(straight_m, late, np.inf)
        return Reach(eta_s, straight_m)

    def _near(self, target: Point, lons: Floats, lats: Floats, limit_s: float) -> NDArray[np.intp]:
        """Return the indexes of all that could be inside the limit with the fastest move."""
        box = Box.around(target, self.within_m(limit_s))
        return np.flatnonzero(box.contains_many(lons, lats))
