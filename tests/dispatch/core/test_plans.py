"""The response plans in force."""

import pytest

from dispatch.core.plans import NEEDS, plan_for
from schemas.plan import IncidentKind, Rung, Step
from schemas.unit import Capability

KINDS_AND_PRIORITIES = [(kind, priority) for kind in IncidentKind for priority in (1, 2, 3, 4)]
ROLES = {
    "water_rescue": {"water_rescue": {Capability.LIFE_BUOY}},
    "cardiac_arrest": {"aed": {Capability.AED}, "first_aid": {Capability.FIRST_AID}},
    "injury": {"first_aid": {Capability.FIRST_AID}},
    "illness": {"first_aid": {Capability.FIRST_AID}},
    "fire": {"fire": {Capability.EXTINGUISHER}},
    "violence": {"guard": {Capability.SHIELD}},
    "disturbance": {"guard": {Capability.SHIELD}},
}
IN_PAIRS = {"cardiac_arrest", "fire", "violence", "crowd"}


@pytest.mark.parametrize("kind", IncidentKind)
def test_every_kind_has_its_needs(kind: IncidentKind) -> None:
    """A role and what it brings; two units where one is not enough; else any responder."""
    needs = NEEDS[kind]
    assert {need.role: set(need.capabilities) for need in needs} == ROLES.get(
        kind, {"responder": set()}
    )
    assert len(needs) == (2 if kind in IN_PAIRS else 1)


@pytest.mark.parametrize(("kind", "priority"), KINDS_AND_PRIORITIES)
def test_every_plan_keeps_three_offers_out_for_twenty_seconds_in_the_first_ring(
    kind: IncidentKind, priority: int
) -> None:
    """And at most twelve a slot, with a hard end after five minutes (mission, rule 1)."""
    plan = plan_for(kind, priority)
    assert plan.needs == NEEDS[kind]
    assert (plan.k, plan.most, plan.ttl_s, plan.exp_s, plan.ring_s) == (3, 12, 20, 300, 180)


@pytest.mark.parametrize(("kind", "priority"), KINDS_AND_PRIORITIES)
def test_only_the_highest_priority_asks_for_near_certainty(
    kind: IncidentKind, priority: int
) -> None:
    """P(somebody there in 180 s) of 0.95 (mission, rule 2)."""
    plan = plan_for(kind, priority)
    assert plan.aim_p == (0.95 if priority == 1 else None)
    assert plan.aim_s == 180


@pytest.mark.parametrize("priority", [2, 3, 4])
def test_the_ladder_widens_at_the_five_clocks(priority: int) -> None:
    """60 s ring and operator, 120 s police, 5 min street force, 10 min professionals."""
    assert plan_for(IncidentKind.OTHER, priority).steps == (
        Step(after_s=60, rung=Rung.WIDEN, ring_s=300),
        Step(after_s=60, rung=Rung.OPERATOR),
        Step(after_s=120, rung=Rung.POLICE),
        Step(after_s=300, rung=Rung.STREET, until="arrived"),
        Step(after_s=600, rung=Rung.PROFESSIONALS, until="arrived"),
    )


def test_with_life_at_stake_the_police_are_called_at_once() -> None:
    """In parallel with the ring, and not once more at 120 s."""
    steps = plan_for(IncidentKind.WATER_RESCUE, 1).steps
    assert [(step.after_s, step.rung) for step in steps] == [
        (0, Rung.POLICE),
        (60, Rung.WIDEN),
        (60, Rung.OPERATOR),
        (300, Rung.STREET),
        (600, Rung.PROFESSIONALS),
    ]


@pytest.mark.parametrize(("kind", "priority"), KINDS_AND_PRIORITIES)
def test_the_steps_of_a_ladder_are_in_the_order_of_their_clocks(
    kind: IncidentKind, priority: int
) -> None:
    """They are taken one after another."""
    clocks = [step.after_s for step in plan_for(kind, priority).steps]
    assert clocks == sorted(clocks)
