"""Which junctions a travel can leave and come back to: the largest strongly connected component.

A component holds what is reached from any of its nodes both with the arrows and against them. One
node is asked for its component; nothing else can be in it, so that what is left falls into three
parts no component spans: reached with the arrows, against them, neither way. Parts that cannot hold
more than the best found so far are never looked at. Roads hang together, so that one or two
questions answer it; nodes without an arrow in or out are taken off first, being alone.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.roads.pieces import Indexes
from geo.roads.ways import Numbers

Flags = NDArray[np.bool_]

GOLDEN: Final = 0.6180339887498949
"""Its multiples fall all over a part, so that no small corner of it is asked again and again."""


class Arrows:
    """Arrows between nodes, laid out so that those of a node are read at one go."""

    def __init__(self, tails: Numbers, heads: Numbers, nodes: int) -> None:
        """Take one pair for each arrow."""
        order = np.argsort(tails, kind="stable")
        self.head: Numbers = heads[order]
        self.first = np.zeros(nodes + 1, dtype=np.intp)
        np.cumsum(np.bincount(tails, minlength=nodes), out=self.first[1:])

    def from_any(self, nodes: Indexes | Numbers) -> Numbers:
        """Return the nodes that arrows of these lead to, with repetitions; ask for at least one."""
        counts = self.first[nodes + 1] - self.first[nodes]
        ends = np.cumsum(counts)
        starts = np.repeat(self.first[nodes] - ends + counts, counts)
        found: Numbers = self.head[starts + np.arange(ends[-1])]
        return found

    def reached(self, start: int, inside: Flags) -> Flags:
        """Tell which nodes one gets to from `start` without leaving the nodes inside."""
        fresh = inside.copy()
        fresh[start] = False
        frontier = np.array([start], dtype=np.int32)
        turn = np.empty(len(inside), dtype=np.int32)
        while len(frontier):
            found = self.from_any(frontier)
            found = found[fresh[found]]
            fresh[found] = False
            # Of those found several times the last one's turn stands.
            turn[found] = np.arange(len(found), dtype=np.int32)
            frontier = found[turn[found] == np.arange(len(found))]
        return inside & ~fresh


def largest(tails: Numbers, heads: Numbers, nodes: int) -> Flags:
    """Tell which nodes are in the largest component; all False where no two hang together."""
    onward, backward = Arrows(tails, heads, nodes), Arrows(heads, tails, nodes)
    best, parts, asked = np.empty(0, dtype=np.intp), [_not_alone(onward, backward, nodes)], 0
    while parts:
        part = parts.pop(max(range(len(parts)), key=lambda each: len(parts[each])))
        if len(part) <= len(best):
            break
        asked += 1
        start = int(part[int(asked * GOLDEN % 1.0 * len(part))])
        inside = np.zeros(nodes, dtype=bool)
        inside[part] = True
        ahead = onward.reached(start, inside)[part]
        behind = backward.reached(start, inside)[part]
        if np.count_nonzero(ahead & behind) > len(best):
            best = part[ahead & behind]
        rests = (part[ahead & ~behind], part[behind & ~ahead], part[~ahead & ~behind])
        parts += [rest for rest in rests if len(rest) > len(best)]
    flags = np.zeros(nodes, dtype=bool)
    flags[best] = True
    return flags


def _not_alone(onward: Arrows, backward: Arrows, nodes: int) -> Indexes:
    """Return what is left when nodes without a way in or out are taken off, and again."""
    inside = np.ones(nodes, dtype=bool)
    ways_out, ways_in = np.diff(onward.first), np.diff(backward.first)
    alone = np.flatnonzero((ways_out == 0) | (ways_in == 0))
    while len(alone):
        inside[alone] = False
        np.subtract.at(ways_in, onward.from_any(alone), 1)
        np.subtract.at(ways_out, backward.from_any(alone), 1)
        alone = np.flatnonzero(inside & ((ways_out <= 0) | (ways_in <= 0)))
    return np.flatnonzero(inside)
