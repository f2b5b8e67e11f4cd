"""Where units stand."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.core.fixes import Fix
from dispatch.live.ground import COURSE_S, FRESH_S, Ground
from dispatch.live.table import Stayed
from geo.eta import Moves, StraightLine
from geo.point import Point
from geo.road_eta import RoadNetwork
from schemas.base import UnitId
from schemas.unit import Position, Unit, UnitKind
from tests.geo.net import net

HOME: Final = Point(113.27, 23.13)
NOW_S: Final = 1_700_000_000.0
STEP: Final = 0.0005
"""About 50 m to the east."""
LIMIT_S: Final = 1200.0
UNIT: Final = Unit(
    id=UnitId("u1"),
    code="U1",
    name="单元",
    kind=UnitKind.VILLAGE,
    juris="gz",
    lon=HOME.lon,
    lat=HOME.lat,
)


def ground(*units: Unit, roads: bool = False) -> Ground:
    """Return the ground on which some units stand."""
    road = tuple((float(n), 0.0) for n in range(-20, 21))
    made = Ground(RoadNetwork(net(road)) if roads else StraightLine())
    made.renew(len(units), Stayed(np.zeros(0, np.intp), np.zeros(0, np.intp)))
    for i, unit in enumerate(units):
        made.put(i, unit, None)
    made.stand_all(NOW_S)
    return made


def fix(at_s: float = NOW_S, steps: float = 0) -> Fix:
    """Return a position at an instant, so many steps east of home."""
    return Fix(lon=HOME.lon + steps * STEP, lat=HOME.lat, acc_m=5.0, at_s=at_s)


def position(at_s: float, steps: float) -> Position:
    """Return a position as the store keeps it."""
    at = datetime.fromtimestamp(at_s, UTC)
    return Position(unit_id=UNIT.id, lon=HOME.lon + steps * STEP, lat=HOME.lat, acc_m=5.0, at=at)


def east(standings: Ground, i: int = 0, now_s: float = NOW_S) -> float:
    """Return how many steps east of home a unit is found."""
    return round((standings.standing(i, now_s).place.lon - HOME.lon) / STEP, 3)


def found(standings: Ground, steps: float = 0) -> list[int]:
    """Return who reaches a place so many steps east of home in two minutes."""
    place = Point(HOME.lon + steps * STEP, HOME.lat)
    rows, reach = standings.reach(place, 120.0)
    return sorted(rows[reach.eta_s <= 120.0].tolist())


def test_a_unit_stands_at_home_until_a_fix_says_otherwise() -> None:
    """An older fix says nothing."""
    made = ground(UNIT)
    assert made.standing(0, NOW_S) == (HOME, None)
    made.fix(0, fix(NOW_S - 10, 1))
    made.fix(0, fix(NOW_S - 20, 2))
    assert made.standing(0, NOW_S) == (Point(HOME.lon + STEP, HOME.lat), 10.0)


def test_a_fix_that_is_old_counts_no_more() -> None:
    """To the very second."""
    made = ground(UNIT, UNIT)
    made.fix(1, fix(steps=1))
    until_s = NOW_S + FRESH_S
    assert made.fresh(until_s).tolist() == [False, True]
    assert [made.is_fresh(1, until_s + late_s) for late_s in (0, 1)] == [True, False]
    lons, lats = made.places(until_s)
    assert ((lons - HOME.lon) / STEP).round(3).tolist() == [0, 1]
    assert lats.tolist() == [HOME.lat] * 2
    assert made.places(until_s + 1)[0].tolist() == [HOME.lon] * 2


def test_the_newer_of_two_fixes_stays() -> None:
    """Whether it came from a phone or the store."""
    made = ground(UNIT)
    made.fix(0, fix(steps=1))
    made.put(0, UNIT, position(NOW_S - 1, 2))
    assert east(made) == 1
    made.put(0, UNIT, position(NOW_S + 1, 2))
    assert east(made) == 2


def test_who_stayed_has_the_fix_it_had() -> None:
    """Wherever its row is now."""
    made = ground(UNIT)
    made.fix(0, fix(steps=1))
    made.renew(2, Stayed(here=np.array([1]), there=np.array([0])))
    for i in range(2):
        made.put(i, UNIT, None)
    assert [east(made, i) for i in range(2)] == [0, 1]


def test_a_place_that_is_forgotten_is_home_again() -> None:
    """The next fix begins anew."""
    made = ground(UNIT)
    made.fix(0, fix(steps=1))
    made.forget(0)
    assert made.standing(0, NOW_S) == (HOME, None)
    made.fix(0, fix(NOW_S - 1, 2))
    assert made.standing(0, NOW_S) == (Point(HOME.lon + 2 * STEP, HOME.lat), 1.0)


def test_a_search_finds_units_where_they_stand_at_its_instant() -> None:
    """At home again when a fix is old, and back at it for an instant before."""
    made = ground(UNIT)
    made.fix(0, fix(steps=100))
    for late_s, at in ((0, [100]), (1, [0]), (1, [0]), (0, [100])):
        made.stand_by(NOW_S + FRESH_S + late_s)
        assert [steps for steps in (0, 100) if found(made, steps)] == at


def test_who_takes_longer_to_set_out_arrives_later() -> None:
    """By what its kind takes."""
    guard, school = UNIT, replace(UNIT, kind=UnitKind.SCHOOL)
    made = ground(guard, school)
    rows, reach = made.reach(HOME, LIMIT_S)
    more_s = made.table["later_s"].tolist()
    eta_s = dict(zip(rows.tolist(), reach.eta_s.tolist(), strict=True))
    assert eta_s[1] - eta_s[0] == pytest.approx(more_s[1] - more_s[0])


def test_positions_are_worked_off_where_a_model_has_work_with_them() -> None:
    """A straight line has none."""
    assert ground(UNIT).settle() == 0
    made = ground(UNIT, UNIT, roads=True)
    assert (made.settle(), made.settle()) == (2, 0)


@pytest.mark.parametrize(
    ("moves", "passed_s", "steps", "more_s"),
    [
        (Moves.CAR, 5.0, 1.0, 10.0),
        (Moves.CAR, COURSE_S + 1, 1.0, 0.0),
        (Moves.CAR, 5.0, 0.1, 0.0),
        (Moves.FOOT, 5.0, 1.0, 0.0),
    ],
)
def test_a_motor_on_the_move_is_asked_to_turn_round(
    moves: Moves, passed_s: float, steps: float, more_s: float
) -> None:
    """Not one that came hardly anywhere, or long ago; on foot nobody minds."""
    unit = replace(UNIT, moves=moves)
    made = ground(unit, unit, roads=True)
    for i, before in ((0, 4 + steps), (1, 4 - steps)):
        made.fix(i, fix(NOW_S, before))
        made.fix(i, fix(NOW_S + passed_s, 4))
    rows, reach = made.reach(HOME, LIMIT_S)
    eta_s = dict(zip(rows.tolist(), reach.eta_s.tolist(), strict=True))
    assert eta_s[1] - eta_s[0] == pytest.approx(more_s)


FIXES: Final = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-30, 30), st.integers(-800, 100)), max_size=12
)


@pytest.mark.parametrize("roads", [False, True], ids=["straight", "roads"])
@given(rounds=st.lists(FIXES, max_size=4))
def test_many_fixes_at_once_are_as_one_by_one(
    roads: bool, rounds: list[list[tuple[int, int, int]]]
) -> None:
    """Where units stand, which is newest, how they head, and who is found."""
    units = [replace(UNIT, id=UnitId(f"u{n}"), moves=m) for n, m in enumerate(MOVING)]
    single, many = ground(*units, roads=roads), ground(*units, roads=roads)
    for told in rounds:
        newest = {i: fix(NOW_S + later_s, steps) for i, steps, later_s in told}
        for i, one in newest.items():
            single.fix(i, one)
            single.take_in()
            many.fix(i, one)
    for name in ("lon", "lat", "acc_m", "fix_s"):
        assert single.table[name].tolist() == many.table[name].tolist()
    for now_s in (NOW_S, NOW_S + FRESH_S):
        single.stand_by(now_s)
        many.stand_by(now_s)
        for steps in (-10, 0, 10):
            place = Point(HOME.lon + steps * STEP, HOME.lat)
            assert told_of(single, place) == pytest.approx(told_of(many, place))


MOVING: Final = (Moves.FOOT, Moves.MOTORBIKE, Moves.CAR)


def told_of(made: Ground, place: Point) -> dict[int, float]:
    """Return the ETA of all who are in time."""
    rows, reach = made.reach(place, LIMIT_S)
    return dict(zip(rows.tolist(), reach.eta_s.tolist(), strict=True))
