"""The nearest road, against a look at every piece of it."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import metres
from geo.point import Point
from geo.roads.closed import Closed, Cuts
from geo.roads.graph import E7, RoadGraph
from geo.roads.snap import OFF, SNAP_MOST_M, Snap, Snapper
from geo.roads.travel import CAR, FOOT, TRAVELS
from tests.geo.net import CORNER, STEP, at, net, town

TOWNS = [town(seed) for seed in range(4)]
CROSS = net(((0, 0), (1, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1)))
spots = st.builds(lambda x, y: at((x, y)), st.floats(-8, 14), st.floats(-8, 14))


def snap(
    graph: RoadGraph,
    place: Point,
    travel: int = CAR,
    *,
    compiled: bool = True,
    cuts: Cuts | None = None,
) -> Snap | None:
    """Return where a place meets the road."""
    closed = Closed(graph)
    if cuts is not None:
        closed.close(cuts)
    return Snapper(graph, closed, compiled=compiled).each((travel,), place)[0]


def nearest_m(graph: RoadGraph, travel: int, place: Point) -> float:
    """Return how far the nearest road is, by shapely on a plane of metres."""
    scale = np.array([math.cos(math.radians(place.lat)) * 111_320.0, 110_750.0])
    scale[0] = metres(place, Point(place.lon + 1e-3, place.lat)) * 1e3
    scale[1] = metres(place, Point(place.lon, place.lat + 1e-3)) * 1e3
    away = np.inf
    for segment in np.flatnonzero(graph.segment_main >> travel & 1):
        part = slice(graph.shape_first[segment], graph.shape_first[segment + 1])
        shape = np.column_stack((graph.shape_lon[part], graph.shape_lat[part])) / E7
        line = shapely.LineString((shape - place) * scale)
        away = min(away, line.distance(shapely.Point(0.0, 0.0)))
    return away


@pytest.mark.parametrize("compiled", [False, True])
@settings(deadline=None)  # the first call compiles
@given(st.sampled_from(TOWNS), st.integers(0, len(TRAVELS) - 1), spots)
def test_no_road_is_nearer_than_the_one_found(
    compiled: bool, graph: RoadGraph, travel: int, place: Point
) -> None:
    """That its travel may use; beyond two kilometres there is none.

    Two planes agree to 6 cm at two kilometres.
    """
    expected_m, found = (
        nearest_m(graph, travel, place),
        snap(graph, place, travel, compiled=compiled),
    )
    if found is None:
        assert expected_m >= SNAP_MOST_M * 0.9999
        return
    assert found.off_m == pytest.approx(expected_m, abs=0.06)
    assert metres(place, Point(found.lon, found.lat)) == pytest.approx(found.off_m, abs=0.06)
    assert graph.segment_main[found.segment] >> travel & 1
    assert 0.0 <= found.along <= 1.0


def test_one_text_serves_compiled_or_not() -> None:
    """The same answers, to a thousandth of a millimetre."""
    dice = np.random.default_rng(2)
    lons, lats = (start + dice.uniform(-3, 9, 60) * STEP for start in CORNER)
    travels = dice.integers(0, len(TRAVELS), 60).astype(np.uint8)
    answers = [
        Snapper(TOWNS[0], Closed(TOWNS[0]), compiled=compiled).snap(travels, lons, lats)
        for compiled in (False, True)
    ]
    for one, other in zip(*answers, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_place_beside_a_road_is_put_on_it(compiled: bool) -> None:
    """How far along, how far off, and which way the road runs there."""
    place = Point(CORNER.lon + 0.25 * STEP, CORNER.lat + 0.1 * STEP)
    found = snap(CROSS, place, compiled=compiled)
    assert found is not None
    along = 0.25 if CROSS.segment_a[found.segment] < CROSS.segment_b[found.segment] else 0.75
    assert found.along == pytest.approx(along, abs=1e-4)
    assert found.off_m == pytest.approx(22.15, abs=0.1)
    assert (found.lon, found.lat) == pytest.approx((place.lon, CORNER.lat), abs=1e-7)
    told = Snapper(CROSS, Closed(CROSS), compiled=compiled).snap(
        np.array([CAR], np.uint8), np.array([place.lon]), np.array([place.lat])
    )
    assert (abs(float(told.east[0])), float(told.north[0])) == pytest.approx((1.0, 0.0), abs=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        Point(math.nan, CORNER.lat),
        Point(CORNER.lon, math.nan),
        Point(CORNER.lon, 90.0),
        Point(CORNER.lon + 0.1, CORNER.lat),
        Point(CORNER.lon - 0.1, CORNER.lat),
        Point(CORNER.lon, CORNER.lat + 0.1),
        Point(-CORNER.lon, -CORNER.lat),
    ],
)
def test_a_place_far_from_any_road_has_none(place: Point, compiled: bool) -> None:
    """Nor has one that is no place."""
    assert snap(CROSS, place, compiled=compiled) is None


def test_nobody_is_put_onto_what_is_shut() -> None:
    """The rest of the segment is as good as ever; where all of it is shut another one is."""
    place = at((0.5, 0.1))
    found = snap(CROSS, place)
    assert found is not None
    middle = Cuts(np.array([found.segment], np.int32), np.array([0.4]), np.array([0.6]))
    for compiled in (False, True):
        aside = snap(CROSS, place, cuts=middle, compiled=compiled)
        assert aside is None or aside.segment != found.segment or not 0.4 <= aside.along <= 0.6
        other = snap(CROSS, place, cuts=Cuts.whole(middle.segments), compiled=compiled)
        assert other is not None
        assert other.segment != found.segment


def test_one_place_is_asked_for_each_travel() -> None:
    """Where no car may go there is none for it; a walker finds his way."""
    paths = net(((0, 0), (1, 0)), ((0, 1), (1, 1)))
    cars_only = np.array([1 << CAR, 1 << FOOT], np.uint8)
    parted = paths.__class__(**{**paths.__dict__, "segment_main": cars_only})
    car, foot = Snapper(parted, Closed(parted)).each((CAR, FOOT), at((0.5, 0.0)))
    assert car is not None
    assert foot is not None
    assert {car.segment, foot.segment} == {0, 1}
    nobody = paths.__class__(**{**paths.__dict__, "segment_main": cars_only * 0})
    assert Snapper(nobody, Closed(nobody)).each((CAR, FOOT), CORNER) == [None, None]


def test_no_places_have_no_roads() -> None:
    """An empty batch is no error."""
    none = np.zeros(0)
    found = Snapper(CROSS, Closed(CROSS)).snap(none.astype(np.uint8), none, none)
    assert len(found.segment) == len(found.along) == 0
    assert OFF < 0
