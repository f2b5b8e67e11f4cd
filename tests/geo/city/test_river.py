"""The river of the synthetic city."""

import numpy as np
import pytest
import shapely

from geo.city import river
from geo.city.plane import to_metres
from geo.city.river import Course
from geo.distance import metres


@pytest.fixture(scope="module")
def course() -> Course:
    """Return a river."""
    return river.draw(np.random.default_rng(1))


def test_the_same_dice_draw_the_same_river(course: Course) -> None:
    """And others another."""
    again, other = (river.draw(np.random.default_rng(seed)) for seed in (1, 2))
    assert (again.middle == course.middle).all()
    assert not (other.middle == course.middle).all()


def test_the_river_is_one_water_with_its_middle_inside(course: Course) -> None:
    """It has no islands that would tear it."""
    drawn = course.river()
    assert isinstance(drawn.water, shapely.Polygon)
    assert drawn.water.is_valid
    assert shapely.contains_xy(drawn.water, np.array(drawn.middle)).all()


def test_the_river_widens_towards_the_sea(course: Course) -> None:
    """Its width is known at each point of its middle."""
    drawn = course.river()
    assert len(drawn.width_m) == len(drawn.middle)
    assert drawn.width_m[-1] > 10 * drawn.width_m[0]


def test_water_reaches_half_the_width_from_the_middle(course: Course) -> None:
    """In a quarter of a circle's corners, so a little less."""
    drawn = course.river()
    edge = drawn.water.boundary
    for place, width_m in list(zip(drawn.middle, drawn.width_m, strict=True))[10:-10:10]:
        away = edge.distance(shapely.Point(place)) * 105_000
        assert 0.4 * width_m < away < 0.6 * width_m


def test_the_banks_are_told_apart(course: Course) -> None:
    """Right is the south and the west, looking downstream."""
    south, north = to_metres(np.array([[113.31, 23.05], [113.31, 23.2]]))
    assert course.right_bank(np.array([south, north])).tolist() == [True, False]


def test_a_larger_map_has_a_longer_river_of_the_same_width(course: Course) -> None:
    """Only the course is scaled."""
    double = course.scaled(2.0)
    assert (double.middle == 2.0 * course.middle).all()
    assert (double.width_m == course.width_m).all()


def test_bridges_are_few_and_lead_from_land_to_land(course: Course) -> None:
    """Over the water once, and hardly longer than it is wide there."""
    water = course.river().water
    bridges = course.bridges()
    assert len({each.name for each in bridges}) == len(bridges) == 9
    for bridge in bridges:
        way = shapely.LineString([bridge.start, bridge.end])
        wet = shapely.intersection(way, water)
        assert isinstance(wet, shapely.LineString)
        assert not water.intersects(shapely.points([bridge.start, bridge.end])).any()
        assert metres(bridge.start, bridge.end) - wet.length * 111_000 < 300


def test_the_river_is_in_the_city(course: Course) -> None:
    """It passes the centre by a few kilometres."""
    west, south, east, north = course.river().water.bounds
    assert (west, south) < (113.1, 22.7)
    assert (east, north) > (113.6, 23.1)
    assert np.hypot(*course.middle.T).min() < 5_000
