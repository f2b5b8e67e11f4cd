"""The largest strongly connected component, as scipy finds it."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from geo.roads.components import largest

Pairs = list[tuple[int, int]]
NODES = 14
ARROWS = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=40)


def members(pairs: Pairs, nodes: int = NODES) -> list[int]:
    """Return the component's nodes."""
    tails, heads = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return np.flatnonzero(largest(tails, heads, nodes)).tolist()


@given(pairs=ARROWS)
@example(pairs=[(n, (n + 1) % 4) for n in range(4)] + [(4 + n, 4 + (n + 1) % 8) for n in range(8)])
def test_it_is_one_of_the_largest(pairs: Pairs) -> None:
    """All of its nodes have one label of scipy's, and no label has more nodes."""
    found = members([(a, b) for a, b in pairs if a != b])
    rows = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    arrows = csr_array((np.ones(len(rows)), tuple(rows.T)), shape=(NODES, NODES))
    label = connected_components(arrows, connection="strong")[1]
    most = np.bincount(label).max()
    if most == 1:
        assert found == []
    else:
        assert len(found) == most
        assert len(set(label[found].tolist())) == 1


def test_without_arrows_nothing_hangs_together() -> None:
    """No nodes, or no arrows."""
    assert members([], 0) == []
    assert members([]) == []


def test_a_one_way_line_is_no_component() -> None:
    """One gets away, and never back."""
    assert members([(n, n + 1) for n in range(NODES - 1)]) == []


def test_a_part_that_is_found_late_may_be_the_largest() -> None:
    """Rings of 3, 4 and 7, in a row and leading one into the next."""
    rings = [(0, 3), (3, 4), (7, 7)]
    pairs = [(s + k, s + (k + 1) % n) for s, n in rings for k in range(n)]
    assert members([*pairs, (0, 3), (3, 7)]) == list(range(7, 14))


def test_many_small_ones_are_tried_till_none_can_be_larger() -> None:
    """Pairs in a row, one leading into the next: the second that is tried is no larger."""
    pairs = [(n, n + 1) for n in range(11)] + [(n + 1, n) for n in range(0, 12, 2)]
    assert len(members(pairs)) == 2
