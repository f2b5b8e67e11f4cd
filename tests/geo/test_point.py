"""Points and boxes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import metres
from geo.point import Box, Point

CITY = Box(west=113.0, south=22.5, east=114.0, north=24.0)
FIJI = Box(west=177.0, south=-19.0, east=-178.0, north=-15.0)

lons = st.floats(-180, 180)
lats = st.floats(-90, 90)


def test_a_point_reads_in_geojson_order() -> None:
    """Longitude comes first, as in RFC 7946."""
    assert Point(113.27, 23.13) == (113.27, 23.13)
    assert Point(lon=113.27, lat=23.13).lat == 23.13


@pytest.mark.parametrize("point", [Point(0, 0), Point(180, 90), Point(-180, -90)])
def test_a_map_has_such_a_place(point: Point) -> None:
    """The edges of the map belong to it."""
    assert point.on_earth


@pytest.mark.parametrize(
    "point",
    [Point(math.nan, 0), Point(0, math.nan), Point(math.inf, 0), Point(181, 0), Point(0, 91)],
)
def test_a_map_has_no_such_place(point: Point) -> None:
    """What is no number or no angle is no place."""
    assert not point.on_earth


@pytest.mark.parametrize("point", [Point(113.5, 23.0), Point(113.0, 22.5), Point(114.0, 24.0)])
def test_a_box_holds_its_inside_and_its_border(point: Point) -> None:
    """Borders are included."""
    assert CITY.contains(point)


@pytest.mark.parametrize(
    "point",
    [Point(112.9, 23), Point(114.1, 23), Point(113.5, 22), Point(113.5, 25), Point(math.nan, 23)],
)
def test_a_box_does_not_hold_what_lies_beside_it(point: Point) -> None:
    """Each side counts, and NaN is nowhere."""
    assert not CITY.contains(point)


def test_a_box_may_cross_the_antimeridian() -> None:
    """West greater than east means over the 180th meridian."""
    assert FIJI.crosses_antimeridian
    assert FIJI.contains(Point(179.0, -17.0))
    assert FIJI.contains(Point(-179.0, -17.0))
    assert not FIJI.contains(Point(0.0, -17.0))


@given(lon=lons, lat=lats, box=st.sampled_from([CITY, FIJI]))
def test_many_are_answered_as_one_is(lon: float, lat: float, box: Box) -> None:
    """The vectorised answer is the scalar one."""
    many = box.contains_many(np.array([lon, 113.5, 179.0]), np.array([lat, 23.0, -17.0]))
    assert many.tolist() == [
        box.contains(Point(lon, lat)),
        box.contains(Point(113.5, 23.0)),
        box.contains(Point(179.0, -17.0)),
    ]


@given(
    origin=st.builds(Point, lons, st.floats(-85, 85)),
    bearing=st.floats(0, 2 * math.pi),
    radius_m=st.floats(0, 50_000),
)
def test_a_box_around_a_point_holds_all_within_the_radius(
    origin: Point, bearing: float, radius_m: float
) -> None:
    """Nothing that near is cut off, wherever on the earth."""
    lat = origin.lat + math.degrees(radius_m * math.cos(bearing) / 6_380_000)
    aside = radius_m * math.sin(bearing) / (6_380_000 * math.cos(math.radians(origin.lat)))
    there = Point(math.remainder(origin.lon + math.degrees(aside), 360.0), lat)
    if metres(origin, there) <= radius_m:
        assert Box.around(origin, radius_m).contains(there)


def test_a_box_around_a_point_is_no_larger_than_needed() -> None:
    """In the city it is wider than the circle by less than a hundredth."""
    box = Box.around(Point(113.27, 23.13), 1_000)
    assert metres(Point(box.west, 23.13), Point(box.east, 23.13)) == pytest.approx(2_000, rel=0.01)
    assert metres(Point(113.27, box.south), Point(113.27, box.north)) == pytest.approx(
        2_000, rel=0.01
    )


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_box_around_a_pole_holds_every_meridian(pole: float) -> None:
    """All meridians meet there."""
    box = Box.around(Point(10.0, pole), 1_000)
    assert (box.west, box.east) == (-180.0, 180.0)
    assert box.contains(Point(-170.0, pole))


def test_a_box_close_to_a_pole_may_hold_every_meridian() -> None:
    """A circle that ends just before the pole reaches around it."""
    box = Box.around(Point(10.0, 89.9), 11_050.0)
    assert (box.west, box.east) == (-180.0, 180.0)
    assert box.north < 90.0


def test_a_box_without_end_is_the_earth() -> None:
    """An infinite radius is allowed."""
    assert Box.around(Point(113.27, 23.13), math.inf) == (-180.0, -90.0, 180.0, 90.0)


@pytest.mark.parametrize("lon", [179.999, -179.999])
def test_a_box_at_the_antimeridian_crosses_it(lon: float) -> None:
    """Its sides are named between -180 and 180."""
    box = Box.around(Point(lon, 0.0), 1_000)
    assert box.crosses_antimeridian
    assert box.contains(Point(-lon, 0.0))
