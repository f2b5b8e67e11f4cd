"""Ways cut into pieces, each from one node to the next, and parted where somebody is barred."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.roads.travel import TRAVELS
from geo.roads.ways import Bytes, Numbers, Singles, Ways

Indexes = NDArray[np.intp]

GATE_MPS: Final = 1.0
"""A gate has no length, so that any pace gives no seconds; 0 would close it."""
EVERYBODY: Final = (1 << len(TRAVELS)) - 1


class Pieces(NamedTuple):
    """E pieces of ways between neighbouring nodes, and what their ways are like."""

    tail: Numbers
    head: Numbers
    way: Numbers
    """E rows of the three below; the pieces of one way are in its order."""
    way_class: Bytes
    way_mps: Singles
    gates: int
    """How many of the last pieces are gates: of no length, never joined with others."""
    node: Numbers
    """The node of the map that each end stands for; ends parted by a gate stand for the same."""


def cut(ways: Ways) -> Pieces:
    """Return the pieces that anybody may use."""
    steps = len(ways.way_node) - 1
    way = np.repeat(np.arange(len(ways.way_class), dtype=np.int32), np.diff(ways.way_first))
    tail, head = ways.way_node[:-1], ways.way_node[1:]
    good = (way[:steps] == way[1:]) & (tail != head)
    good &= (ways.way_mps.max(axis=(0, 1), initial=0.0) > 0)[way[:steps]]
    return Pieces(
        tail=tail[good],
        head=head[good],
        way=way[:steps][good],
        way_class=ways.way_class,
        way_mps=ways.way_mps,
        gates=0,
        node=np.arange(len(ways.node_lon), dtype=np.int32),
    )


def part(pieces: Pieces, barred: Bytes) -> Pieces:
    """Return the pieces with the ends at each barred node taken apart, and gates between them.

    The first end keeps the node; every other end gets one of its own, and a gate to the first that
    is open to all who may pass the node. A gate open to nobody is left out.
    """
    count = len(pieces.tail)
    ends = np.concatenate([pieces.tail, pieces.head])
    at = np.flatnonzero(barred[ends])
    at = at[np.argsort(ends[at], kind="stable")]
    others = at[1:][ends[at[1:]] == ends[at[:-1]]]
    node = ends[others]
    new = (len(pieces.node) + np.arange(len(others))).astype(np.int32)
    ends[others] = new
    some = barred[node] & EVERYBODY != EVERYBODY
    beside = pieces.way[others[some] % count] if count else others.astype(np.int32)
    gate_way = (len(pieces.way_class) + np.arange(len(beside))).astype(np.int32)
    return Pieces(
        tail=np.concatenate([ends[:count], node[some]]),
        head=np.concatenate([ends[count:], new[some]]),
        way=np.concatenate([pieces.way, gate_way]),
        way_class=np.concatenate([pieces.way_class, pieces.way_class[beside]]),
        way_mps=np.concatenate([pieces.way_mps, _gate_mps(barred[node[some]])], axis=2),
        gates=len(beside),
        node=np.concatenate([pieces.node, node]),
    )


def _gate_mps(barred: Bytes) -> Singles:
    """Return the pace through gates for those who pass: both ways, 0 for all others."""
    bits = 1 << np.arange(len(TRAVELS), dtype=np.uint8)
    passing = (barred[None, :] & bits[:, None]) == 0
    return np.repeat(passing[:, None, :], 2, axis=1).astype(np.float32) * np.float32(GATE_MPS)
