"""Units on roads: snapped together, found by road, turned round, snapped anew."""

import math
from math import nan
from typing import Final

import numpy as np
import pytest

from geo.eta import MOVES, PACES, TURNOUT_S, Moves, StraightLine
from geo.point import Point
from geo.road_eta import RoadNetwork
from geo.road_standing import TURN_S, WALK_MPS, RoadStandings
from geo.standing import Courses, Quality
from tests.geo.net import CORNER, STEP, at, net

ROAD: Final = net(((0, 0), (10, 0)))
FOOT, CAR = (MOVES.index(moves) for moves in (Moves.FOOT, Moves.CAR))
EAST, WEST, NORTH = 90.0, 270.0, 0.0


@pytest.fixture(params=[True, False])
def network(request: pytest.FixtureRequest) -> RoadNetwork:
    """Return one long road, compiled and plain."""
    return RoadNetwork(ROAD, compiled=request.param)


def etas(standings: RoadStandings, target: Point, limit_s: float = 3_000.0) -> dict[int, float]:
    """Return the ETA of each row in reach."""
    rows, reach = standings.reach(target, limit_s)
    assert reach.quality is Quality.NETWORK
    return dict(zip(rows.tolist(), reach.eta_s.tolist(), strict=True))


def test_an_eta_is_turnout_plus_road_plus_the_last_metres(network: RoadNetwork) -> None:
    """Off the road at both ends one walks, whatever one came by; the metres are of all of it."""
    standings = network.standings()
    standings.put(0, *at((2, 0.5)), CAR)
    rows, reach = standings.reach(at((4, -0.25)), 3_000.0)
    whole_m, whole_s = float(ROAD.segment_m[0]), float(ROAD.segment_s[3, 0, 0])
    off_m = 0.75 * STEP * 110_750.0
    assert rows.tolist() == [0]
    assert reach.distance_m[0] == pytest.approx(0.2 * whole_m + off_m, rel=1e-3)
    assert reach.eta_s[0] == pytest.approx(TURNOUT_S + 0.2 * whole_s + off_m / WALK_MPS, rel=1e-3)
    assert PACES[Moves.FOOT].speed_mps == WALK_MPS


def test_who_is_beyond_two_kilometres_of_a_road_is_out_of_reach(network: RoadNetwork) -> None:
    """Until he comes nearer."""
    standings = network.standings()
    standings.put(0, *at((5, 11)), CAR)
    assert etas(standings, at((5, 0))) == {}
    standings.put(0, *at((5, 8)), CAR)
    assert set(etas(standings, at((5, 0)))) == {0}


def test_a_place_off_the_net_is_answered_by_straight_lines_as_a_whole(
    network: RoadNetwork,
) -> None:
    """Of those on a road as of those beside it; and it says so."""
    standings = network.standings()
    standings.put(0, *at((5, 0)), CAR)
    standings.put(3, *at((5, 20)), CAR)
    beyond = at((5, 12))
    rows, reach = standings.reach(beyond, 1_200.0)
    assert reach.quality is Quality.STRAIGHT_LINE
    lons, lats = np.array([at((5, 0)), at((5, 20))]).T
    moves = np.full(2, CAR, np.uint8)
    expected = StraightLine().etas(beyond, lons, lats, moves, 1_200.0)
    assert rows.tolist() == [0, 3]
    assert reach.eta_s.tolist() == expected.eta_s.tolist()
    assert reach.distance_m.tolist() == expected.distance_m.tolist()


def test_no_place_is_in_nobodys_reach(network: RoadNetwork) -> None:
    """NaN is off every net."""
    standings = network.standings()
    standings.put(0, *CORNER, CAR)
    rows, reach = standings.reach(Point(math.nan, CORNER.lat), 1_200.0)
    assert len(rows) == 0
    assert reach.quality is Quality.STRAIGHT_LINE


@pytest.mark.parametrize(
    ("moves", "heading_deg", "speed_mps", "turn_s"),
    [
        (CAR, EAST, 5.0, TURN_S),
        (CAR, WEST, 5.0, 0.0),
        (CAR, NORTH, 5.0, 0.0),
        (CAR, EAST, 3.0, 0.0),
        (CAR, math.nan, 5.0, 0.0),
        (CAR, EAST, math.nan, 0.0),
        (FOOT, EAST, 5.0, 0.0),
    ],
)
def test_a_motor_leaves_against_its_heading_only_by_turning_round(
    network: RoadNetwork, moves: int, heading_deg: float, speed_mps: float, turn_s: float
) -> None:
    """Ten seconds to the west for who goes east fast; none to the east."""
    still, moving = network.standings(), network.standings()
    still.put(0, *at((5, 0)), moves)
    moving.put(0, *at((5, 0)), moves, heading_deg, speed_mps)
    west, east = at((4, 0)), at((6, 0))
    assert etas(moving, west)[0] == pytest.approx(etas(still, west)[0] + turn_s)
    if heading_deg == EAST:
        assert etas(moving, east)[0] == pytest.approx(etas(still, east)[0])


def test_one_who_changes_his_way_of_moving_is_found_by_the_new_one(network: RoadNetwork) -> None:
    """Never by both."""
    standings = network.standings()
    standings.put(0, *at((2, 0)), FOOT)
    slow_s = etas(standings, CORNER)[0]
    standings.put(0, *at((2, 0)), CAR)
    assert etas(standings, CORNER)[0] < slow_s
    standings.put(0, *at((2, 0)), FOOT)
    assert etas(standings, CORNER) == {0: slow_s}


def test_those_on_a_segment_are_snapped_anew(network: RoadNetwork) -> None:
    """When it is closed; and everybody when something opens."""
    standings = network.standings()
    for row in range(3):
        standings.put(row, *at((row, 0)), CAR)
    standings.remove(2)
    standings.remove(4_000)
    assert (standings.settle(), standings.settle()) == (3, 0)
    standings.again(np.array([0], np.int32))
    assert standings.settle() == 2
    standings.again(np.array([], np.int32))
    assert standings.settle() == 0
    standings.all_again()
    assert standings.settle() == 2


def test_many_put_at_once_stand_as_one_by_one(network: RoadNetwork) -> None:
    """Beyond the rows there are, with their headings; and none at all."""
    one_by_one, at_once = network.standings(), network.standings()
    spots = [at((2, 0.5)), at((4, 0)), at((6, 0))]
    courses = [(nan, nan), (EAST, 10.0), (WEST, 10.0)]
    for row, (spot, course) in enumerate(zip(spots, courses, strict=True), start=70):
        one_by_one.put(row, *spot, CAR, *course)
    lons, lats = np.array(spots).T
    cars = np.full(3, CAR, np.uint8)
    at_once.put_many(np.arange(70, 73), lons, lats, cars, Courses(*np.array(courses).T))
    none = np.zeros(0)
    nobody, still = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    at_once.put_many(nobody, none, none, still, Courses(none, none))
    assert etas(at_once, at((5, 0))) == etas(one_by_one, at((5, 0))) != {}
