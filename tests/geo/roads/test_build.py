"""The road graph is the map, with fewer nodes: every way through it takes as long."""

import heapq
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from geo.distance import metres
from geo.osm import read_extract
from geo.point import Point
from geo.roads.build import Source, build
from geo.roads.graph import E7, RoadGraph
from geo.roads.travel import CAR, FOOT, TRAVELS
from geo.roads.ways import Ways
from tests.geo.roads.drawing import SOURCE, Line, drawn, e7, graph_of, maps, pieces_of
from tests.samples import BAYFRONT, SPO, osm_sample

Doubles = NDArray[np.float64]


def seconds_on_the_map(ways: Ways, travel: int) -> csr_array:
    """The quickest piece between any two nodes, barred ones left out; nothing contracted."""
    lon, lat = e7(ways.node_lon) / E7, e7(ways.node_lat) / E7
    quickest: dict[tuple[int, int], float] = {}
    for way, a, b in pieces_of(ways):
        if (ways.node_barred[a] | ways.node_barred[b]) >> travel & 1:
            continue
        length = metres(Point(lon[a], lat[a]), Point(lon[b], lat[b]))
        for pair, mps in zip(((a, b), (b, a)), ways.way_mps[travel, :, way].tolist(), strict=True):
            if mps > 0:
                quickest[pair] = min(length / mps, quickest.get(pair, np.inf))
    tails, heads = np.array(list(quickest), dtype=np.int32).reshape(-1, 2).T
    count = len(ways.node_lon)
    return csr_array((list(quickest.values()), (tails, heads)), shape=(count, count))


def seconds_to(graph: RoadGraph, target: int, travel: int) -> Doubles:
    """The seconds from every junction to one, by the arcs into each."""
    found = np.full(graph.nodes, np.inf)
    queue = [(0.0, target)]
    while queue:
        so_far, node = heapq.heappop(queue)
        if so_far >= found[node]:
            continue
        found[node] = so_far
        for arc in range(graph.arc_first[node], graph.arc_first[node + 1]):
            total = so_far + float(graph.arc_s[travel, arc])
            if total < found[graph.arc_from[arc]]:
                heapq.heappush(queue, (total, int(graph.arc_from[arc])))
    return found


