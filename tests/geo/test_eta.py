"""ETAs where no roads are loaded."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import metres
from geo.eta import (
    FEW,
    MOVES,
    PACES,
    TURNOUT_S,
    EtaModel,
    Moves,
    Quality,
    StraightLine,
)
from geo.point import Point

SCENE = Point(113.27, 23.13)
# A hundred metres and some to the east.
CORNER = Point(113.271, 23.13)


def one_of_each(place: Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return five units standing at one place, one for every way of moving."""
    count = len(MOVES)
    return np.full(count, place.lon), np.full(count, place.lat), np.arange(count, dtype=np.uint8)


def test_the_answer_says_that_no_roads_were_asked() -> None:
    """Quality travels with the model."""
    model: EtaModel = StraightLine()
    assert model.quality is Quality.STRAIGHT_LINE


def test_the_codes_of_moving_are_fixed() -> None:
    """Arrays written yesterday mean the same today."""
    assert MOVES == (Moves.FOOT, Moves.BICYCLE, Moves.EBIKE, Moves.MOTORBIKE, Moves.CAR)


def test_paces_are_those_of_the_design() -> None:
    """Speed in m/s and detour of every way of moving."""
    assert {move: tuple(pace) for move, pace in PACES.items()} == {
        "foot": (1.4, 1.3),
        "bicycle": (4.5, 1.3),
        "ebike": (4.5, 1.3),
        "motorbike": (8.3, 1.4),
        "car": (8.3, 1.5),
    }


def test_an_eta_is_turnout_plus_way_over_speed() -> None:
    """For every way of moving, and the metres include the detour."""
    reach = StraightLine().etas(SCENE, *one_of_each(CORNER), limit_s=300.0)
    for code, move in enumerate(MOVES):
        road_m = metres(SCENE, CORNER) * PACES[move].detour
        assert reach.distance_m[code] == pytest.approx(road_m)
        assert reach.eta_s[code] == pytest.approx(30.0 + road_m / PACES[move].speed_mps)


def test_the_turnout_can_be_another() -> None:
    """A fast city is told as one."""
    reach = StraightLine(turnout_s=10.0).etas(SCENE, *one_of_each(SCENE), limit_s=300.0)
    assert reach.eta_s.tolist() == [10.0] * len(MOVES)


def test_beyond_the_limit_all_is_infinite() -> None:
    """A kilometre is too far on foot in five minutes, not by motorbike."""
    reach = StraightLine().etas(SCENE, *one_of_each(Point(113.28, 23.13)), limit_s=300.0)
    assert not math.isfinite(reach.eta_s[0])
    assert not math.isfinite(reach.distance_m[0])
    assert math.isfinite(reach.eta_s[3])


@pytest.mark.parametrize("limit_s", [0.0, -5.0, TURNOUT_S - 0.001])
def test_nobody_is_there_before_the_turnout(limit_s: float) -> None:
    """Not even from the place itself."""
    assert np.isinf(StraightLine().etas(SCENE, *one_of_each(SCENE), limit_s=limit_s).eta_s).all()


def test_without_a_limit_everybody_arrives() -> None:
    """From the other side of the earth too."""
    reach = StraightLine().etas(SCENE, *one_of_each(Point(-70.0, -20.0)), limit_s=math.inf)
    assert np.isfinite(reach.eta_s).all()


def test_a_unit_without_a_place_does_not_arrive() -> None:
    """NaN is beyond every limit."""
    lons, lats = np.array([math.nan, SCENE.lon]), np.array([SCENE.lat, math.nan])
    reach = StraightLine().etas(SCENE, lons, lats, np.zeros(2, dtype=np.uint8), limit_s=300.0)
    assert np.isinf(reach.eta_s).all()


def test_no_units_give_no_answers() -> None:
    """An empty city is no error."""
    nobody = np.empty(0)
    reach = StraightLine().etas(SCENE, nobody, nobody, nobody.astype(np.uint8), limit_s=300.0)
    assert len(reach.eta_s) == len(reach.distance_m) == 0


@given(
    seed=st.integers(0, 2**32),
    limit_s=st.floats(0, 4_000),
    target=st.builds(Point, st.floats(-180, 180), st.floats(-85, 85)),
)
def test_looking_only_nearby_changes_no_answer(seed: int, limit_s: float, target: Point) -> None:
    """The filter in front equals measuring each unit."""
    rng = np.random.default_rng(seed)
    lons, lats = target.lon + rng.normal(0, 0.03, 50), target.lat + rng.normal(0, 0.02, 50)
    lons = (lons + 180.0) % 360.0 - 180.0
    moves = rng.integers(0, len(MOVES), 50).astype(np.uint8)
    found = StraightLine().etas(target, lons, lats, moves, limit_s).eta_s
    for lon, lat, code, eta_s in zip(lons, lats, moves, found, strict=True):
        pace = PACES[MOVES[code]]
        exact_s = 30.0 + metres(target, Point(lon, lat)) * pace.detour / pace.speed_mps
        expected = exact_s if exact_s <= limit_s else math.inf
        assert eta_s == pytest.approx(expected, abs=0.001)


def test_nobody_farther_than_the_bound_is_in_time() -> None:
    """The fastest way of moving sets it; before the turnout is over nobody is anywhere."""
    model = StraightLine()
    pace = PACES[Moves.MOTORBIKE]
    assert model.within_m(130.0) == pytest.approx(100.0 * pace.speed_mps / pace.detour)
    assert model.within_m(TURNOUT_S - 1) == 0.0


def test_a_crowd_is_reckoned_as_a_few_are() -> None:
    """However many there are, and whichever way is the cheaper one."""
    rng = np.random.default_rng(1)
    lons, lats = 113.3 + rng.normal(0, 0.02, FEW + 1), 23.1 + rng.normal(0, 0.02, FEW + 1)
    moves = rng.integers(0, len(MOVES), FEW + 1).astype(np.uint8)
    crowd = StraightLine().etas(Point(113.3, 23.1), lons, lats, moves, 600.0)
    few = StraightLine().etas(Point(113.3, 23.1), lons[1:], lats[1:], moves[1:], 600.0)
    assert crowd.eta_s[1:] == pytest.approx(few.eta_s, abs=0.001)
    assert crowd.distance_m[1:] == pytest.approx(few.distance_m, abs=0.01)


def test_a_bound_is_told_by_way_of_moving() -> None:
    """For what is drawn where no roads are: no way at all before the turnout is over."""
    model = StraightLine()
    assert model.radius_m(Moves.FOOT, 170.0) == pytest.approx(140.0 * 1.4 / 1.3)
    assert model.radius_m(Moves.CAR, 0.0) == 0.0


@pytest.mark.parametrize("compiled", [False, True])
def test_a_fleet_is_kept_and_found(compiled: bool) -> None:
    """By the standings of the model, which may be warmed before; the answer is of its quality."""
    model = StraightLine(compiled=compiled)
    model.warm()
    standings = model.standings()
    standings.put(7, *CORNER, MOVES.index(Moves.CAR))
    rows, reach = standings.reach(SCENE, 300.0)
    assert rows.tolist() == [7]
    assert reach.quality is Quality.STRAIGHT_LINE
