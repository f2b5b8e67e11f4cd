"""The snap index: every piece is in all cells that its bounding box touches, and no other."""

import numpy as np
import pytest
from hypothesis import given, settings

from geo.roads import cells
from geo.roads.build import build
from geo.roads.cells import TooWideError
from geo.roads.graph import CELL_E7, RoadGraph
from geo.roads.ways import Ways
from tests.geo.roads.drawing import SOURCE, Line, graph_of, maps


def listed(graph: RoadGraph, column: int, row: int) -> list[tuple[int, int]]:
    """Return piece and segment of all that is listed in a cell."""
    cell = row * graph.grid.columns + column
    span = slice(graph.cell_first[cell], graph.cell_first[cell + 1])
    return list(
        zip(graph.cell_piece[span].tolist(), graph.cell_segment[span].tolist(), strict=True)
    )


def expected(graph: RoadGraph, column: int, row: int) -> list[tuple[int, int]]:
    """Return the same by looking at every piece."""
    west, south = graph.grid.west_e7, graph.grid.south_e7
    found = []
    for segment in range(graph.segments):
        for piece in range(graph.shape_first[segment], graph.shape_first[segment + 1] - 1):
            lons = [int(graph.shape_lon[piece + k]) - west for k in (0, 1)]
            lats = [int(graph.shape_lat[piece + k]) - south for k in (0, 1)]
            if (lons[0], lats[0]) == (lons[1], lats[1]):
                continue
            across = min(lons) // CELL_E7 <= column <= max(lons) // CELL_E7
            if across and min(lats) // CELL_E7 <= row <= max(lats) // CELL_E7:
                found.append((piece, segment))
    return found


@settings(max_examples=60, deadline=None)
@given(ways=maps())
def test_the_index_holds_what_a_look_at_every_piece_finds(ways: Ways) -> None:
    """In each cell, in the order of the pieces."""
    graph = build(ways, SOURCE)
    assert len(graph.cell_first) == graph.grid.columns * graph.grid.rows + 1
    for column in range(graph.grid.columns):
        for row in range(graph.grid.rows):
            assert listed(graph, column, row) == expected(graph, column, row)


def test_cells_go_from_the_south_west_row_by_row() -> None:
    """A road to the north is a row up."""
    graph = graph_of([(0, 0), (0, 1), (9, 9), (9, 10)], [Line([0, 1]), Line([2, 3])])
    assert (graph.grid.columns, graph.grid.rows) == (5, 6)
    assert listed(graph, 0, 0)
    assert listed(graph, 4, 4)
    assert not listed(graph, 4, 0)


def test_gates_are_in_no_cell() -> None:
    """Nobody stands in one."""
    graph = graph_of([(0, 0), (1, 0), (2, 0)], [Line([0, 1, 2])], {1: 8})
    gate = int(np.flatnonzero(graph.segment_m == 0)[0])
    assert gate not in graph.cell_segment


def test_roads_all_over_the_earth_are_refused() -> None:
    """Before their index is made."""
    lon = np.array([-1_799_999_999, -1_799_999_000, 1_799_999_000], dtype=np.int32)
    lat = np.array([-800_000_000, 0, 800_000_000], dtype=np.int32)
    with pytest.raises(TooWideError) as refused:
        cells.index(np.array([0, 3], dtype=np.int32), lon, lat)
    assert refused.value.cells > cells.CELLS_MOST
    assert str(refused.value).startswith("the roads spread over 14,400,")
