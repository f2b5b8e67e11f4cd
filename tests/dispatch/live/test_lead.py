"""Whose position is a unit's."""

from datetime import UTC, datetime

import pytest

from dispatch.core.fixes import Fix
from dispatch.live.lead import Places, lead_of, stands_for
from schemas.base import AssignmentId, IncidentId, MemberId, UnitId
from schemas.incident import Assignment, AssignmentKind, AssignmentState
from schemas.unit import Duty, Member

UNIT = UnitId("u1")
ONE, TWO, THREE = MemberId("m1"), MemberId("m2"), MemberId("m3")
OLD_S = 60.0
AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def member(name: MemberId, duty: Duty = Duty.ON, *, leader: bool = False) -> Member:
    """Return a member of the unit."""
    return Member(id=name, unit_id=UNIT, name=name, leader=leader, duty=duty)


def task(by: str, *crew: MemberId) -> Assignment:
    """Return a task of the unit."""
    return Assignment(
        id=AssignmentId("a1"),
        incident_id=IncidentId("i1"),
        unit_id=UNIT,
        slot=0,
        state=AssignmentState.EN_ROUTE,
        kind=AssignmentKind.OFFER,
        eta_s=60.0,
        arrive_at=AT,
        assigned_at=AT,
        by=by,
        crew=crew,
    )


def fix(at_s: float) -> Fix:
    """Return a fix of that second."""
    return Fix(lon=113.4, lat=23.1, acc_m=5.0, at_s=at_s)


# The lead. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crew", "tasks", "lead"),
    [
        ([member(ONE), member(TWO, leader=True)], [], TWO),
        ([member(ONE), member(TWO, leader=True)], [task("member:m1", ONE)], TWO),
        ([member(ONE), member(TWO, Duty.PAUSED, leader=True)], [task("member:m1", ONE)], ONE),
        ([member(ONE), member(TWO)], [task("member:m2", ONE)], TWO),
        ([member(ONE), member(TWO)], [task("key:k1", TWO, ONE)], TWO),
        ([member(ONE), member(TWO)], [task("key:k1"), task("member:m1")], ONE),
        ([member(ONE), member(TWO)], [task("key:k1")], None),
        ([member(ONE)], [], None),
        ([], [], None),
    ],
    ids=[
        "leader",
        "leader before accepter",
        "accepter while the leader pauses",
        "accepter",
        "first of the crew of an order",
        "the task that somebody accepted",
        "nobody of an order without a crew",
        "nobody at rest",
        "nobody at all",
    ],
)
def test_the_lead_is_the_leader_or_the_accepter(
    crew: list[Member], tasks: list[Assignment], lead: MemberId | None
) -> None:
    """A leader counts while clocked in."""
    assert lead_of(crew, tasks) == lead


@pytest.mark.parametrize(
    ("who", "tasks", "stands"),
    [
        (member(ONE), [], True),
        (member(ONE, Duty.PAUSED), [], True),
        (member(ONE, Duty.OFF), [], False),
        (member(ONE, Duty.OFF), [task("member:m2", TWO)], False),
        (member(ONE, Duty.OFF), [task("member:m1", ONE)], True),
        (None, [], False),
    ],
)
def test_who_is_at_home_is_not_where_the_unit_is(
    who: Member | None, tasks: list[Assignment], stands: bool
) -> None:
    """But for those who went out after all."""
    assert stands_for(who, tasks) is stands


# The place. --------------------------------------------------------------------------------------


def test_the_leads_position_is_the_units() -> None:
    """Another member's is kept as his own."""
    places = Places()
    assert places.take(UNIT, ONE, fix(100.0), ONE, OLD_S)
    assert not places.take(UNIT, TWO, fix(160.0), ONE, OLD_S)
    assert places.last(TWO) == fix(160.0)
    assert places.take(UNIT, ONE, fix(101.0), ONE, OLD_S)


def test_another_member_speaks_while_the_leads_position_is_old() -> None:
    """Until the lead is heard again."""
    places = Places()
    places.take(UNIT, ONE, fix(100.0), ONE, OLD_S)
    assert places.take(UNIT, TWO, fix(160.1), ONE, OLD_S)
    places.take(UNIT, ONE, fix(161.0), ONE, OLD_S)
    assert not places.take(UNIT, TWO, fix(162.0), ONE, OLD_S)


def test_a_unit_does_not_jump_from_one_member_to_the_next() -> None:
    """Who spoke first goes on, as long as he is heard."""
    places = Places()
    assert places.take(UNIT, TWO, fix(100.0), ONE, OLD_S)
    assert not places.take(UNIT, THREE, fix(110.0), ONE, OLD_S)
    assert places.take(UNIT, TWO, fix(120.0), ONE, OLD_S)
    assert places.take(UNIT, THREE, fix(181.0), ONE, OLD_S)


def test_a_unit_without_a_lead_stands_where_its_first_voice_is() -> None:
    """At rest nobody is more the unit than another."""
    places = Places()
    assert places.take(UNIT, TWO, fix(100.0), None, OLD_S)
    assert not places.take(UNIT, ONE, fix(101.0), None, OLD_S)


def test_what_a_member_takes_back_is_the_units_only_where_he_spoke_for_it() -> None:
    """Or where nobody can tell who did."""
    places = Places()
    assert places.forget(UNIT, ONE)
    places.take(UNIT, ONE, fix(100.0), ONE, OLD_S)
    places.keep(TWO, fix(100.0))
    assert not places.forget(UNIT, TWO)
    assert places.last(TWO) is None
    assert places.forget(UNIT, ONE)
    assert places.take(UNIT, TWO, fix(101.0), ONE, OLD_S)


def test_a_fix_may_be_a_members_alone() -> None:
    """He is at home; the unit is elsewhere."""
    places = Places()
    places.keep(ONE, fix(100.0))
    assert places.last(ONE) == fix(100.0)
    assert places.last(TWO) is None
    assert places.take(UNIT, TWO, fix(100.0), None, OLD_S)
