"""The few who are near a place."""

import math

import numpy as np
import pytest

from dispatch.live.near import Near
from geo.eta import Reach

INF = math.inf


@pytest.fixture
def near() -> Near:
    """Return rows 7, 2 and 5 of ten; row 5 is beyond the limit."""
    reach = Reach(np.array([40.0, 30.0, INF]), np.array([14.0, 0.0, INF]))
    return Near(10, np.array([7, 2, 5]), reach)


def test_a_ring_holds_those_inside_it(near: Near) -> None:
    """With ETA and metres, row by row; the border belongs to it."""
    for ring_s, rows in ((40.0, [7, 2]), (39.9, [2]), (10.0, [])):
        found, eta_s, distance_m = near.within(ring_s)
        assert found.tolist() == rows
        assert len(eta_s) == len(distance_m) == len(rows)
    _, eta_s, distance_m = near.within(40.0)
    assert (eta_s.tolist(), distance_m.tolist()) == ([40.0, 30.0], [14.0, 0.0])


def test_one_row_is_asked_for(near: Near) -> None:
    """One that is not near never comes."""
    assert near.of(7) == (40.0, 14.0)
    assert near.of(5) == near.of(0) == (INF, INF)


def test_all_rows_are_told_in_their_order(near: Near) -> None:
    """Most of them: never."""
    assert near.eta_s.tolist() == [INF, INF, 30.0, *[INF] * 4, 40.0, INF, INF]
