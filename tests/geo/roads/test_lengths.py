"""Metres between many pairs at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import distance
from geo.point import Point
from geo.roads.graph import E7
from geo.roads.lengths import metres

LONS = st.integers(-1_790_000_000, 1_790_000_000)
LATS = st.integers(-800_000_000, 800_000_000)
NEAR = st.integers(-500_000, 500_000)


@given(lon=LONS, lat=LATS, east=NEAR, north=NEAR)
def test_they_are_those_of_one_pair(lon: int, lat: int, east: int, north: int) -> None:
    """Within 5 km, to a micrometre."""
    arrays = (np.array([each], dtype=np.int32) for each in (lon, lat, lon + east, lat + north))
    one = distance.metres(Point(lon / E7, lat / E7), Point((lon + east) / E7, (lat + north) / E7))
    assert metres(*arrays)[0] == pytest.approx(one, abs=1e-6)
