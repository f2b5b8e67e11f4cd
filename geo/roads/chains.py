"""Pieces joined to chains, from junction to junction, by pointer doubling.

Every piece is walked both ways: half-edge 2e goes from its tail to its head, 2e + 1 back, and
`h ^ 1` is the other way of h. A node is passed through where exactly two pieces end and walking on
changes neither class nor pace, in either direction. Each half-edge points to the next one of its
walk, the last of a walk to itself; doubling the pointers finds every half-edge's last one, and how
many steps there are to it, in as many rounds as the longest walk has binary digits.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.roads.pieces import Indexes, Pieces
from geo.roads.travel import TRAVELS
from geo.roads.ways import Bytes, Numbers, Singles

PACES: Final = 2 * len(TRAVELS)
Flags = NDArray[np.bool_]


class Chains(NamedTuple):
    """Half-edges in the order of the walks, each piece once, and where each walk begins."""

    walk: Indexes
    first: Indexes


def join(pieces: Pieces) -> Chains:
    """Return the walks that cover all pieces, none of them from a node to itself."""
    tails = np.empty(2 * len(pieces.tail), dtype=np.int32)
    tails[0::2], tails[1::2] = pieces.tail, pieces.head
    follower = _followers(tails, _kinds(pieces), pieces.gates)
    last, steps = _ranked(follower)
    walk = np.flatnonzero(last < last[np.arange(len(last)) ^ 1])
    walk = walk[np.lexsort((-steps[walk], last[walk]))]
    begins = np.flatnonzero(np.diff(last[walk], prepend=-1))
    return Chains(walk, _without_loops(walk, begins, tails))


def _kinds(pieces: Pieces) -> Numbers:
    """Return a number for what walking each half-edge is like: its class and all its paces."""
    ways = len(pieces.way_class)
    forth = _rows(pieces.way_class, pieces.way_mps)
    back = _rows(pieces.way_class, pieces.way_mps[:, ::-1])
    number = np.unique(np.concatenate([forth, back]), return_inverse=True)[1].astype(np.int32)
    kinds = np.empty(2 * len(pieces.way), dtype=np.int32)
    kinds[0::2], kinds[1::2] = number[pieces.way], number[ways + pieces.way]
    return kinds


def _rows(way_class: Bytes, way_mps: Singles) -> NDArray[np.void]:
    """Return class and paces of each way as one comparable value."""
    paces = np.ascontiguousarray(way_mps.transpose(2, 0, 1)).reshape(len(way_class), PACES)
    rows = np.column_stack([way_class, paces.view(np.uint8)])
    return np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").ravel()


def _followers(tails: Numbers, kinds: Numbers, gates: int) -> Numbers:
    """Return the half-edge that each walks on to, itself where its walk ends."""
    ends_at = np.bincount(tails)
    if gates:
        ends_at[tails[-2 * gates :]] = 0
    through = np.flatnonzero(ends_at[tails] == 2)
    one, other = through[np.argsort(tails[through], kind="stable")].reshape(-1, 2).T
    alike = kinds[one ^ 1] == kinds[other]
    one, other = one[alike], other[alike]
    follower = np.arange(len(tails), dtype=np.int32)
    follower[one ^ 1], follower[other ^ 1] = other, one
    return follower


def _ranked(follower: Numbers) -> tuple[Numbers, Numbers]:
    """Return every half-edge's last one and the steps to it, with rings cut open somewhere."""
    ended = follower == np.arange(len(follower))
    last, steps = follower.copy(), (~ended).astype(np.int32)
    going, left = np.flatnonzero(~ended[last]), -1
    while len(going) != left:
        left, here = len(going), last[going]
        steps[going] += steps[here]
        last[going] = last[here]
        going = going[~ended[last[going]]]
    if not left:
        return last, steps
    return _ranked(_cut_open(follower, going))


def _cut_open(follower: Numbers, ringed: Indexes) -> Numbers:
    """Return the followers with each ring, a walk without end, ended once and both ways."""
    follower, seen = follower.copy(), set[int]()
    for start in ringed.tolist():
        if start in seen:
            continue
        at = start
        while at not in seen:
            seen.update((at, at ^ 1))
            at = int(follower[at])
        onward = int(follower[start])
        follower[start], follower[onward ^ 1] = start, onward ^ 1
    return follower


def _without_loops(walk: Indexes, begins: Indexes, tails: Numbers) -> Indexes:
    """Return where walks begin, when those that come back to their first node are halved."""
    ends = np.append(begins, len(walk))[1:]
    loops = tails[walk[begins]] == tails[walk[ends - 1] ^ 1]
    return np.sort(np.concatenate([begins, (begins[loops] + ends[loops]) // 2]))
