"""What the graph says of itself."""

from tests.geo.roads.drawing import Line, graph_of


def test_the_graph_counts_itself() -> None:
    """Junctions and segments; a bend is neither."""
    graph = graph_of([(0, 0), (1, 0), (1, 1)], [Line([0, 1, 2])])
    assert (graph.nodes, graph.segments) == (2, 1)
    assert len(graph.shape_lon) == 3
