"""Arrival times by road: one map, what is closed on it now, and how fast it is at this hour."""

from typing import Any, Final
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.compiled import COMPILED
from geo.eta import MOVES, TURNOUT_S, Moves, StraightLine
from geo.point import Floats, Point
from geo.reach import Search, Target
from geo.ring import Edges, Ring, circle, covered, ring
from geo.road_standing import WALK_MPS, RoadStandings
from geo.roads.classes import CLASSES
from geo.roads.closed import SHUT, Closed, Cuts, cuts
from geo.roads.graph import E7, RoadGraph
from geo.roads.hung import Hung
from geo.roads.snap import Snapper
from geo.roads.travel import TRAVEL_OF, TRAVELS
from geo.standing import MoveCodes, Quality, Reach


class RoadNetwork:
    """ETAs by road for all fleets of a process; places off the net are left to the fallback.

    Closures and factors take effect with the next search. Not to be shared between threads.
    """

    quality: Final = Quality.NETWORK

    def __init__(
        self,
        graph: RoadGraph,
        fallback: StraightLine | None = None,
        *,
        turnout_s: float = TURNOUT_S,
        compiled: bool = COMPILED,
    ) -> None:
        """Take a map, which may be shared and is never written; all else is this process's own."""
        self.graph = graph
        self.turnout_s = turnout_s
        self.fallback = fallback or StraightLine(turnout_s)
        self.closed = Closed(graph)
        self.search = Search(graph, self.closed, compiled=compiled)
        self.snapper = Snapper(graph, self.closed, compiled=compiled)
        self.factors = np.full((len(TRAVELS), SHUT + 1), np.inf)
        self._compiled = compiled
        self._standings: WeakSet[RoadStandings] = WeakSet()
        self._nobody = Hung(graph.segments, len(TRAVELS), compiled=compiled)
        self.set_factors(np.ones((len(TRAVELS), len(CLASSES))))

    def standings(self) -> RoadStandings:
        """Return an empty place to keep a fleet's positions."""
        made = RoadStandings(self, compiled=self._compiled)
        self._standings.add(made)
        return made

    def warm(self) -> None:
        """Compile what will run, or load it from its cache: once at the start, some seconds."""
        somewhere = Point(*(float(a[0]) / E7 for a in (self.graph.shape_lon, self.graph.shape_lat)))
        lons, lats = (np.full(len(MOVES), each) for each in somewhere)
        self.etas(somewhere, lons, lats, np.arange(len(MOVES), dtype=np.uint8), self.turnout_s)

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Return the ETAs of units at given places, in their order; inf beyond the limit.

        For a question asked once: a fleet that stays is kept in `standings`.
        """
        asked = RoadStandings(self, compiled=self._compiled)
        for row, place in enumerate(zip(lons.tolist(), lats.tolist(), moves.tolist(), strict=True)):
            asked.put(row, *place)
        rows, reach = asked.reach(target, limit_s)
        eta_s, distance_m = np.full(len(lons), np.inf), np.full(len(lons), np.inf)
        eta_s[rows], distance_m[rows] = reach.eta_s, reach.distance_m
        return Reach(eta_s, distance_m, reach.quality)

    # What differs from the map at the moment. --------------------------------------------------

    def segments_in(self, area: BaseGeometry) -> NDArray[np.int32]:
        """Return the segments that run through an area (WGS-84, lon lat)."""
        return self.cuts(area).segments

    def cuts(self, area: BaseGeometry) -> Cuts:
        """Return what an area shuts, to be closed and later reopened."""
        return cuts(self.graph, area)

    def close(self, shut: Cuts) -> None:
        """Close segments at once; what is closed twice opens with its second reopening."""
        self.closed.close(shut)
        for standings in self._standings:
            standings.again(shut.segments)

    def reopen(self, shut: Cuts) -> None:
        """Take a closure back at once; raise KeyError where it is none."""
        self.closed.reopen(shut)
        for standings in self._standings:
            standings.all_again()

    def set_factors(self, factors: NDArray[np.floating[Any]]) -> None:
        """Take what seconds are multiplied with at this hour: a row a travel, a column a class."""
        if factors.shape != (len(TRAVELS), len(CLASSES)) or not (factors > 0.0).all():
            raise ValueError(f"factors above 0 for {len(TRAVELS)} travels, {len(CLASSES)} classes")
        self.factors[:, : len(CLASSES)] = factors

    # What is drawn. ----------------------------------------------------------------------------

    def edges(self, target: Point, moves: Moves, limit_s: float) -> Edges | None:
        """Return the stretches of road one comes from in time; None where no road is near."""
        travel = int(TRAVEL_OF[MOVES.index(moves)])
        snap = self.snapper.each((travel,), target)[0]
        if snap is None:
            return None
        left_s = limit_s - self.turnout_s - snap.off_m / WALK_MPS
        place, factor = Target(snap.segment, snap.along), self.factors[travel]
        _, settled = self.search.run(travel, place, left_s, self._nobody, factor)
        return covered(self.graph, self.closed, travel, factor, place, settled, left_s)

    def ring(self, target: Point, moves: Moves, limit_s: float) -> Ring:
        """Return what is within a limit of a place, to be drawn; a circle where no road is near."""
        edges = self.edges(target, moves, limit_s)
        if edges is None:
            return circle(target, self.fallback.radius_m(moves, limit_s))
        return ring(self.graph, edges)


def ring_around(
    model: RoadNetwork | StraightLine, target: Point, moves: Moves, limit_s: float
) -> Ring:
    """Return what is within a limit of a place, to be drawn, by whichever model there is."""
    if isinstance(model, RoadNetwork):
        return model.ring(target, moves, limit_s)
    return circle(target, model.radius_m(moves, limit_s))
