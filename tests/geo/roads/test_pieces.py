"""Pieces: ways cut at their nodes, and parted at gates."""

import numpy as np

from geo.roads import pieces
from geo.roads.ways import Ways
from tests.geo.roads.drawing import Line, drawn

PLACES = [(0, 0), (1, 0), (2, 0), (1, 1)]
CAR_ONLY = 0b1000
EVERYBODY = 0b1111


def parted(ways: Ways) -> pieces.Pieces:
    """The pieces of ways, their barred nodes taken apart."""
    return pieces.part(pieces.cut(ways), ways.node_barred)


def test_a_way_is_cut_at_each_of_its_nodes() -> None:
    """And never joined to the next way."""
    cut = pieces.cut(drawn(PLACES, [Line([0, 1, 2]), Line([3, 1])]))
    assert list(zip(cut.tail.tolist(), cut.head.tolist(), cut.way.tolist(), strict=True)) == [
        (0, 1, 0),
        (1, 2, 0),
        (3, 1, 1),
    ]


def test_a_node_named_twice_in_a_row_is_no_piece() -> None:
    """Nor is a way that nobody may use."""
    cut = pieces.cut(drawn(PLACES, [Line([0, 0, 1]), Line([1, 2], "busway")]))
    assert cut.tail.tolist() == [0]


def test_two_ends_at_a_gate_are_joined_by_it() -> None:
    """One keeps the node, the other gets one at the same place."""
    found = parted(drawn(PLACES, [Line([0, 1, 2])], {1: CAR_ONLY}))
    assert found.gates == 1
    assert sorted([found.tail[-1], found.head[-1]]) == [1, 4]
    assert found.node[4] == 1
    gate = found.way_mps[:, :, found.way[-1]]
    assert (gate > 0).tolist() == [[True, True], [True, True], [True, True], [False, False]]


def test_a_gate_at_a_crossing_keeps_everybody_apart() -> None:
    """Three ends are joined by two gates."""
    found = parted(drawn(PLACES, [Line([0, 1, 2]), Line([3, 1])], {1: CAR_ONLY}))
    ends = np.concatenate([found.tail[:-2], found.head[:-2]])
    assert found.gates == 2
    assert sorted(ends.tolist()) == [0, 1, 2, 3, 4, 5]


def test_a_gate_that_nobody_passes_is_left_out() -> None:
    """Its ends are apart for good."""
    found = parted(drawn(PLACES, [Line([0, 1, 2])], {1: EVERYBODY}))
    assert found.gates == 0
    assert len({*found.tail.tolist(), *found.head.tolist()}) == 4


def test_a_gate_at_the_end_of_a_way_bars_nobody() -> None:
    """There is nothing behind it."""
    found = parted(drawn(PLACES, [Line([0, 1])], {1: EVERYBODY}))
    assert (found.gates, len(found.node)) == (0, len(PLACES))
