"""The few who are near a place."""

import math
from typing import Final

import numpy as np
import pytest

from dispatch.live.near import FIRST_S, Near
from geo.standing import Quality, Reach, Rows

INF: Final = math.inf
ETAS: Final = {7: 40.0, 2: 30.0, 5: 600.0}


class Searches:
    """A search over ten rows, of which three are near, that notes how far it was asked to go."""

    def __init__(self) -> None:
        self.limits: list[float] = []

    def __call__(self, limit_s: float) -> tuple[Rows, Reach]:
        """Return those within the limit."""
        self.limits.append(limit_s)
        near = {row: eta_s for row, eta_s in ETAS.items() if eta_s <= limit_s}
        eta_s = np.array(list(near.values()))
        return np.array(list(near)), Reach(eta_s, eta_s - 30.0, Quality.NETWORK)


@pytest.fixture
def searches() -> Searches:
    """Return a search nobody has asked for yet."""
    return Searches()


@pytest.fixture
def near(searches: Searches) -> Near:
    """Return what is near within 20 minutes."""
    return Near(10, searches, 1200.0)


def test_a_ring_holds_those_inside_it(near: Near) -> None:
    """With ETA and metres, row by row; the border belongs to it."""
    for ring_s, rows in ((600.0, [7, 2, 5]), (40.0, [7, 2]), (39.9, [2]), (10.0, [])):
        found, eta_s, distance_m = near.within(ring_s)
        assert found.tolist() == rows
        assert len(eta_s) == len(distance_m) == len(rows)
    _, eta_s, distance_m = near.within(40.0)
    assert (eta_s.tolist(), distance_m.tolist()) == ([40.0, 30.0], [10.0, 0.0])


def test_one_row_is_asked_for(near: Near) -> None:
    """One that is not near never comes."""
    assert near.of(7) == (40.0, 10.0)
    assert near.of(5) == (600.0, 570.0)
    assert near.of(0) == (INF, INF)


def test_all_rows_are_told_in_their_order(near: Near) -> None:
    """Most of them: never."""
    assert near.eta_s.tolist() == [INF, INF, 30.0, INF, INF, 600.0, INF, 40.0, INF, INF]


def test_nothing_is_searched_until_somebody_asks(near: Near, searches: Searches) -> None:
    """Then the five-minute ring, once; and farther only for who is not in it."""
    assert searches.limits == []
    for ring_s in (180.0, FIRST_S):
        near.within(ring_s)
    near.of(2)
    assert searches.limits == [FIRST_S]
    near.of(5)
    near.within(400.0)
    assert searches.limits == [FIRST_S, 1200.0]


def test_a_limit_inside_the_first_ring_is_the_only_one(searches: Searches) -> None:
    """Who asks for less gets less."""
    near = Near(10, searches, 35.0)
    assert near.of(7) == (INF, INF)
    assert near.eta_s[2] == 30.0
    assert searches.limits == [35.0]


def test_the_quality_is_that_of_the_answer(near: Near) -> None:
    """Not of the model, which may have left this place to its fallback."""
    assert near.quality is Quality.NETWORK
