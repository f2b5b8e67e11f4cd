"""The escalation ladder at its clocks, and when a case wakes next."""

from datetime import datetime
from typing import Any

import pytest

from dispatch.core.events import Event
from dispatch.core.ladder import PUT_OFF_S, climb, next_step, next_wake, step_at, take
from dispatch.core.plans import plan_for
from schemas.incident import AssignmentState, Mode, Offer, OfferState, Status
from schemas.plan import IncidentKind, Level, Need, Plan, Rung, Step
from schemas.wire import Reached
from tests.dispatch.core.cases import Story, at, context, crowd, draft, offer, task

PLAN = plan_for(IncidentKind.OTHER, 3)
LIFE = plan_for(IncidentKind.OTHER, 1)
TWO_STEPS = Plan(
    steps=(
        Step(after_s=30, rung=Rung.OPERATOR),
        Step(after_s=90, rung=Rung.STREET, until="arrived"),
    )
)


def rungs(story: Story) -> list[tuple[str, float]]:
    """Return what was escalated to so far, and when."""
    found = [entry for entry in story.entries if entry.type is Event.ESCALATED]
    return [(entry.data["rung"], (entry.at - at(0)).total_seconds()) for entry in found]


def test_where_nobody_comes_the_ladder_is_climbed_at_its_clocks() -> None:
    """60 s the operator, 120 s the police, 5 min the street force, 10 min the professionals."""
    story = Story(crowd(0), PLAN)
    story.wake_at_its_clocks(1000)
    assert rungs(story) == [
        ("operator", 60),
        ("police", 120),
        ("street", 300),
        ("professionals", 600),
    ]
    assert story.incident.level is Level.DISTRICT
    assert story.incident.step == len(PLAN.steps)


@pytest.mark.parametrize(
    ("seconds", "level"),
    [(119, Level.GRID), (120, Level.STREET), (300, Level.STREET), (600, Level.DISTRICT)],
)
def test_command_goes_up_with_the_ladder(seconds: float, level: Level) -> None:
    """The operator's alarm leaves it where it is."""
    story = Story(crowd(0), PLAN)
    story.wake_at_its_clocks(seconds)
    assert story.incident.level is level


def test_a_step_leaves_command_where_it_is_wider_already() -> None:
    """A person called the professionals; the police at 120 s take nothing from them."""
    story = Story(crowd(0), PLAN, level=Level.DISTRICT)
    story.wake_at_its_clocks(120)
    assert rungs(story)[-1] == ("police", 120)
    assert story.incident.level is Level.DISTRICT


def test_with_life_at_stake_the_police_are_called_with_the_first_offers() -> None:
    """In parallel, and for that reason."""
    story = Story(crowd(9), LIFE, priority=1)
    assert rungs(story) == [("police", 0)]
    assert story.entry(Event.ESCALATED).data["reason"] == "life at stake"
    assert story.asked()


def test_a_call_that_comes_late_escalates_at_once() -> None:
    """Clocks start at the call, however slow the feed was (mission, rule 12)."""
    story = Story(crowd(0), PLAN, late_s=130)
    assert rungs(story) == [("operator", 130), ("police", 130)]
    reasons = [entry.data["reason"] for entry in story.entries if entry.type is Event.ESCALATED]
    assert reasons == ["not accepted 60 s after the call", "not accepted 120 s after the call"]
    story.wake_at_its_clocks(200)
    assert rungs(story)[2:] == [("street", 300)]


def test_a_late_call_asks_the_wider_ring_at_once() -> None:
    """The step was due before the first offer."""
    story = Story(crowd(6, eta_s=170, apart_s=10), PLAN, late_s=60)
    assert story.incident.ring_s == 300
    assert story.asked() == ["u1", "u2", "u3"]


def test_whoever_has_accepted_stops_the_steps_that_wait_for_it() -> None:
    """But the street force comes when nobody has arrived after five minutes."""
    story = Story(crowd(3, eta_s=170), PLAN)
    story.accept("u1")
    story.wake_at_its_clocks(299)
    assert rungs(story) == []
    story.wake_at_its_clocks(1)
    assert rungs(story) == [("street", 300)]
    assert story.entry(Event.ESCALATED).data["reason"] == "not arrived 300 s after the call"


def test_whoever_has_arrived_stops_the_rest() -> None:
    """Their clocks pass without a word."""
    story = Story(crowd(3), PLAN)
    story.accept("u1")
    story.arrive("u1")
    story.wake_at_its_clocks(700)
    assert rungs(story) == []
    assert story.incident.step == len(PLAN.steps)


def test_the_wider_ring_is_asked_after_a_minute_without_an_answer() -> None:
    """The near ones stay silent, always three of them, so the ones further off are asked too."""
    story = Story(crowd(30, eta_s=60, apart_s=5), PLAN)
    story.wake_at_its_clocks(59)
    assert story.incident.ring_s == 180
    story.wake_at_its_clocks(1)
    assert story.incident.ring_s == 300
    (widened,) = [entry for entry in story.entries if entry.type is Event.WIDENED]
    assert widened.at == at(60)
    assert widened.data == {
        "before_s": 180,
        "after_s": 300,
        "reason": "not accepted 60 s after the call",
    }


def test_a_ring_that_is_as_wide_already_is_not_widened_again() -> None:
    """Nothing is written down for it."""
    subject = draft(moment=context(at(60), plan=PLAN), ring_s=300)
    take(subject, PLAN.steps[0])
    assert (subject.entries, subject.incident.ring_s) == ([], 300)


