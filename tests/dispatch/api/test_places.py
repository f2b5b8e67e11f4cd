"""Positions at the edge: in WGS-84 behind it, in the named datum before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.api.places import box_of, position_in
from dispatch.api.problems import Refused
from geo.datum import Datum, point_to_wgs84
from geo.point import Box, Point
from schemas.rest import Position

LONS = st.floats(113.0, 113.4)
LATS = st.floats(22.8, 23.2)


def test_a_wgs84_box_stays_as_it_is() -> None:
    """To the last digit."""
    assert box_of("113.1, 23,113.2,23.5", Datum.WGS84) == Box(113.1, 23.0, 113.2, 23.5)


@given(LONS, LATS, st.sampled_from(list(Datum)))
def test_a_box_holds_the_places_of_its_own_datum(lon: float, lat: float, datum: Datum) -> None:
    """Its corners among them."""
    box = box_of(f"{lon},{lat},{lon + 0.1},{lat + 0.1}", datum)
    for x, y in ((lon, lat), (lon + 0.1, lat), (lon, lat + 0.1), (lon + 0.1, lat + 0.1)):
        assert box.contains(point_to_wgs84(Point(x, y), datum))


@given(st.text(max_size=30))
def test_any_text_is_a_box_or_a_refusal(text: str) -> None:
    """And a box is one on the earth."""
    parameter = None
    try:
        box = box_of(text, Datum.WGS84)
    except Refused as refused:
        parameter = refused.faults[0].parameter
    assert parameter == "box" or (box.west <= box.east and box.south <= box.north)


@pytest.mark.parametrize("datum", list(Datum))
def test_a_position_names_its_datum(datum: Datum) -> None:
    """The other one would be half a kilometre off."""
    there = position_in(datum, Position(lon=113.3, lat=23.1))
    assert there.datum is datum
    back = point_to_wgs84(Point(there.lon, there.lat), datum)
    assert back == pytest.approx((113.3, 23.1), abs=1e-8)
