"""Ways cut at a box, and where nobody knows a node's place."""

import numpy as np
import pytest

from geo.osm.clip import UNKNOWN_E7, Raw, clip
from geo.point import Box
from geo.roads.ways import Ways


def raw(
    ways: list[list[int]], barred: dict[int, int] | None = None, unknown: tuple[int, ...] = ()
) -> Raw:
    """Ways along a line: node n stands n degrees east; way w is of class w."""
    ids = np.array([n for way in ways for n in way], dtype=np.int64)
    lon = np.where(np.isin(ids, unknown), UNKNOWN_E7, ids * 10_000_000).astype(np.int32)
    masks = sorted((barred or {}).items())
    return Raw(
        node=ids,
        lon_e7=lon,
        lat_e7=np.zeros(len(ids), dtype=np.int32),
        first=np.cumsum([0, *map(len, ways)]).astype(np.int32),
        way_class=np.arange(len(ways), dtype=np.uint8),
        way_mps=np.ones((4, 2, len(ways)), dtype=np.float32) * np.arange(len(ways)),
        barred_node=np.array([node for node, _ in masks], dtype=np.int64),
        barred=np.array([mask for _, mask in masks], dtype=np.uint8),
    )


def shown(ways: Ways) -> list[tuple[int, list[float]]]:
    """Each way's class and where its nodes stand."""
    runs = np.split(ways.way_node, ways.way_first[1:-1])
    lons = [ways.node_lon[run].tolist() for run in runs]
    return list(zip(ways.way_class.tolist(), lons, strict=True))


def box(west: float, east: float) -> Box:
    """Everything between two meridians."""
    return Box(west, -1, east, 1)


def test_without_a_box_all_stays() -> None:
    """Ways that share a node still do."""
    ways = clip(raw([[1, 2, 3], [3, 4]]), None)
    assert shown(ways) == [(0, [1, 2, 3]), (1, [3, 4])]
    assert len(ways.node_lon) == 4


def test_a_way_keeps_what_has_an_end_in_the_box() -> None:
    """The piece over the border belongs to both sides."""
    assert shown(clip(raw([[1, 2, 3, 4, 5, 6]]), box(2.5, 4.5))) == [(0, [2, 3, 4, 5])]


def test_a_way_that_comes_back_becomes_two() -> None:
    """What lies between is outside."""
    assert shown(clip(raw([[1, 2, 8, 9, 2, 1]]), box(0, 3))) == [(0, [1, 2, 8]), (0, [9, 2, 1])]


def test_ways_outside_are_gone() -> None:
    """Paces and classes stay with those that are left."""
    ways = clip(raw([[8, 9], [1, 2], [7, 8], [2, 3]]), box(0, 3))
    assert shown(ways) == [(1, [1, 2]), (3, [2, 3])]
    assert ways.way_mps[0, 0].tolist() == [1, 3]


def test_a_way_is_cut_where_a_node_has_no_place() -> None:
    """Extracts that were cut out of larger ones name nodes they do not hold."""
    assert shown(clip(raw([[1, 2, 3, 4, 5], [3, 6]], unknown=(3,)), None)) == [
        (0, [1, 2]),
        (0, [4, 5]),
    ]


def test_barred_nodes_keep_their_masks() -> None:
    """Those of nodes on no way are forgotten."""
    ways = clip(raw([[1, 2, 3]], barred={2: 8, 7: 15}), None)
    assert ways.node_barred.tolist() == [0, 8, 0]


@pytest.mark.parametrize("ways", [[], [[1, 2]]])
def test_nothing_left_is_no_ways(ways: list[list[int]]) -> None:
    """An empty map, not an error."""
    found = clip(raw(ways), box(50, 60))
    assert (len(found.way_class), len(found.node_lon)) == (0, 0)
    assert found.way_first.tolist() == [0]
