"""The plane the synthetic city is drawn on."""

import numpy as np
import pytest
import shapely

from geo.city.plane import CENTRE, area_km2, to_degrees, to_metres
from geo.distance import metres
from geo.point import Point


def test_the_centre_is_the_origin() -> None:
    """And a kilometre from it is one on the ground."""
    assert to_metres(np.array([CENTRE])).tolist() == [[0.0, 0.0]]
    for step in ((1_000.0, 0.0), (0.0, 1_000.0)):
        there = Point(*to_degrees(np.array([step]))[0])
        assert metres(CENTRE, there) == pytest.approx(1_000.0, abs=0.1)


def test_degrees_come_back_from_metres() -> None:
    """To the centimetre they are rounded to."""
    places = np.array([[113.1, 22.7], [113.9, 23.8]])
    assert np.abs(to_degrees(to_metres(places)) - places).max() < 1e-7


@pytest.mark.parametrize("lat", [22.6, 23.13, 23.9])
def test_ground_is_measured_at_its_own_latitude(lat: float) -> None:
    """A small box's area is the product of its sides."""
    box = shapely.box(113.3, lat - 0.005, 113.31, lat + 0.005)
    east_m = metres(Point(113.3, lat), Point(113.31, lat))
    north_m = metres(Point(113.3, lat - 0.005), Point(113.3, lat + 0.005))
    assert area_km2(np.array([box])) == pytest.approx(east_m * north_m / 1e6, rel=1e-6)
