"""The ways of units: what fixes prove is told once."""

from typing import Any

from dispatch.core.fixes import Fix
from dispatch.live.ways import Ways
from schemas.base import AssignmentId, UnitId
from schemas.incident import Assignment, AssignmentState, Incident
from schemas.wire import Reached
from tests.dispatch.core.cases import incident, task

U1 = UnitId("u1")
SCENE = incident()


def fix(north: float, at_s: float) -> Fix:
    """Return a fix so many degrees north of the scene."""
    return Fix(lon=SCENE.lon, lat=SCENE.lat + north, acc_m=5.0, at_s=at_s)


def one(name: str = "a1", **facts: Any) -> list[tuple[Incident, Assignment]]:
    """Return a unit's one task."""
    return [(SCENE, task(name, **facts))]


def steps(found: list[tuple[Incident, Assignment, Reached]]) -> list[tuple[str, Reached]]:
    """Return the tasks and the steps that were proved."""
    return [(own.id, step) for _, own, step in found]


def test_a_step_is_told_once() -> None:
    """Though every fix after it proves it again."""
    ways = Ways()
    assert ways.take(U1, fix(0.01, 0), one()) == []
    assert steps(ways.take(U1, fix(0.005, 30), one())) == [("a1", Reached.EN_ROUTE)]
    assert ways.take(U1, fix(0.004, 33), one()) == []
    there = one(state=AssignmentState.EN_ROUTE)
    assert ways.take(U1, fix(0.0, 60), there) == []
    assert steps(ways.take(U1, fix(0.0, 70), there)) == [("a1", Reached.ARRIVED)]
    assert ways.take(U1, fix(0.0, 73), there) == []


def test_a_step_that_could_not_be_written_down_is_told_again() -> None:
    """By the next fix."""
    ways = Ways()
    ways.take(U1, fix(0.01, 0), one())
    assert ways.take(U1, fix(0.005, 30), one())
    ways.again(AssignmentId("a1"))
    assert steps(ways.take(U1, fix(0.004, 33), one())) == [("a1", Reached.EN_ROUTE)]


def test_a_task_that_is_over_is_forgotten() -> None:
    """The next one begins where the unit stands now."""
    ways = Ways()
    ways.take(U1, fix(0.01, 0), one())
    assert ways.take(U1, fix(0.005, 30), one())
    assert len(ways) == 1
    assert ways.take(U1, fix(0.004, 33), one("a2")) == []
    assert ways.take(U1, fix(0.004, 40), []) == []
    assert len(ways) == 0
    assert ways.take(U1, fix(0.0001, 43), one()) == []
