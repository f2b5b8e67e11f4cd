"""Distances, against the geodesic."""

import math

import numpy as np
import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import NEAR_M, metres, metres_many, metres_near
from geo.point import Point

HOME = Point(113.27, 23.13)

origins = st.builds(Point, st.floats(-180, 180), st.floats(-80, 80))
# 5 km is at most 0.045 degrees of latitude.
steps = st.floats(-0.03, 0.03)


def geodesic_m(a: Point, b: Point) -> float:
    """Return what Karney's geodesic says."""
    return float(geodesic((a.lat, a.lon), (b.lat, b.lon)).meters)


@given(origin=origins, east=steps, north=steps)
def test_within_5_km_the_geodesic_is_met_to_a_centimetre(
    origin: Point, east: float, north: float
) -> None:
    """The plane is exact enough anywhere on the earth but the poles."""
    aside = east / math.cos(math.radians(origin.lat))
    there = Point(math.remainder(origin.lon + aside, 360.0), origin.lat + north)
    assert metres(origin, there) == pytest.approx(geodesic_m(origin, there), abs=0.01)


@given(east=st.floats(-0.4, 0.4), north=st.floats(-0.4, 0.4))
def test_across_the_city_the_geodesic_is_met_to_a_metre(east: float, north: float) -> None:
    """Some 60 km in Guangzhou are still told well enough for any clock."""
    there = Point(HOME.lon + east, HOME.lat + north)
    assert metres(HOME, there) == pytest.approx(geodesic_m(HOME, there), abs=1.0)


@given(origin=origins, east=steps, north=steps)
def test_many_are_measured_as_one_is(origin: Point, east: float, north: float) -> None:
    """The vectorised distance is the scalar one to a micrometre."""
    there = Point(origin.lon + east, origin.lat + north)
    many = metres_many(origin, np.array([there.lon, origin.lon]), np.array([there.lat, origin.lat]))
    assert many[0] == pytest.approx(metres(origin, there), abs=1e-6)
    assert many[1] == 0.0


@given(
    origin=st.builds(Point, st.floats(-179, 179), st.floats(-80, 80)),
    east=st.floats(-NEAR_M, NEAR_M),
    north=st.floats(-NEAR_M, NEAR_M),
)
def test_those_nearby_are_measured_as_many_are(origin: Point, east: float, north: float) -> None:
    """Without trigonometry for each, and to a centimetre."""
    aside = east / 111_000 / math.cos(math.radians(origin.lat))
    lons, lats = np.array([origin.lon + aside]), np.array([origin.lat + north / 111_000])
    expected = metres_many(origin, lons, lats)
    if expected[0] <= NEAR_M:
        assert metres_near(origin, lons, lats) == pytest.approx(expected, abs=0.01)


@given(
    origin=st.builds(Point, st.floats(-179, 179), st.floats(-80, 80)),
    there=st.builds(Point, st.floats(-180, 180), st.floats(-90, 90)),
)
def test_what_is_far_never_looks_near(origin: Point, there: Point) -> None:
    """Beyond its bound the cheap distance is wrong, and beyond its bound all the same."""
    lons, lats = np.array([there.lon]), np.array([there.lat])
    if metres(origin, there) > 1.001 * NEAR_M:
        assert metres_near(origin, lons, lats)[0] > NEAR_M


def test_the_180th_meridian_is_no_border() -> None:
    """Two sides of it are neighbours."""
    a, b = Point(179.999, -17.0), Point(-179.999, -17.0)
    assert metres(a, b) == pytest.approx(geodesic_m(a, b), abs=0.01)
    assert metres_many(a, np.array([b.lon]), np.array([b.lat]))[0] == pytest.approx(metres(a, b))


def test_no_number_is_no_distance() -> None:
    """NaN goes through instead of looking like a place nearby."""
    assert math.isnan(metres(HOME, Point(math.nan, 23.0)))
    assert np.isnan(metres_many(HOME, np.array([113.0]), np.array([np.nan]))).all()
