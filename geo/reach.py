"""The road seconds of every unit to one place: one bounded search, outwards from the place.

What the search holds to:

- It runs over reversed arcs, so a node's seconds are those from there to the target. Both ends of
  the target's segment are seeded with what is left of the way from them.
- A unit hangs on its segment. It is read when an end of that segment is settled, for the way over
  this end; on the target's own segment it is read once more, for the way that never leaves it.
  The least counts, and nothing above the limit is told.
- Who stands at the very end of a segment stands on the junction, whatever the segment's direction.
- A closed segment leads nobody through. Who is on it, outside the stretch that is shut, may leave
  it to his side; the target is approached the same way.
- Times that are in proportion to metres are in proportion along a segment too (`RoadGraph`).
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geo.compiled import COMPILED, Array, compiled, handed, part, read_only
from geo.point import Floats
from geo.roads.closed import SHUT, Closed
from geo.roads.graph import Numbers, RoadGraph
from geo.roads.hung import Hung
from geo.standing import Rows

Heap: TypeAlias = list[tuple[float, int]]
"""Seconds and nodes; the least is taken out first."""


class Target(NamedTuple):
    """A place on a segment: the share of the way from its start, 0 to 1."""

    segment: int
    along: float


class Told(NamedTuple):
    """Rows of those in reach, their road seconds and metres; in no order."""

    rows: Rows
    s: Floats
    m: Floats


class Settled(NamedTuple):
    """All nodes within the limit, nearest first, and their seconds to the target."""

    nodes: Numbers
    s: Floats


class _Roads(NamedTuple):
    """A map as one travel sees it."""

    arc_first: Array
    arc_from: Array
    arc_segment: Array
    arc_s: Array
    up_s: Array
    down_s: Array
    segment_a: Array
    segment_b: Array
    segment_m: Array
    segment_class: Array


class _Now(NamedTuple):
    """What differs from the map at the moment."""

    lane: Array
    shut_first: Array
    shut_last: Array
    factor: Array


class _Units(NamedTuple):
    """Who hangs on the segments."""

    head: Array
    behind: Array
    along: Array
    off_s: Array
    turn_a_s: Array
    turn_b_s: Array


class _Best(NamedTuple):
    """The way of each row that is known so far, and the rows of which there is one."""

    s: Array
    m: Array
    found: Array


@part
def set_out(
    heap: Heap, roads: _Roads, now: _Now, seed: int, place: float, limit_s: float, node: Array
) -> None:
    """Set out from both ends of the target's segment."""
    shut = now.lane[seed] == SHUT
    pace = now.factor[roads.segment_class[seed]]
    if not (shut and place >= now.shut_first[seed]):
        seconds = roads.up_s[seed] * pace * place if place > 0.0 else 0.0
        if seconds <= limit_s:
            node[2 * roads.segment_a[seed]] = seconds
            node[2 * roads.segment_a[seed] + 1] = roads.segment_m[seed] * place
            heappush(heap, (seconds, roads.segment_a[seed]))
    if not (shut and place <= now.shut_last[seed]):
        seconds = roads.down_s[seed] * pace * (1.0 - place) if place < 1.0 else 0.0
        if seconds <= limit_s:
            node[2 * roads.segment_b[seed]] = seconds
            node[2 * roads.segment_b[seed] + 1] = roads.segment_m[seed] * (1.0 - place)
            heappush(heap, (seconds, roads.segment_b[seed]))


@part
def find_beside(
    roads: _Roads, now: _Now, units: _Units, seed: int, place: float, limit_s: float, best: _Best
) -> int:
    """Find who is on the target's own segment; return how many."""
    finds = 0
    shut = now.lane[seed] == SHUT
    pace = now.factor[roads.segment_class[seed]]
    row = units.head[seed]
    while row >= 0:
        seconds = units.off_s[row]
        share = place - units.along[row]
        if shut and (place < now.shut_first[seed]) != (units.along[row] < now.shut_first[seed]):
            seconds = inf
        elif share > 0.0:
            seconds += roads.up_s[seed] * pace * share + units.turn_b_s[row]
        elif share < 0.0:
            share = -share
            seconds += roads.down_s[seed] * pace * share + units.turn_a_s[row]
        if seconds <= limit_s:
            best.found[finds] = row
            finds += 1
            best.s[row] = seconds
            best.m[row] = roads.segment_m[seed] * share
        row = units.behind[row]
    return finds


@part
def tell(
    finds: int,
    nodes: int,
    node: Array,
    settled: Array,
    settled_s: Array,
    best: _Best,
    found_s: Array,
    found_m: Array,
) -> None:
    """Write the ways of who is found and what is settled, and leave the scratch as it was."""
    for i in range(nodes):
        settled_s[i] = node[2 * settled[i]]
        node[2 * settled[i]] = inf
    for i in range(finds):
        row = best.found[i]
        found_s[i] = best.s[row]
        found_m[i] = best.m[row]
        best.s[row] = inf


