"""Rings to be drawn: exactly what is in time, and a hull around it."""

from typing import Final

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiLineString

from geo.distance import metres
from geo.point import Point
from geo.reach import Search, Target
from geo.ring import Edges, area, circle, covered, lines, ring
from geo.roads.classes import CLASSES
from geo.roads.closed import SHUT, Closed, Cuts
from geo.roads.graph import RoadGraph
from geo.roads.hung import Hung
from geo.roads.travel import CAR, TRAVELS
from geo.standing import Quality
from tests.geo.net import CORNER, at, net, node_seconds, town, unit_seconds

TOWNS: Final = [town(seed) for seed in range(6)]
EVEN: Final = np.append(np.ones(SHUT), np.inf)
# A street of ten steps, and a one-way street out of its middle.
STREET: Final = net(((0, 0), (5, 0)), ((5, 0), (10, 0)), ((5, 0), (5, 5)), one_way=(2,))


def edges_of(
    graph: RoadGraph,
    target: Target,
    limit_s: float,
    cuts: Cuts | None = None,
    travel: int = CAR,
    factor: np.ndarray = EVEN,
) -> Edges:
    """Return what is covered."""
    closed, nobody = Closed(graph), Hung(graph.segments, len(TRAVELS))
    if cuts is not None:
        closed.close(cuts)
    _, settled = Search(graph, closed).run(travel, target, limit_s, nobody, factor)
    return covered(graph, closed, travel, factor, target, settled, limit_s)


@settings(deadline=None)  # the first call compiles
@given(st.sampled_from(TOWNS), st.integers(0, len(TRAVELS) - 1), st.integers(0, 2**32))
def test_a_place_is_covered_exactly_when_it_is_in_time(
    graph: RoadGraph, travel: int, seed: int
) -> None:
    """Any place on any segment, with factors and a closure; none is covered twice."""
    dice = np.random.default_rng(seed)
    factor = np.full(SHUT + 1, np.inf)
    factor[: len(CLASSES)] = dice.uniform(0.5, 2.0, len(CLASSES))
    usable = np.flatnonzero(np.isfinite(graph.segment_s[travel]).any(axis=0))
    target, *spots = zip(dice.choice(usable, 60).tolist(), dice.random(60).tolist(), strict=True)
    shut = Cuts.whole(np.setdiff1d(dice.choice(usable, 2), [target[0]]))
    edges = edges_of(graph, Target(*target), 60.0, shut, travel, factor)
    closed = Closed(graph)
    closed.close(shut)
    nodes = node_seconds(graph, travel, factor, closed.lane)
    for segment, along in spots:
        mine = edges.segments == segment
        times = int(np.count_nonzero(mine & (edges.first <= along) & (along <= edges.last)))
        seconds = unit_seconds(graph, travel, nodes, factor, (segment, along), target)
        if abs(seconds - 60.0) > 1e-4:
            assert times == int(seconds < 60.0 and segment not in shut.segments)


def spans(edges: Edges) -> dict[int, list[tuple[float, float]]]:
    """Return the stretches of each segment."""
    found: dict[int, list[tuple[float, float]]] = {}
    for segment, first, last in sorted(zip(*(each.tolist() for each in edges), strict=True)):
        found.setdefault(segment, []).append((round(first, 6), round(last, 6)))
    return found


def test_around_the_target_its_own_street_is_covered() -> None:
    """As far as the seconds go, to both sides; in no time nothing is."""
    whole_s = float(STREET.segment_s[CAR, 0, 0])
    assert spans(edges_of(STREET, Target(0, 0.5), whole_s / 4)) == {0: [(0.25, 0.75)]}
    assert spans(edges_of(STREET, Target(0, 0.5), 0.0)) == {}
    assert spans(edges_of(STREET, Target(0, 0.5), -1.0)) == {}


def test_beyond_a_junction_the_streets_into_it_are_covered() -> None:
    """Not the one that only leads away from it."""
    into = int(np.flatnonzero(np.isinf(STREET.segment_s[CAR, 1]))[0])
    others = [s for s in range(STREET.segments) if s != into]
    whole_s = float(STREET.segment_s[CAR, 0, others[0]])
    middle = STREET.segment_a[into]
    ends = [1.0 if STREET.segment_b[s] == middle else 0.0 for s in others]
    found = spans(edges_of(STREET, Target(others[0], ends[0]), whole_s / 2))
    assert set(found) == set(others)
    assert all(each in ([(0.5, 1.0)], [(0.0, 0.5)]) for each in found.values())
    assert sum(last - first for each in found.values() for first, last in each) == 1.0


@pytest.mark.parametrize(("place", "expected"), [(0.1, [(0.0, 0.4)]), (0.9, [(0.6, 1.0)])])
def test_what_is_shut_is_left_out(place: float, expected: list[tuple[float, float]]) -> None:
    """And what lies behind it."""
    alone = net(((0, 0), (5, 0)))
    shut = Cuts(np.array([0], np.int32), np.array([0.4]), np.array([0.6]))
    assert spans(edges_of(alone, Target(0, place), 1_000.0, shut)) == {0: expected}


def test_lines_are_cut_where_the_stretch_ends() -> None:
    """With all vertices in between."""
    winding = net(((0, 0), (1, 1), (2, 0)))
    edges = Edges(np.array([0, 0], np.int32), np.array([0.0, 0.75]), np.array([0.25, 1.0]))
    drawn = lines(winding, edges)
    places = [list(line.coords) for line in drawn.geoms]
    assert [len(line) for line in places] == [2, 2]
    whole = lines(winding, Edges(edges.segments[:1], np.zeros(1), np.ones(1)))
    assert len(whole.geoms[0].coords) == 3
    assert sorted([places[0][1], places[1][0]]) == [
        pytest.approx(at((0.5, 0.5)), abs=2e-6),
        pytest.approx(at((1.5, 0.5)), abs=2e-6),
    ]
    none = Edges(np.zeros(0, np.int32), np.zeros(0), np.zeros(0))
    assert lines(winding, none).is_empty


def test_an_area_holds_nearly_all_its_roads_and_little_more() -> None:
    """Be it many, or one straight street; of none there is none."""
    for graph in (TOWNS[0], net(((0, 0), (5, 0)))):
        count = graph.segments
        every = Edges(np.arange(count, dtype=np.int32), np.zeros(count), np.ones(count))
        drawn = ring(graph, every)
        assert drawn.quality is Quality.NETWORK
        assert drawn.lines.intersection(drawn.area).length > 0.95 * drawn.lines.length
        wide = drawn.lines.convex_hull.buffer(0.0005)
        assert wide.covers(drawn.area)
    assert area(MultiLineString()).is_empty


def test_a_circle_is_as_wide_as_it_says() -> None:
    """In metres, to all sides."""
    drawn = circle(CORNER, 500.0)
    assert drawn.quality is Quality.STRAIGHT_LINE
    corners = shapely.get_coordinates(drawn.area)
    assert [metres(CORNER, Point(*place)) for place in corners.tolist()] == pytest.approx(
        [500.0] * len(corners), rel=0.01
    )
