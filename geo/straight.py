"""Where units stand on a plain without roads: found by cell, reckoned as the crow flies."""

from math import inf, nan, sqrt
from typing import Protocol

import numpy as np

from geo.cells import Cells
from geo.compiled import COMPILED, Array, compiled
from geo.distance import plane_near
from geo.point import Box, Floats, Point
from geo.standing import Courses, MoveCodes, Quality, Reach, Rows


class Paces(Protocol):
    """The model whose standings these are."""

    turnout_s: float
    s_per_m: Floats
    detour: Floats

    @property
    def quality(self) -> Quality:
        """What its answers are reckoned from."""
        ...  # pragma: no cover - a protocol has no body

    def within_m(self, limit_s: float) -> float:
        """Return the metres, as the crow flies, beyond which nobody is in time."""
        ...  # pragma: no cover - a protocol has no body

    def plain_around(self, target: Point, limit_s: float) -> bool:
        """Say whether all who are in time lie on one plane with the target."""
        ...  # pragma: no cover - a protocol has no body

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Return everybody's ETA and metres; inf for both beyond the limit."""
        ...  # pragma: no cover - a protocol has no body


@compiled
def fly(
    rows: Array,
    places: Array,
    lon: float,
    lat: float,
    east: float,
    east_bend: float,
    north: float,
    north_bend: float,
    turnout_s: float,
    limit_s: float,
    found: Array,
    eta_s: Array,
    distance_m: Array,
) -> int:
    """Write which rows are in time, with seconds and metres; return how many.

    A place is its lon and lat, seconds per metre and detour side by side: they are read together.
    """
    finds = 0
    for i in range(len(rows)):
        row = rows[i]
        up = places[row, 1] - lat
        x = (places[row, 0] - lon) * (east - east_bend * up)
        y = up * (north + north_bend * up)
        straight_m = sqrt(x * x + y * y)
        seconds = turnout_s + straight_m * places[row, 2]
        # Written first and kept or not: a branch that goes either way would cost more.
        found[finds] = row
        eta_s[finds] = seconds
        distance_m[finds] = straight_m * places[row, 3]
        finds += seconds <= limit_s
    return finds


class StraightStandings:
    """The units of one fleet where no roads are loaded."""

    def __init__(self, model: Paces, *, compiled: bool = COMPILED) -> None:
        self._model = model
        self._compiled = compiled
        self._cells = Cells()
        self._room = 0
        self._places = np.zeros((0, 4))
        self._moves = np.zeros(0, np.uint8)
        self._ways = list(zip(model.s_per_m.tolist(), model.detour.tolist(), strict=True))

    def put(
        self,
        row: int,
        lon: float,
        lat: float,
        moves: int,
        heading_deg: float = nan,
        speed_mps: float = nan,
    ) -> None:
        """Let a row stand at a place; at one that is none (NaN) nobody finds it."""
        if row >= self._room:
            self._make_room(row + 1)
        self._places[row] = lon, lat, *self._ways[moves]
        self._moves[row] = moves
        self._cells.put(row, lon, lat)

    def put_many(
        self, rows: Rows, lons: Floats, lats: Floats, moves: MoveCodes, _ways: Courses
    ) -> None:
        """Do the same for many rows, each named once; where they head counts for nothing here."""
        if len(rows) and int(rows.max()) >= self._room:
            self._make_room(int(rows.max()) + 1)
        self._places[rows, 0], self._places[rows, 1] = lons, lats
        self._places[rows, 2:] = np.array(self._ways)[moves]
        self._moves[rows] = moves
        for row, lon, lat in zip(rows.tolist(), lons.tolist(), lats.tolist(), strict=True):
            self._cells.put(row, lon, lat)

    def _make_room(self, rows: int) -> None:
        more = max(rows, 2 * self._room) - self._room
        self._places = np.concatenate((self._places, np.zeros((more, 4))))
        self._moves = np.append(self._moves, np.zeros(more, np.uint8))
        self._room += more

    def remove(self, row: int) -> None:
        """Let a row stand nowhere."""
        self._cells.remove(row)

    def settle(self) -> int:
        """Find everybody settled already."""
        return 0

    def reach(self, target: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Return who can be at a place within the limit, in no order, and their ways to it."""
        rows = self._cells.near(Box.around(target, self._model.within_m(limit_s)))
        if self._compiled and self._model.plain_around(target, limit_s):
            return self._flown(rows, target, limit_s)
        lons, lats = self._places[rows, 0], self._places[rows, 1]
        reach = self._model.etas(target, lons, lats, self._moves[rows], limit_s)
        inside = np.flatnonzero(reach.eta_s < inf)
        return rows[inside], Reach(reach.eta_s[inside], reach.distance_m[inside], reach.quality)

    def _flown(self, rows: Rows, target: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Do the same in one go."""
        found, (eta_s, distance_m) = np.empty(len(rows), np.int64), np.empty((2, len(rows)))
        model = self._model
        plane = plane_near(target)
        here = (rows, self._places, *target, *plane, model.turnout_s, float(limit_s))
        finds = fly(*here, found, eta_s, distance_m)
        return found[:finds], Reach(eta_s[:finds], distance_m[:finds], model.quality)