@compiled
def search(
    arc_first: Array,
    arc_from: Array,
    arc_segment: Array,
    arc_s: Array,
    up_s: Array,
    down_s: Array,
    segment_a: Array,
    segment_b: Array,
    segment_m: Array,
    segment_class: Array,
    lane: Array,
    shut_first: Array,
    shut_last: Array,
    factor: Array,
    head: Array,
    behind: Array,
    along: Array,
    off_s: Array,
    turn_a_s: Array,
    turn_b_s: Array,
    seed: int,
    place: float,
    limit_s: float,
    node: Array,
    settled: Array,
    settled_s: Array,
    best_s: Array,
    best_m: Array,
    found: Array,
    found_s: Array,
    found_m: Array,
) -> tuple[int, int]:
    """Write who is found, and all nodes within the limit; return how many of each.

    `node` holds seconds and metres of each node side by side: they are read together. Its seconds
    and `best_s` are inf at the start, and again at the end.
    """
    heap = [(0.0, segment_a[seed])]
    heap.pop()  # it knows its types now
    roads = _Roads(
        *(arc_first, arc_from, arc_segment, arc_s, up_s, down_s),
        *(segment_a, segment_b, segment_m, segment_class),
    )
    now = _Now(lane, shut_first, shut_last, factor)
    units = _Units(head, behind, along, off_s, turn_a_s, turn_b_s)
    best = _Best(best_s, best_m, found)
    set_out(heap, roads, now, seed, place, limit_s, node)
    finds = find_beside(roads, now, units, seed, place, limit_s, best)
    nodes = 0
    # Outwards, nearest first. This stays here: as a part of its own it took 2 % longer.
    while len(heap) > 0:
        here_s, here = heappop(heap)
        if here_s > node[2 * here]:
            continue
        here_m = node[2 * here + 1]
        settled[nodes] = here
        nodes += 1
        for arc in range(arc_first[here], arc_first[here + 1]):
            segment = arc_segment[arc]
            shut = lane[segment] == SHUT
            row = head[segment]
            if row >= 0:
                to_b = segment_b[segment] == here
                way_s = arc_s[arc] * factor[segment_class[segment]]
                while row >= 0:
                    share = along[row]
                    barred = shut and share >= shut_first[segment]
                    turn_s = turn_a_s[row]
                    if to_b:
                        barred = shut and share <= shut_last[segment]
                        share = 1.0 - share
                        turn_s = turn_b_s[row]
                    seconds = here_s + off_s[row] + turn_s
                    if share > 0.0:
                        seconds += way_s * share
                    if seconds <= limit_s and seconds < best_s[row] and not barred:
                        if best_s[row] == inf:
                            found[finds] = row
                            finds += 1
                        best_s[row] = seconds
                        best_m[row] = here_m + segment_m[segment] * share
                    row = behind[row]
            seconds = here_s + arc_s[arc] * factor[lane[segment]]
            if seconds <= limit_s:
                there = arc_from[arc]
                if seconds < node[2 * there]:
                    node[2 * there] = seconds
                    node[2 * there + 1] = here_m + segment_m[segment]
                    heappush(heap, (seconds, there))
    tell(finds, nodes, node, settled, settled_s, best, found_s, found_m)
    return finds, nodes


FEW_ROWS: Final = 1024


class Search:
    """A graph made ready to be searched by one travel at a time; what it needs is made once.

    One search at a time: its scratch is its own, and not to be shared between threads.
    """

    def __init__(self, graph: RoadGraph, closed: Closed, *, compiled: bool = COMPILED) -> None:
        """Take the map and what is closed on it; everything is read anew by each search."""
        self._compiled = compiled
        self._kernel: Callable[..., tuple[int, int]] = search.text(compiled=compiled)
        nodes = graph.nodes
        self._travels = [
            (
                *self._all(graph.arc_first, graph.arc_from, graph.arc_segment, graph.arc_s[t]),
                *self._all(graph.segment_s[t, 0], graph.segment_s[t, 1]),
                *self._all(graph.segment_a, graph.segment_b, graph.segment_m, graph.segment_class),
            )
            for t in range(len(graph.arc_s))
        ]
        self._closed = [handed(a, compiled=compiled) for a in closed.arrays]
        self._settled, self._settled_s = np.zeros(nodes, np.int32), np.zeros(nodes)
        scratch = (np.full(2 * nodes, inf), self._settled, self._settled_s)
        self._scratch = [handed(a, compiled=compiled) for a in scratch]
        self._grow(FEW_ROWS)

    def _all(self, *arrays: NDArray[Any]) -> list[Any]:
        return [handed(read_only(a), compiled=self._compiled) for a in arrays]

    def _grow(self, rows: int) -> None:
        """Make room for so many rows."""
        self._found = np.zeros(rows, np.int64), np.zeros(rows), np.zeros(rows)
        scratch = (np.full(rows, inf), np.zeros(rows), *self._found)
        self._room = rows
        self._finds = [handed(a, compiled=self._compiled) for a in scratch]

    def run(
        self, travel: int, target: Target, limit_s: float, hung: Hung, factor: Floats
    ) -> tuple[Told, Settled]:
        """Return who of a travel's units is within so many road seconds, and what junctions are.

        `factor` is by road class what its seconds are multiplied with; inf at `SHUT`.
        """
        if hung.room > self._room:
            self._grow(hung.room)
        finds, nodes = self._kernel(
            *self._travels[travel],
            *self._closed,
            handed(factor, compiled=self._compiled),
            *hung.of(travel),
            int(target.segment),
            float(target.along),
            float(limit_s),
            *self._scratch,
            *self._finds,
        )
        rows, s, m = self._found
        told = Told(rows[:finds].copy(), s[:finds].copy(), m[:finds].copy())
        return told, Settled(self._settled[:nodes].copy(), self._settled_s[:nodes].copy())
