"""What standings promise, whoever keeps them."""

import math

import numpy as np
import pytest

from geo.eta import EtaModel, StraightLine
from geo.point import Point
from geo.road_eta import RoadNetwork
from geo.standing import Courses, Quality, Standings
from tests.geo.net import CORNER, at, net

ROAD = net(((0, 0), (1, 0), (2, 0)))


@pytest.fixture(params=["straight", "straight, plain", "roads", "roads, plain"])
def standings(request: pytest.FixtureRequest) -> Standings:
    """Return empty standings of each kind."""
    compiled = not request.param.endswith("plain")
    straight = request.param.startswith("straight")
    model: EtaModel = (
        StraightLine(compiled=compiled) if straight else RoadNetwork(ROAD, compiled=compiled)
    )
    return model.standings()


def found(standings: Standings, target: Point = CORNER, limit_s: float = 600.0) -> list[int]:
    """Return the rows in reach."""
    return sorted(standings.reach(target, limit_s)[0].tolist())


def test_nobody_is_found_where_nobody_stands(standings: Standings) -> None:
    """An empty fleet is no error."""
    rows, reach = standings.reach(CORNER, 600.0)
    assert len(rows) == len(reach.eta_s) == len(reach.distance_m) == 0


def test_who_was_put_is_found_where_he_was_put_last(standings: Standings) -> None:
    """In any order of rows; far away in nobody's reach."""
    standings.put(3, *CORNER, 0)
    standings.put(70, *at((1, 0)), 0)
    standings.put(70, *at((0.5, 0)), 4)
    standings.put(3, *at((400, 0)), 0)
    assert found(standings) == [70]


def test_many_are_put_at_once(standings: Standings) -> None:
    """As one by one; beyond the rows there are, too; and none at all."""
    standings.put(5, *at((400, 0)), 0)
    lons, lats = np.array([at((0.5, 0)), at((400, 0)), CORNER]).T
    moves, unknown = np.array([4, 4, 0], np.uint8), np.full(3, math.nan)
    courses = Courses(unknown, unknown)
    standings.put_many(np.array([5, 6, 90]), lons, lats, moves, courses)
    assert found(standings) == [5, 90]
    none = np.zeros(0)
    nobody, still = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    standings.put_many(nobody, none, none, still, Courses(none, none))
    assert found(standings) == [5, 90]


def test_another_way_of_moving_counts_at_once(standings: Standings) -> None:
    """In 80 seconds nobody walks 400 metres; a car is there."""
    standings.put(0, *at((2, 0)), 0)
    assert found(standings, limit_s=110.0) == []
    standings.put(0, *at((2, 0)), 4)
    assert found(standings, limit_s=110.0) == [0]


def test_who_is_taken_away_is_not_found(standings: Standings) -> None:
    """Nor who stands at no place; what was never there can be taken away too."""
    standings.put(0, *CORNER, 0)
    standings.put(1, *CORNER, 0)
    standings.put(2, math.nan, CORNER.lat, 0)
    standings.remove(0)
    standings.remove(0)
    standings.remove(40)
    assert found(standings) == [1]


def test_positions_may_be_worked_off_before_a_search(standings: Standings) -> None:
    """It changes no answer."""
    standings.put(0, *CORNER, 0, 90.0, 5.0)
    assert standings.settle() in {0, 1}
    assert standings.settle() == 0
    assert found(standings) == [0]


def test_the_answer_says_what_it_is_reckoned_from(standings: Standings) -> None:
    """All of it is of one quality."""
    standings.put(0, *CORNER, 0)
    assert standings.reach(CORNER, 600.0)[1].quality in set(Quality)
