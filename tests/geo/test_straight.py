"""Units on a plain without roads, against a look at everybody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.eta import MOVES, StraightLine
from geo.point import Point
from geo.standing import Courses
from geo.straight import StraightStandings, fly

places = st.builds(Point, st.floats(113.2, 113.4), st.floats(23.0, 23.2))
targets = places | st.just(Point(179.9, 10.0))


def kept(spots: list[Point], *, compiled: bool) -> StraightStandings:
    """Return units at some spots, each moving in another way than the one before."""
    standings = StraightLine(compiled=compiled).standings()
    for row, spot in enumerate(spots):
        standings.put(row, *spot, row % len(MOVES))
    return standings


@pytest.mark.parametrize("compiled", [False, True])
@settings(deadline=None)  # the first call compiles
@given(st.lists(places, max_size=20), targets, st.floats(0, 4000))
def test_those_found_are_those_in_time(
    compiled: bool, spots: list[Point], target: Point, limit_s: float
) -> None:
    """With the seconds and metres the model tells of each, near or far."""
    lons, lats = np.array(spots).reshape(-1, 2).T
    moves = (np.arange(len(spots)) % len(MOVES)).astype(np.uint8)
    everybody = StraightLine().etas(target, lons, lats, moves, limit_s)
    rows, reach = kept(spots, compiled=compiled).reach(target, limit_s)
    edge = np.abs(everybody.eta_s - limit_s) < 1e-6
    expected = np.isfinite(everybody.eta_s)
    assert (
        set(np.flatnonzero(expected & ~edge)) <= set(rows) <= set(np.flatnonzero(expected | edge))
    )
    assert reach.eta_s == pytest.approx(everybody.eta_s[rows], abs=1e-6)
    assert reach.distance_m == pytest.approx(everybody.distance_m[rows], abs=1e-4)


def test_one_text_serves_compiled_or_not() -> None:
    """The same rows, seconds and metres, to the last bit."""
    dice = np.random.default_rng(1)
    where = np.column_stack((dice.normal(0, 0.01, (50, 2)), np.full(50, 0.2), np.full(50, 1.3)))
    here = (np.arange(50), where, 0.0, 0.0, 111_320.0, 0.0, 110_574.0, 0.0, 30.0, 250.0)
    told = [(np.zeros(50, np.int64), np.zeros(50), np.zeros(50)) for _ in range(2)]
    finds = [
        fly.text(compiled=compiled)(*here, *out)
        for compiled, out in zip((True, False), told, strict=True)
    ]
    assert 0 < finds[0] == finds[1] < 50
    for one, other in zip(*told, strict=True):
        assert (one[: finds[0]] == other[: finds[0]]).all()


def test_who_is_taken_away_is_found_no_more() -> None:
    """A plain has no work with positions: all of it is done as they come."""
    standings = kept([Point(113.3, 23.1)] * 2, compiled=True)
    standings.remove(0)
    assert standings.settle() == 0
    assert standings.reach(Point(113.3, 23.1), 60.0)[0].tolist() == [1]


def test_many_put_at_once_stand_as_one_by_one() -> None:
    """Beyond the rows there are; where they head counts for nothing; and none at all."""
    spots = [Point(113.3, 23.1), Point(113.301, 23.1), Point(113.302, 23.101)]
    one_by_one = kept(spots, compiled=False)
    at_once = kept([], compiled=False)
    lons, lats = np.array(spots).T
    unknown, none = np.full(3, np.nan), np.zeros(0)
    moves = (np.arange(3) % len(MOVES)).astype(np.uint8)
    at_once.put_many(np.arange(3), lons, lats, moves, Courses(unknown, unknown))
    nobody, still = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    at_once.put_many(nobody, none, none, still, Courses(none, none))
    expected, found = (each.reach(spots[0], 900.0) for each in (one_by_one, at_once))
    assert sorted(found[0].tolist()) == sorted(expected[0].tolist()) == [0, 1, 2]
    assert sorted(found[1].eta_s.tolist()) == sorted(expected[1].eta_s.tolist())
