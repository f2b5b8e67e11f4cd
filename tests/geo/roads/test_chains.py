"""Chains: pieces joined where nothing changes."""

import itertools

from geo.roads import pieces
from geo.roads.chains import join
from tests.geo.roads.drawing import Line, drawn


def walks(
    places: list[tuple[float, float]], lines: list[Line], barred: dict[int, int] | None = None
) -> list[list[int]]:
    """The nodes of each walk, from the lower end; those of the map only."""
    ways = drawn(places, lines, barred)
    cut = pieces.part(pieces.cut(ways), ways.node_barred)
    chains = join(cut)
    bounds = [*chains.first.tolist(), len(chains.walk)]
    found = []
    for start, end in itertools.pairwise(bounds):
        steps = chains.walk[start:end].tolist()
        tails = [(cut.head if h & 1 else cut.tail)[h >> 1] for h in steps]
        last = (cut.tail if steps[-1] & 1 else cut.head)[steps[-1] >> 1]
        nodes = [int(cut.node[n]) for n in (*tails, last)]
        found.append(min(nodes, nodes[::-1]))
    return sorted(found)


ROW = [(float(n), 0.0) for n in range(5)]


def test_a_road_of_many_ways_is_one_chain() -> None:
    """However they are drawn."""
    assert walks(ROW, [Line([0, 1]), Line([2, 1]), Line([2, 3, 4])]) == [[0, 1, 2, 3, 4]]


def test_a_chain_ends_where_the_class_changes() -> None:
    """A path goes on from a street."""
    assert walks(ROW, [Line([0, 1, 2]), Line([2, 3], "footway")]) == [[0, 1, 2], [2, 3]]


def test_a_chain_ends_where_a_one_way_begins() -> None:
    """One-ways in a row are one chain if they go the same way."""
    along = [Line([0, 1]), Line([1, 2], one_way=True), Line([2, 3], one_way=True)]
    assert walks(ROW, along) == [[0, 1], [1, 2, 3]]
    assert walks(ROW, [Line([0, 1], one_way=True), Line([2, 1], one_way=True)]) == [[0, 1], [1, 2]]


def test_a_chain_ends_at_a_junction() -> None:
    """Three ends meet there."""
    places = [*ROW, (1.0, 1.0)]
    assert walks(places, [Line([0, 1, 2]), Line([1, 5])]) == [[0, 1], [1, 2], [1, 5]]


def test_a_chain_ends_at_a_gate() -> None:
    """The gate itself goes from a node to the same place."""
    assert walks(ROW, [Line([0, 1, 2])], {1: 8}) == [[0, 1], [1, 1], [1, 2]]


def test_two_rings_are_halved() -> None:
    """Each by itself, and one drawn the other way round."""
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    places = [*square, *((x + 5.0, y) for x, y in square)]
    found = walks(places, [Line([0, 1, 2, 3, 0]), Line([7, 6, 5, 4, 7])])
    assert [len(nodes) for nodes in found] == [3, 3, 3, 3]
    assert {(nodes[0], nodes[-1]) for nodes in found} == {(0, 2), (4, 6)} or all(
        nodes[0] != nodes[-1] for nodes in found
    )


def test_a_loop_on_a_street_is_halved() -> None:
    """It would end where it began."""
    places = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0)]
    found = walks(places, [Line([0, 1]), Line([1, 2, 3, 1])])
    assert found[0] == [0, 1]
    assert all(nodes[0] != nodes[-1] for nodes in found)
    assert len(found) == 3
