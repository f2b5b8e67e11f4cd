"""Response plans as data."""

import msgspec
import pytest

from schemas.plan import IncidentKind, Level, Need, Plan, Rung, Step
from schemas.unit import Capability


def test_a_plan_comes_back_as_it_was() -> None:
    """Needs, steps and all."""
    plan = Plan(
        needs=(Need(role="aed", capabilities=(Capability.AED,)), Need()),
        aim_p=0.95,
        steps=(Step(after_s=60, rung=Rung.WIDEN, ring_s=300),),
    )
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_plan_nobody_said_more_of_keeps_three_of_twelve_for_twenty_seconds() -> None:
    """The defaults are the bounds of the mission's first rule."""
    plan = Plan()
    assert (plan.k, plan.most, plan.ring_s, plan.ttl_s, plan.exp_s) == (3, 12, 180, 20, 300)
    assert (plan.aim_p, plan.aim_s, plan.steps, plan.needs) == (None, 180, (), (Need(),))


def test_a_step_waits_for_an_answer_unless_it_says_otherwise() -> None:
    """Accepted is what most steps wait for."""
    assert Step(after_s=60, rung=Rung.OPERATOR).until == "accepted"


def test_a_need_nobody_said_more_of_is_any_responder() -> None:
    """A role, and nothing to bring."""
    assert Need() == Need(role="responder", capabilities=())


@pytest.mark.parametrize("raw", [b'{"after_s":1}', b'{"rung":"roof","after_s":1}', b'{"rung":1}'])
def test_a_step_needs_its_clock_and_a_known_rung(raw: bytes) -> None:
    """A plan with a mistake is refused when it is read, not when it is needed."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=Step)


def test_the_levels_go_from_the_nearest_to_the_widest() -> None:
    """Five of them, as the tree of jurisdictions has."""
    assert [level.value for level in Level] == ["grid", "village", "street", "district", "city"]


def test_the_kinds_are_those_a_client_may_send() -> None:
    """They are stored; one may be added, none renamed."""
    known = (
        "water_rescue cardiac_arrest injury illness fire traffic violence disturbance theft"
        " missing_person crowd flood hazard other"
    )
    assert set(known.split()) <= {kind.value for kind in IncidentKind}
