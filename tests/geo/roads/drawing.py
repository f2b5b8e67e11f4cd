"""Small maps for the tests of roads: drawn by hand, or by hypothesis."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from geo.roads.build import Source, build
from geo.roads.classes import CLASS_OF, usual_mps
from geo.roads.graph import E7, RoadGraph
from geo.roads.travel import BICYCLE, TRAVELS
from geo.roads.ways import Ways

SOURCE: Final = Source("drawn")
WEST: Final = 113.3
SOUTH: Final = 23.1
STEP: Final = 0.001
"""About 100 m."""


class Line(NamedTuple):
    """A way along nodes; wheels may go along it only, if it is one-way."""

    nodes: Sequence[int]
    road_class: str = "residential"
    one_way: bool = False


def drawn(
    places: Sequence[tuple[float, float]],
    lines: Sequence[Line],
    barred: Mapping[int, int] | None = None,
) -> Ways:
    """Return the ways of a map whose nodes stand at columns and rows of 100 m."""
    lon, lat = np.array(places, dtype=np.float64).reshape(-1, 2).T * STEP
    masks = np.zeros(len(places), dtype=np.uint8)
    for node, mask in (barred or {}).items():
        masks[node] = mask
    classes = [CLASS_OF[line.road_class] for line in lines]
    mps = np.repeat(usual_mps()[:, None, classes], 2, axis=1)
    for number, line in enumerate(lines):
        mps[BICYCLE:, 1, number] *= not line.one_way
    return Ways(
        node_lon=lon + WEST,
        node_lat=lat + SOUTH,
        node_barred=masks,
        way_first=np.cumsum([0, *(len(line.nodes) for line in lines)]).astype(np.int32),
        way_node=np.array([n for line in lines for n in line.nodes], dtype=np.int32),
        way_class=np.array(classes, dtype=np.uint8),
        way_mps=mps,
    )


def graph_of(
    places: Sequence[tuple[float, float]],
    lines: Sequence[Line],
    barred: Mapping[int, int] | None = None,
) -> RoadGraph:
    """Return the graph of such a map."""
    return build(drawn(places, lines, barred), SOURCE)


@st.composite
def maps(draw: st.DrawFn, *, gates: bool = True) -> Ways:
    """Any small map: ways that meet, double back, ring and end nowhere, of few kinds."""
    count = draw(st.integers(2, 12))
    spots = draw(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=count, max_size=count,
                 unique=True)
    )  # fmt: skip
    nodes = st.lists(st.integers(0, count - 1), min_size=2, max_size=8)
    kinds = st.sampled_from(["residential", "residential", "footway", "primary"])
    lines = draw(st.lists(st.builds(Line, nodes, kinds, st.booleans()), min_size=1, max_size=6))
    everybody = (1 << len(TRAVELS)) - 1
    masks = st.dictionaries(st.integers(0, count - 1), st.integers(0, everybody), max_size=3)
    return drawn(spots, lines, draw(masks) if gates else None)


def pieces_of(ways: Ways) -> list[tuple[int, int, int]]:
    """Return way, tail and head of every piece of the ways, as they stand on the map."""
    found = []
    for way in range(len(ways.way_class)):
        nodes = ways.way_node[ways.way_first[way] : ways.way_first[way + 1]].tolist()
        found += [(way, a, b) for a, b in itertools.pairwise(nodes) if a != b]
    return found


def e7(degrees: NDArray[Any]) -> NDArray[np.int32]:
    """Return degrees as the graph keeps them."""
    return np.round(degrees * E7).astype(np.int32)
