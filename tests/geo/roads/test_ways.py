"""Ways as they come from a map."""

from tests.geo.roads.drawing import Line, drawn


def test_a_way_runs_along_its_nodes() -> None:
    """Its first node stands where the way before it ends."""
    ways = drawn([(0, 0), (1, 0), (2, 0)], [Line([0, 1]), Line([1, 2])])
    assert ways.way_node[ways.way_first[1] : ways.way_first[2]].tolist() == [1, 2]
    assert ways.way_mps.shape == (4, 2, 2)