def test_a_ring_is_not_widened_for_slots_that_are_held() -> None:
    """There is nobody to be asked for."""
    subject = draft((), (task(),), moment=context(at(60), plan=PLAN))
    take(subject, PLAN.steps[0])
    assert (subject.entries, subject.incident.ring_s) == ([], 180)


@pytest.mark.parametrize(
    ("status", "step", "rung"),
    [
        (Status.OPEN, 0, Rung.OPERATOR),
        (Status.DISPATCHING, 1, Rung.STREET),
        (Status.RESPONDING, 1, Rung.STREET),
        (Status.ON_SCENE, 0, Rung.OPERATOR),
        (Status.OPEN, 2, None),
        (Status.REPORTED, 0, None),
        (Status.CONTROLLED, 0, None),
        (Status.RESOLVED, 0, None),
        (Status.CANCELLED, 0, None),
    ],
)
def test_there_is_a_next_step_while_units_are_wanted(
    status: Status, step: int, rung: Rung | None
) -> None:
    """And while the ladder has one."""
    subject = draft(moment=context(plan=TWO_STEPS), status=status, step=step)
    found = next_step(subject)
    assert (found.rung if found else None) is rung


def test_a_step_is_due_so_long_after_the_call() -> None:
    """Not after the opening, which may be later."""
    subject = draft(moment=context(at(50), plan=TWO_STEPS), opened_at=at(50))
    assert step_at(subject, TWO_STEPS.steps[0]) == at(30)


def test_the_clocks_of_what_was_reopened_start_again() -> None:
    """At the reopening, for nobody has come since."""
    subject = draft(moment=context(at(950), plan=TWO_STEPS), reopened_at=at(900))
    assert step_at(subject, TWO_STEPS.steps[0]) == at(930)


@pytest.mark.parametrize(("seconds", "steps"), [(29.9, 0), (30, 1), (89, 1), (90, 2), (5000, 2)])
def test_every_step_whose_clock_has_come_is_taken(seconds: float, steps: int) -> None:
    """Several at once, when there was no time in between."""
    subject = draft(moment=context(at(seconds), plan=TWO_STEPS))
    climb(subject)
    assert subject.incident.step == steps
    assert [entry.data["rung"] for entry in subject.entries] == ["operator", "street"][:steps]


def test_a_step_that_came_too_late_is_passed_over() -> None:
    """Its condition is met: it is behind us, and nothing is written down."""
    subject = draft(
        (), (task(arrived_at=at(20)),), moment=context(at(100), plan=TWO_STEPS), arrived_at=at(20)
    )
    climb(subject)
    assert (subject.incident.step, subject.entries) == (2, [])


def test_a_rung_without_a_level_leaves_command_where_it_is() -> None:
    """The operator is everywhere."""
    subject = draft(moment=context(plan=TWO_STEPS), level=Level.CITY)
    take(subject, TWO_STEPS.steps[0])
    assert subject.incident.level is Level.CITY


# When a case wakes next. -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "facts", "wake"),
    [
        ((), {"step": 2}, None),
        ((), {}, at(30)),
        ((), {"step": 1}, at(90)),
        ((), {"step": 2, "search_at": at(10)}, at(10)),
        ((), {"step": 2, "search_at": at(10), "mode": Mode.MANUAL}, None),
        ((), {"step": 2, "search_at": at(10), "mode": Mode.ASSIST}, None),
        ((), {"step": 2, "search_at": at(10), "status": Status.CONTROLLED}, None),
        ((offer("o1"),), {}, at(20)),
        ((offer("o1"),), {"search_at": at(10)}, at(10)),
        ((offer("o1"), offer("o2", lapse_at=at(12))), {}, at(12)),
        ((offer("o1", state=OfferState.LAPSED),), {}, at(30)),
        ((offer("o1", state=OfferState.LAPSED),), {"step": 2}, at(302)),
        ((offer("o1", exp_at=at(5)),), {"step": 2}, at(7)),
        ((offer("o1", state=OfferState.TAKEN),), {"step": 2}, None),
        ((offer("o1"),), {"status": Status.CONTROLLED}, at(20)),
        ((), {"status": Status.RESOLVED}, None),
    ],
)
def test_a_case_wakes_at_its_nearest_clock(
    offers: tuple[Offer, ...], facts: dict[str, Any], wake: datetime | None
) -> None:
    """Lapse, hard end and two seconds, step of the ladder, search: whichever is first."""
    subject = draft(offers, moment=context(plan=TWO_STEPS), **facts)
    assert next_wake(subject) == wake


def test_a_case_in_which_something_was_put_off_wakes_soon() -> None:
    """However far its other clocks are, and whichever process looks at it then."""
    subject = draft((offer("o1", lapse_at=at(200), exp_at=at(400)),), moment=context(at(100)))
    assert next_wake(subject) == at(200)
    subject.put_off = True
    assert next_wake(subject) == at(100 + PUT_OFF_S)


def test_a_case_that_is_over_sleeps() -> None:
    """Whatever clocks it had."""
    story = Story(crowd(3), PLAN)
    story.accept("u1")
    for reached in (Reached.ARRIVED, Reached.CONTROLLED, Reached.RESOLVED):
        story.report("u1", reached)
    assert story.incident.status is Status.RESOLVED
    assert story.last.wake_at is None


def test_a_controlled_case_with_a_slot_nobody_could_be_found_for_sleeps_too() -> None:
    """It wants no more units, so its search has no clock."""
    story = Story(crowd(1), Plan(needs=(Need(), Need())))
    story.accept("u1")
    assert story.incident.search_at is not None
    story.arrive("u1")
    story.report("u1", Reached.CONTROLLED)
    assert story.task("u1").state is AssignmentState.CONTROLLED
    assert story.last.wake_at is None
