"""Where units stand on roads: taken as they come, snapped together, found by the search."""

from math import isfinite, nan
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from geo.eta import PACES, Moves, StraightLine
from geo.point import Floats, Point
from geo.reach import Search, Target, Told
from geo.roads.closed import Closed
from geo.roads.graph import RoadGraph
from geo.roads.hung import Hung
from geo.roads.snap import OFF, Snap, Snapper, Snaps
from geo.roads.travel import CAR, MOTORBIKE, TRAVEL_OF, TRAVELS
from geo.standing import Courses, MoveCodes, Quality, Reach, Rows

WALK_MPS: Final = PACES[Moves.FOOT].speed_mps
"""How fast the last metres off the road are, whatever the way of moving."""
TURN_S: Final = 10.0
"""What turning round costs a motor on the move."""
TURN_FROM_MPS: Final = 3.0
TURN_COSINE: Final = 0.5
"""A heading within 60 degrees of a road's direction is along it."""
MOTORS: Final = (MOTORBIKE, CAR)
ALL: Final = tuple(range(len(TRAVELS)))


class Net(Protocol):
    """What all standings on one map share: the map, its searches, closures and factors."""

    graph: RoadGraph
    closed: Closed
    search: Search
    snapper: Snapper
    turnout_s: float
    fallback: StraightLine
    factors: Floats


class RoadStandings:
    """The units of one fleet on one map. What is put is snapped at the next `settle` or search."""

    def __init__(self, net: Net, *, compiled: bool) -> None:
        self._net = net
        self._hung = Hung(net.graph.segments, len(TRAVELS), compiled=compiled)
        self._room = 0
        self._lon, self._lat = np.zeros(0), np.zeros(0)
        self._heading, self._speed = np.zeros(0), np.zeros(0)
        self._moves = np.zeros(0, np.uint8)
        self._waiting: set[int] = set()

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
        self._lon[row], self._lat[row] = lon, lat
        self._moves[row] = moves
        self._heading[row], self._speed[row] = heading_deg, speed_mps
        self._waiting.add(row)

    def put_many(
        self, rows: Rows, lons: Floats, lats: Floats, moves: MoveCodes, ways: Courses
    ) -> None:
        """Do the same for many rows, each named once."""
        if len(rows) and int(rows.max()) >= self._room:
            self._make_room(int(rows.max()) + 1)
        self._lon[rows], self._lat[rows], self._moves[rows] = lons, lats, moves
        self._heading[rows], self._speed[rows] = ways.headings_deg, ways.speeds_mps
        self._waiting.update(rows.tolist())

    def remove(self, row: int) -> None:
        """Let a row stand nowhere."""
        if row < self._room:
            self.put(row, nan, nan, int(self._moves[row]))

    def _make_room(self, rows: int) -> None:
        more = max(rows, 2 * self._room) - self._room
        none = np.full(more, nan)
        self._lon, self._lat = np.append(self._lon, none), np.append(self._lat, none)
        self._heading = np.append(self._heading, none)
        self._speed = np.append(self._speed, none)
        self._moves = np.append(self._moves, np.zeros(more, np.uint8))
        self._room += more
        self._hung.make_room(self._room)

    def settle(self) -> int:
        """Snap and hang what was put since; return how many."""
        if not self._waiting:
            return 0
        rows = np.fromiter(self._waiting, np.int64, len(self._waiting))
        self._waiting.clear()
        travels = TRAVEL_OF[self._moves[rows]]
        turned = rows[self._hung.travel[rows] != travels]
        if len(turned):
            self._hung.take(turned)
        found = self._net.snapper.snap(travels, self._lon[rows], self._lat[rows])
        off_s = np.where(found.segment == OFF, 0.0, found.off_m / WALK_MPS)
        turns_s = self._turns_s(rows, travels, found)
        for travel in np.unique(travels).tolist():
            of = np.flatnonzero(travels == travel)
            numbers = (each[of] for each in (found.along, off_s, *turns_s))
            self._hung.hang(travel, rows[of], found.segment[of], *numbers)
        return len(rows)

    def _turns_s(self, rows: Rows, travels: MoveCodes, found: Snaps) -> tuple[Floats, Floats]:
        """Return what leaving costs against one's heading: towards a, and towards b."""
        moving = (self._speed[rows] > TURN_FROM_MPS) & np.isin(travels, MOTORS)
        if not moving.any():
            return np.zeros(len(rows)), np.zeros(len(rows))
        heading = np.radians(self._heading[rows])
        towards_b = found.east * np.sin(heading) + found.north * np.cos(heading)
        against_a = moving & (towards_b > TURN_COSINE)
        against_b = moving & (towards_b < -TURN_COSINE)
        return np.where(against_a, TURN_S, 0.0), np.where(against_b, TURN_S, 0.0)

    def again(self, segments: NDArray[np.int32]) -> None:
        """Snap anew, at the next settle, who hangs on some segments."""
        self._waiting.update(self._hung.on(segments).tolist())

    def all_again(self) -> None:
        """Snap everybody anew at the next settle: a road was opened."""
        self._waiting.update(np.flatnonzero(np.isfinite(self._lon)).tolist())

    def reach(self, target: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Return who can be at a place within the limit, in no order, and their ways to it.

        A place that is off the net is answered as a whole by the straight line, and says so.
        """
        self.settle()
        if not (isfinite(target.lon) and isfinite(target.lat)):
            return self._straight(target, limit_s)
        travels = self._hung.travels() or ALL
        snaps = self._net.snapper.each(travels, target)
        if not any(snaps):
            return self._straight(target, limit_s)
        told = [
            self._told(travel, snap, limit_s)
            for travel, snap in zip(travels, snaps, strict=True)
            if snap is not None
        ]
        rows, s, m = told[0] if len(told) == 1 else map(np.concatenate, zip(*told, strict=True))
        return rows, Reach(s, m, Quality.NETWORK)

    def _told(self, travel: int, snap: Snap, limit_s: float) -> Told:
        net = self._net
        extra_s = net.turnout_s + snap.off_m / WALK_MPS
        target = Target(snap.segment, snap.along)
        told, _ = net.search.run(travel, target, limit_s - extra_s, self._hung, net.factors[travel])
        off_m = self._hung.off_s[told.rows] * WALK_MPS + snap.off_m
        return Told(told.rows, told.s + extra_s, told.m + off_m)

    def _straight(self, target: Point, limit_s: float) -> tuple[Rows, Reach]:
        reach = self._net.fallback.etas(target, self._lon, self._lat, self._moves, limit_s)
        rows = np.flatnonzero(np.isfinite(reach.eta_s)).astype(np.int64)
        return rows, Reach(reach.eta_s[rows], reach.distance_m[rows], reach.quality)
