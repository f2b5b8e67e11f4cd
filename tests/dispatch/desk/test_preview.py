"""Who would be asked, without asking."""

from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.core.decision import ENGINE, Context
from dispatch.desk.preview import preview
from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from geo.datum import Datum
from geo.eta import Quality, StraightLine
from geo.point import Point
from schemas.base import IncidentId, UnitId
from schemas.incident import Incident, Status
from schemas.plan import IncidentKind, Need, Plan
from schemas.rest import Candidates
from schemas.unit import Capability, Unit, UnitKind, UnitRow
from tests.fakes import START, ManualClock

SCENE = Point(113.27, 23.13)
NEAR, WIDE, FAR = 0.0002, 0.0018, 0.02
"""Some 20, 180 and 2,000 m to the east: inside 180 s, inside 300 s, outside both, on foot."""
AED = Need(role="aed", capabilities=(Capability.AED,))
ANYBODY = Need()


def row(number: int, east: float, *capabilities: Capability, **facts: Any) -> UnitRow:
    """Return unit n on duty, so far to the east."""
    unit = Unit(
        id=UnitId(f"u{number:02}"),
        code=f"U{number}",
        name=f"单元 {number}",
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=SCENE.lon + east,
        lat=SCENE.lat,
        capabilities=capabilities,
    )
    return replace(UnitRow(unit=unit, on_duty=1), **facts)


def shown(*rows: UnitRow, plan: Plan = Plan(), needs: tuple[Need, ...] = (ANYBODY,)) -> Candidates:  # noqa: B008 - a plan never changes
    """Return the preview of an incident at the scene."""
    fleet = Fleet(StraightLine())
    fleet.load(rows, START.timestamp())
    incident = Incident(
        id=IncidentId("i1"),
        kind=IncidentKind.OTHER,
        priority=2,
        lon=SCENE.lon,
        lat=SCENE.lat,
        given_lon=SCENE.lon,
        given_lat=SCENE.lat,
        given_datum=Datum.WGS84,
        juris="gz",
        title="有人摔倒",
        status=Status.REPORTED,
        called_at=START,
        opened_at=START,
        needs=needs,
        ring_s=plan.ring_s,
    )
    context = Context(
        now=START,
        actor=ENGINE,
        plan=plan,
        field=FleetField(fleet, SCENE, START.timestamp()),
        new_id=ManualClock().new_id,
    )
    return preview(incident, context, fleet)


def ids(answer: Candidates) -> list[str]:
    """Return who would be asked, in order."""
    return [candidate.unit_id for candidate in answer.candidates]


def test_the_best_of_the_ring_would_be_asked() -> None:
    """As many as the plan asks; what was searched is said."""
    answer = shown(*(row(n, NEAR * n) for n in range(1, 6)))
    assert ids(answer) == ["u01", "u02", "u03"]
    assert (answer.ring_s, answer.shortfall, answer.left_out) == (180, None, {})
    assert answer.quality is Quality.STRAIGHT_LINE
    assert {c.reasons for c in answer.candidates} == {("home_post",)}


def test_each_would_come_with_a_chance() -> None:
    """And together they have a better one."""
    answer = shown(row(1, NEAR), row(2, NEAR))
    assert all(0.39 < candidate.p <= 0.4 for candidate in answer.candidates)
    assert answer.p_arrive == pytest.approx(0.64, abs=0.01)


def test_who_is_left_out_is_counted_by_reason() -> None:
    """With the reason most often met as the shortfall."""
    answer = shown(row(1, NEAR), row(2, NEAR, on_duty=0), row(3, NEAR, on_duty=0))
    assert ids(answer) == ["u01"]
    assert answer.left_out == {"off_duty": 2}
    assert answer.shortfall == "off_duty"


def test_an_empty_ring_is_skipped_at_once() -> None:
    """The wider one is searched, and named."""
    answer = shown(row(1, WIDE))
    assert (ids(answer), answer.ring_s) == (["u01"], 300)


def test_with_nobody_near_the_chance_is_none() -> None:
    """And it is said how far was searched."""
    answer = shown(row(1, FAR))
    assert (ids(answer), answer.p_arrive) == ([], 0.0)
    assert (answer.ring_s, answer.shortfall) == (300, "no_unit_within_300_s")


def test_one_unit_is_shown_for_one_slot() -> None:
    """The second need takes others; the worst chance of all is the answer's."""
    rows = [row(n, NEAR, Capability.AED) for n in (1, 2, 3, 4)]
    answer = shown(*rows, needs=(AED, ANYBODY))
    assert [(c.unit_id, c.slot) for c in answer.candidates] == [
        ("u01", 0),
        ("u02", 0),
        ("u03", 0),
        ("u04", 1),
    ]
    assert answer.p_arrive == pytest.approx(0.4, abs=0.01)
    assert answer.shortfall == "all_asked"


def test_where_life_is_at_stake_more_would_be_asked() -> None:
    """Enough for the aim, never more than the most of the plan."""
    rows = [row(n, NEAR) for n in range(1, 20)]
    assert len(ids(shown(*rows, plan=Plan(aim_p=0.95)))) == 6
    assert len(ids(shown(*rows, plan=Plan(aim_p=0.98, most=8)))) == 8
    assert len(ids(shown(*rows, plan=Plan(aim_p=0.1)))) == 3