def places(lon: NDArray[np.int32], lat: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Positions to know nodes by."""
    return list(zip(lon.tolist(), lat.tolist(), strict=True))


def assert_as_quick(ways: Ways, graph: RoadGraph, travel: int, targets: list[int]) -> None:
    """Between junctions that the travel passes, the graph takes the map's seconds."""
    matrix = seconds_on_the_map(ways, travel)
    node_at = {place: n for n, place in enumerate(places(e7(ways.node_lon), e7(ways.node_lat)))}
    node = np.array([node_at[place] for place in places(graph.node_lon, graph.node_lat)], int)
    passable = (ways.node_barred[node] >> travel & 1) == 0
    for target in targets:
        if passable[target]:
            oracle = dijkstra(matrix.T, indices=node[target])[node[passable]]
            mine = seconds_to(graph, target, travel)[passable]
            np.testing.assert_allclose(mine, oracle, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(ways=maps())
def test_every_way_takes_as_long_as_on_the_map(ways: Ways) -> None:
    """For each travel, from each junction to each, gates and one-ways included."""
    graph = build(ways, SOURCE)
    for travel in range(len(TRAVELS)):
        assert_as_quick(ways, graph, travel, list(range(graph.nodes)))


@settings(max_examples=60, deadline=None)
@given(ways=maps())
def test_segments_are_whole(ways: Ways) -> None:
    """From one junction to another, drawn from end to end, as long as the pieces they are of."""
    graph = build(ways, SOURCE)
    assert (graph.segment_a != graph.segment_b).all()
    first, last = graph.shape_first[:-1], graph.shape_first[1:] - 1
    for end, vertex in ((graph.segment_a, first), (graph.segment_b, last)):
        assert (graph.shape_lon[vertex] == graph.node_lon[end]).all()
        assert (graph.shape_lat[vertex] == graph.node_lat[end]).all()
    assert (graph.shape_m[first] == 0).all()
    np.testing.assert_array_equal(graph.shape_m[last], graph.segment_m)
    usable = ways.way_mps.max(axis=(0, 1), initial=0) > 0
    length = sum(
        metres(*(Point(e7(ways.node_lon)[n] / E7, e7(ways.node_lat)[n] / E7) for n in (a, b)))
        for way, a, b in pieces_of(ways)
        if usable[way]
    )
    assert graph.segment_m.sum() == pytest.approx(length, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(ways=maps(gates=False))
def test_no_node_is_left_that_could_be_passed_through(ways: Ways) -> None:
    """Where two segments meet that are alike in every way, one of them is half a ring."""
    graph = build(ways, SOURCE)
    pace = graph.segment_s / graph.segment_m
    for node in range(graph.nodes):
        at = np.flatnonzero((graph.segment_a == node) | (graph.segment_b == node))
        if len(at) != 2 or len({*graph.segment_a[at], *graph.segment_b[at]}) < 3:
            continue
        one, other = at
        onward = pace[:, :: 1 if graph.segment_b[one] == node else -1, one]
        beyond = pace[:, :: 1 if graph.segment_a[other] == node else -1, other]
        alike = graph.segment_class[one] == graph.segment_class[other]
        assert not (alike and np.allclose(onward, beyond, rtol=1e-5))


@settings(max_examples=60, deadline=None)
@given(ways=maps())
def test_main_segments_lead_there_and_back(ways: Ways) -> None:
    """Both ends of each are in one strongly connected component, and none is larger."""
    graph = build(ways, SOURCE)
    for travel in range(len(TRAVELS)):
        tails = graph.arc_from[np.isfinite(graph.arc_s[travel])]
        heads = np.repeat(np.arange(graph.nodes), np.diff(graph.arc_first))
        heads = heads[np.isfinite(graph.arc_s[travel])]
        arrows = csr_array((np.ones(len(tails)), (tails, heads)), shape=(graph.nodes,) * 2)
        label = connected_components(arrows, connection="strong")[1]
        sizes = np.bincount(label)
        main = np.flatnonzero(graph.segment_main >> travel & 1)
        ends = np.union1d(label[graph.segment_a[main]], label[graph.segment_b[main]])
        if sizes.max(initial=1) == 1:
            assert len(main) == 0
        else:
            assert len(ends) == 1
            assert sizes[ends[0]] == sizes.max()


def test_a_real_centre_takes_as_long_as_on_the_map() -> None:
    """São Paulo, by car and on foot, to some of its junctions."""
    found = read_extract(osm_sample(SPO))
    graph = build(found.ways, found.source)
    for travel in (FOOT, CAR):
        assert_as_quick(found.ways, graph, travel, list(range(0, graph.nodes, 1_500)))


def test_a_real_quarter_becomes_a_third() -> None:
    """Most nodes of a map only bend a road; they stay in the shapes."""
    found = read_extract(osm_sample(BAYFRONT))
    graph = build(found.ways, found.source)
    assert graph.about.junctions == graph.nodes < len(found.ways.node_lon) / 3
    assert graph.about.segments == graph.segments
    assert len(graph.shape_lon) > len(found.ways.node_lon)


def test_the_same_ways_give_the_same_graph() -> None:
    """To the last bit."""
    ways = read_extract(osm_sample(BAYFRONT)).ways
    one, other = build(ways, SOURCE), build(ways, SOURCE)
    for field in fields(RoadGraph):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_ways_that_cross_do_not_join() -> None:
    """A bridge over a street shares no node with it, so that there is no way down."""
    graph = graph_of(
        [(0, 1), (2, 1), (1, 0), (1, 2)], [Line([0, 1], "primary"), Line([2, 3], "residential")]
    )
    assert (graph.nodes, graph.segments) == (4, 2)
    assert np.isinf(seconds_to(graph, 0, FOOT)).sum() == 2


def test_a_ring_by_itself_is_two_halves() -> None:
    """A segment never ends where it begins."""
    graph = graph_of([(0, 0), (1, 0), (1, 1), (0, 1)], [Line([0, 1, 2, 3, 0])])
    assert (graph.nodes, graph.segments) == (2, 2)


def test_a_loop_at_the_end_of_a_street_keeps_a_node_in_the_middle() -> None:
    """The junction, the street's other end, and one more."""
    graph = graph_of([(0, 0), (1, 0), (2, 0), (2, 1)], [Line([0, 1]), Line([1, 2, 3, 1])])
    assert (graph.nodes, graph.segments) == (3, 3)


def test_a_bollard_stops_cars_and_lets_walkers_pass() -> None:
    """It costs the walker nothing; the road before and behind it stays open to the car."""
    graph = graph_of([(0, 0), (1, 0), (2, 0)], [Line([0, 1, 2])], barred={1: 1 << CAR})
    gate = int(np.flatnonzero(graph.segment_m == 0)[0])
    west = int(np.argmin(graph.node_lon))
    assert (graph.nodes, graph.segments) == (4, 3)
    assert graph.segment_s[FOOT, :, gate].tolist() == [0, 0]
    assert np.isinf(graph.segment_s[CAR, :, gate]).all()
    assert np.isfinite(seconds_to(graph, west, FOOT)).all()
    assert np.isinf(seconds_to(graph, west, CAR)).sum() == 2
    assert np.isfinite(graph.segment_s[CAR][:, graph.segment_m > 0]).all()


def test_a_wall_is_no_segment() -> None:
    """Where nobody passes nothing joins the two ends."""
    graph = graph_of([(0, 0), (1, 0), (2, 0)], [Line([0, 1, 2])], barred={1: 0b1111})
    assert (graph.nodes, graph.segments) == (4, 2)


def test_the_graph_tells_what_it_is_about() -> None:
    """Kilometres by travel, and how much of them hangs together."""
    ways = drawn([(0, 0), (0, 1), (9, 9), (9, 8)], [Line([0, 1]), Line([2, 3], "footway")])
    about = build(ways, Source("town.osm.pbf", "ab" * 32, "2026-01-01T00:00:00Z")).about
    assert (about.source, about.sha256) == ("town.osm.pbf", "ab" * 32)
    assert about.osm_timestamp == "2026-01-01T00:00:00Z"
    assert (about.ways, about.nodes, about.junctions, about.segments) == (2, 4, 4, 2)
    assert about.km == pytest.approx((0.2215, 0.1107, 0.1107, 0.1107), abs=1e-3)
    assert about.main_share == pytest.approx((0.5, 1, 1, 1), abs=0.01)
    assert about.box == pytest.approx((113.3, 23.1, 113.309, 23.109))


def test_no_ways_are_an_empty_graph() -> None:
    """Nothing to search, and no error."""
    graph = graph_of([(0, 0), (1, 1)], [])
    assert (graph.nodes, graph.segments, len(graph.cell_piece)) == (0, 0, 0)
    assert graph.about.km == (0, 0, 0, 0)
