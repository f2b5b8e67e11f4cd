"""How near a unit has come, as its fixes tell: under way, and there."""

import pytest

from dispatch.core.approach import Approach, followed, reached
from dispatch.core.fixes import Fix
from geo.point import Point
from schemas.incident import AssignmentState
from schemas.wire import Reached

SCENE = Point(113.45, 23.1)
DEGREE_M = 110_770.0
"""A degree of latitude here."""


def fix(away_m: float, at_s: float = 0.0, acc_m: float = 5.0) -> Fix:
    """Return a fix so far north of the scene."""
    return Fix(lon=SCENE.lon, lat=SCENE.lat + away_m / DEGREE_M, acc_m=acc_m, at_s=at_s)


def after(*fixes: Fix, state: AssignmentState = AssignmentState.ASSIGNED) -> Reached | None:
    """Return what the last of some fixes proves."""
    way: Approach | None = None
    for one in fixes:
        way = followed(way, SCENE, one)
    assert way is not None
    return reached(way, state, fixes[-1])


@pytest.mark.parametrize(
    ("to_m", "acc_m", "step"),
    [
        (446, 5, None),
        (444, 5, Reached.EN_ROUTE),
        (444, 30, None),
        (415, 30, Reached.EN_ROUTE),
        (900, 5, None),
    ],
)
def test_who_came_fifty_metres_nearer_has_set_out(
    to_m: float, acc_m: float, step: Reached | None
) -> None:
    """By more than its fixes are wrong, and towards the scene."""
    assert after(fix(500), fix(to_m, 20, acc_m)) is step


@pytest.mark.parametrize(
    ("fixes", "step"),
    [
        ((fix(40), fix(40, 9.9)), None),
        ((fix(40), fix(40, 10)), Reached.ARRIVED),
        ((fix(54), fix(54, 10)), Reached.ARRIVED),
        ((fix(57), fix(57, 10)), None),
        ((fix(40), fix(90, 5), fix(40, 12)), None),
        ((fix(40), fix(90, 5), fix(40, 12), fix(20, 22)), Reached.ARRIVED),
        ((fix(40, acc_m=51), fix(40, 10, 51)), None),
        ((fix(99, acc_m=50), fix(99, 10, 50)), Reached.ARRIVED),
    ],
)
def test_who_stays_at_the_scene_for_ten_seconds_has_arrived(
    fixes: tuple[Fix, ...], step: Reached | None
) -> None:
    """Within 50 m and what the fix is wrong by; passing by is no arrival, nor is a bad fix."""
    assert after(*fixes) is step


@pytest.mark.parametrize("state", AssignmentState)
def test_only_a_step_that_lies_ahead_is_proved(state: AssignmentState) -> None:
    """What a person said is not said again by a fix."""
    there, moved = (fix(10), fix(10, 10)), (fix(500), fix(300, 10))
    before = {AssignmentState.ASSIGNED, AssignmentState.EN_ROUTE}
    assert (after(*there, state=state) is Reached.ARRIVED) is (state in before)
    assert (after(*moved, state=state) is Reached.EN_ROUTE) is (state is AssignmentState.ASSIGNED)


def test_a_corrected_place_begins_the_way_anew() -> None:
    """It was near another place."""
    way = followed(None, SCENE, fix(20))
    elsewhere = Point(SCENE.lon + 0.01, SCENE.lat)
    moved = followed(way, elsewhere, fix(20, 10))
    assert (moved.place, moved.there_since_s) == (elsewhere, None)
    assert moved.began_m > 900
    assert reached(moved, AssignmentState.ASSIGNED, fix(20, 10)) is None
