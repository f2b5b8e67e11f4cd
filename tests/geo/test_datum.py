"""Datums, against geocoordinates-rs."""

import math

import geocoordinates_ffi as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import (
    CHINA,
    Datum,
    from_wgs84,
    point_from_wgs84,
    point_to_wgs84,
    to_wgs84,
)
from geo.distance import metres
from geo.point import Point

MILLIMETRE = 0.001
TOWER = Point(113.3191, 23.1065)
NEW_YORK = Point(-73.98, 40.76)

in_china = st.builds(Point, st.floats(CHINA.west, CHINA.east), st.floats(CHINA.south, CHINA.north))
anywhere = st.builds(Point, st.floats(-180, 180), st.floats(-85, 85))
shifted = st.sampled_from([Datum.GCJ02, Datum.BD09])
datums = st.sampled_from(Datum)


def by_oracle(point: Point, datum: Datum) -> Point:
    """Return what geocoordinates-rs makes of a WGS-84 place."""
    place = oracle.Wgs84(lon=point.lon, lat=point.lat)
    convert = {Datum.GCJ02: oracle.wgs84_to_gcj02, Datum.BD09: oracle.wgs84_to_bd09}[datum]
    found = convert(place)
    return Point(found.lon, found.lat)


@given(point=anywhere, datum=shifted)
def test_forward_agrees_with_the_reference_everywhere(point: Point, datum: Datum) -> None:
    """GCJ-02 and BD-09 are met to a millimetre, inside China and outside."""
    assert metres(point_from_wgs84(point, datum), by_oracle(point, datum)) < MILLIMETRE


@given(point=in_china, datum=shifted)
def test_forward_agrees_with_the_reference_in_china(point: Point, datum: Datum) -> None:
    """The same where it matters."""
    assert metres(point_from_wgs84(point, datum), by_oracle(point, datum)) < MILLIMETRE


@given(point=in_china, datum=datums)
def test_a_round_trip_in_china_comes_back_to_a_millimetre(point: Point, datum: Datum) -> None:
    """From the border to the middle."""
    assert metres(point_to_wgs84(point_from_wgs84(point, datum), datum), point) < MILLIMETRE


@given(point=anywhere, datum=datums)
def test_many_are_converted_as_one_is(point: Point, datum: Datum) -> None:
    """The vectorised conversions are the scalar ones to a micrometre."""
    lon, lat = np.array([point.lon, TOWER.lon]), np.array([point.lat, TOWER.lat])
    for many, one in ((from_wgs84, point_from_wgs84), (to_wgs84, point_to_wgs84)):
        there = np.column_stack(many(lon, lat, datum))
        here = np.array([one(point, datum), one(TOWER, datum)])
        assert np.abs(there - here).max() < 1e-11


@pytest.mark.parametrize("datum", list(Datum))
def test_arrays_given_are_left_as_they_are(datum: Datum) -> None:
    """What comes back is new, so that the original can be kept."""
    lon, lat = np.array([TOWER.lon]), np.array([TOWER.lat])
    for convert in (from_wgs84, to_wgs84):
        new_lon, new_lat = convert(lon, lat, datum)
        new_lon[0], new_lat[0] = 0.0, 0.0
    assert (lon[0], lat[0]) == TOWER


def test_in_guangzhou_the_difference_is_more_than_a_five_minute_walk() -> None:
    """Mixing datums up is not a detail."""
    assert 588 < metres(TOWER, point_from_wgs84(TOWER, Datum.GCJ02)) < 637
    assert metres(TOWER, point_from_wgs84(TOWER, Datum.BD09)) > 1_000


def test_outside_china_gcj02_is_wgs84() -> None:
    """The usual convention: the shift ends at the box."""
    assert point_from_wgs84(NEW_YORK, Datum.GCJ02) == NEW_YORK
    assert point_to_wgs84(NEW_YORK, Datum.GCJ02) == NEW_YORK


def test_outside_china_bd09_still_turns() -> None:
    """The usual convention: only the shift knows the box, and the way back is as exact."""
    there = point_from_wgs84(NEW_YORK, Datum.BD09)
    assert metres(there, by_oracle(NEW_YORK, Datum.BD09)) < MILLIMETRE
    assert metres(point_to_wgs84(there, Datum.BD09), NEW_YORK) < MILLIMETRE


@pytest.mark.parametrize(
    "border",
    [
        Point(CHINA.west, 30.0),
        Point(CHINA.east, 30.0),
        Point(100.0, CHINA.south),
        Point(100.0, CHINA.north),
    ],
)
def test_the_border_of_the_box_is_china(border: Point) -> None:
    """It is shifted, though the shift may carry it out, and comes back."""
    there = point_from_wgs84(border, Datum.GCJ02)
    assert metres(there, border) > 50
    assert metres(point_to_wgs84(there, Datum.GCJ02), border) < MILLIMETRE


def test_just_outside_the_box_a_place_no_shift_leads_to_stays() -> None:
    """East of the border by more than the shift is abroad."""
    abroad = Point(CHINA.east + 0.05, 30.0)
    assert point_to_wgs84(abroad, Datum.GCJ02) == abroad
    back = to_wgs84(np.array([abroad.lon]), np.array([abroad.lat]), Datum.GCJ02)
    assert (back[0][0], back[1][0]) == abroad


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e308, 200.0])
@pytest.mark.parametrize("datum", list(Datum))
def test_what_is_no_place_comes_back_as_it_was(bad: float, datum: Datum) -> None:
    """No conversion raises or makes a place of it."""
    for one in (point_from_wgs84, point_to_wgs84):
        assert one(Point(bad, 23.0), datum) == pytest.approx((bad, 23.0), nan_ok=True)
    for many in (from_wgs84, to_wgs84):
        lon, lat = many(np.array([bad]), np.array([23.0]), datum)
        assert (lon[0], lat[0]) == pytest.approx((bad, 23.0), nan_ok=True)
