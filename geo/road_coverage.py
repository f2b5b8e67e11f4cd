"""Which places units reach by road: the search of `geo.reach`, run from the units outwards.

That search goes against the direction of travel, from where somebody is needed to all who may come.
On the same map with every arc turned round it goes with it, from a unit to all places it gets to:
one kernel for both, so that both tell the same. The places hang on segments as units do.

The turned map costs 24 bytes an arc beside the shared one: 150 MB for a province of 2.4 million
junctions, 10 MB for a city drawn for a demo.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.compiled import COMPILED
from geo.coverage import Pairs, StraightReaching
from geo.point import Floats
from geo.reach import Search, Target
from geo.road_eta import RoadNetwork
from geo.road_standing import WALK_MPS
from geo.roads.closed import SHUT
from geo.roads.graph import Numbers, RoadGraph
from geo.roads.hung import Hung
from geo.roads.snap import OFF, Snaps
from geo.roads.travel import TRAVEL_OF, TRAVELS
from geo.standing import MoveCodes

ALL: Final = range(len(TRAVELS))


def turned(graph: RoadGraph) -> RoadGraph:
    """Return the graph with every arc turned round: the ways into a node are those out of it."""
    to = np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(graph.arc_first))
    order = np.argsort(graph.arc_from, kind="stable")
    first = np.zeros(graph.nodes + 1, np.int32)
    np.cumsum(np.bincount(graph.arc_from, minlength=graph.nodes), out=first[1:])
    return replace(
        graph,
        arc_first=first,
        arc_from=to[order],
        arc_segment=np.asarray(graph.arc_segment)[order],
        arc_s=np.ascontiguousarray(np.asarray(graph.arc_s)[:, order]),
        segment_s=np.ascontiguousarray(np.asarray(graph.segment_s)[:, ::-1]),
    )


class RoadReaching:
    """Places as a road network reaches them; those with no road near, as its fallback does.

    What is closed and how fast roads are is read with every search, where places meet the road
    only by `again`. It may run in a thread of its own while the network is in use.
    """

    def __init__(
        self, network: RoadNetwork, lons: Floats, lats: Floats, *, compiled: bool = COMPILED
    ) -> None:
        """Hang the places on the roads, for each way of moving."""
        self._network = network
        self._graph = turned(network.graph)
        self._search = Search(self._graph, network.closed, compiled=compiled)
        self._lons, self._lats = lons, lats
        self._compiled = compiled
        self.again()

    def again(self) -> None:
        """Look anew where places meet the road: something was closed, or opened."""
        graph, count = self._graph, len(self._lons)
        self._hung = []
        near = np.zeros(count, np.bool_)
        for travel in ALL:
            hung = Hung(graph.segments, len(TRAVELS), compiled=self._compiled)
            hung.make_room(count)
            travels = np.full(count, travel, np.uint8)
            found = self._network.snapper.snap(travels, self._lons, self._lats)
            rows = np.flatnonzero(found.segment != OFF)
            near[rows] = True
            segments, along = self._at_junctions(found, rows)
            still = np.zeros(len(rows))
            hung.hang(travel, rows, segments, along, found.off_m[rows] / WALK_MPS, still, still)
            self._hung.append(hung)
        self.far = ~near
        self._far = np.flatnonzero(~near)
        lons, lats = self._lons[self._far], self._lats[self._far]
        self._straight = StraightReaching(self._network.fallback, lons, lats)

    def _at_junctions(self, found: Snaps, rows: NDArray[np.intp]) -> tuple[Numbers, Floats]:
        """Return where places hang; one at the end of a segment where one leaves its junction.

        A place is found when the search leaves a junction along its segment, which nobody may do
        at the far end of a one-way street.
        """
        graph, lane = self._graph, self._network.closed.lane
        segments, along = found.segment[rows].copy(), found.along[rows].copy()
        for at in np.flatnonzero((along == 0.0) | (along == 1.0)).tolist():
            ends = graph.segment_b if along[at] else graph.segment_a
            node = ends[segments[at]]
            leaving = graph.arc_segment[graph.arc_first[node] : graph.arc_first[node + 1]]
            open_ = leaving[lane[leaving] != SHUT]
            if len(open_) and segments[at] not in open_:
                segments[at] = open_[0]
                along[at] = float(graph.segment_b[open_[0]] == node)
        return segments, along

    def pairs(self, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float) -> Pairs:
        """Return who reaches which place within the limit."""
        travels = TRAVEL_OF[moves]
        found = self._network.snapper.snap(travels, lons, lats)
        parts = [self._far_pairs(lons, lats, moves, limit_s)]
        for unit in np.flatnonzero(found.segment != OFF).tolist():
            travel = int(travels[unit])
            extra_s = self._network.turnout_s + float(found.off_m[unit]) / WALK_MPS
            target = Target(int(found.segment[unit]), float(found.along[unit]))
            told, _ = self._search.run(
                travel,
                target,
                limit_s - extra_s,
                self._hung[travel],
                self._network.factors[travel],
            )
            parts.append(Pairs(np.full(len(told.rows), unit), told.rows, told.s + extra_s))
        return Pairs.joined(parts)

    def _far_pairs(self, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float) -> Pairs:
        """Return the pairs of places with no road near: as the crow flies, for every unit."""
        if not len(self._far):
            return Pairs.joined(())
        pairs = self._straight.pairs(lons, lats, moves, limit_s)
        return pairs._replace(places=self._far[pairs.places])
