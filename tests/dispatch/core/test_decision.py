"""The draft of a decision: every change logs itself and addresses the mail it means."""

from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.core.decision import ENGINE, MAIL_LIFE, Draft, Errand
from dispatch.core.errors import Conflict, NotFound, Refusal, Taken
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import Trigger
from geo.eta import Quality
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import AssignmentKind, AssignmentState, Case, OfferState, Role, Status
from schemas.plan import Need, Plan
from schemas.wire import (
    AssignEnd,
    AssignEndWhy,
    AssignFrame,
    AssignUpdate,
    OfferEnd,
    OfferEndWhy,
    OfferFrame,
    OfferUpdate,
)
from tests.dispatch.core.cases import (
    START,
    NearbyUnits,
    at,
    context,
    crowd,
    draft,
    incident,
    offer,
    phone_of,
    task,
)

TWO_NEEDS = (Need(role="aed"), Need(role="first_aid"))


def logged(subject: Draft) -> list[Event]:
    """Return the kinds of fact a draft wrote down."""
    return [entry.type for entry in subject.entries]


# What stands. ------------------------------------------------------------------------------------


def test_offers_that_may_still_be_answered_are_live() -> None:
    """Open and lapsed ones, in the order they were sent."""
    offers = tuple(offer(f"o{n}", state=state) for n, state in enumerate(OfferState))
    assert [o.state for o in draft(offers).live_offers()] == ["open", "lapsed"]


def test_assignments_that_have_not_ended_are_live() -> None:
    """From assigned to controlled."""
    tasks = tuple(task(f"a{n}", state=state) for n, state in enumerate(AssignmentState))
    live = ["assigned", "en_route", "arrived", "controlled"]
    assert [t.state for t in draft((), tasks).live_tasks()] == live


def test_a_slot_is_held_by_its_live_primary() -> None:
    """Not by a backup, nor by one that has ended."""
    subject = draft(
        (),
        (
            task("a1", role=Role.BACKUP),
            task("a2", state=AssignmentState.ABORTED),
            task("a3"),
            task("a4", slot=1, role=Role.BACKUP),
        ),
        needs=TWO_NEEDS,
    )
    holder = subject.holder(0)
    assert holder is not None
    assert holder.id == "a3"
    assert subject.holder(1) is None
    assert subject.free_slots() == [1]


@pytest.mark.parametrize(
    ("state", "free"),
    [
        (AssignmentState.ASSIGNED, [1]),
        (AssignmentState.CONTROLLED, [1]),
        (AssignmentState.RESOLVED, [1]),
        (AssignmentState.ABORTED, [0, 1]),
        (AssignmentState.RELEASED, [0, 1]),
        (AssignmentState.OVERTAKEN, [0, 1]),
    ],
)
def test_a_slot_is_free_again_unless_its_holder_finished(
    state: AssignmentState, free: list[int]
) -> None:
    """Who has done his task leaves no hole behind; who broke it off does."""
    subject = draft((), (task(state=state),), needs=TWO_NEEDS)
    assert subject.free_slots() == free
    assert subject.filled_before() == ({0} if state is AssignmentState.RESOLVED else set())


@pytest.mark.parametrize(("offer_id", "unit_id"), [("o1", "u2"), ("o9", "u1"), ("", "")])
def test_another_units_offer_is_as_unknown_as_one_that_never_was(
    offer_id: str, unit_id: str
) -> None:
    """The answer does not tell which."""
    with pytest.raises(NotFound) as caught:
        draft((offer(),)).offer_to(OfferId(offer_id), UnitId(unit_id))
    assert (caught.value.detail, caught.value.path) == ("no such offer", "oid")


@pytest.mark.parametrize(("task_id", "unit_id"), [("a1", "u2"), ("a9", "u1"), ("", "")])
def test_another_units_task_is_as_unknown_as_one_that_never_was(task_id: str, unit_id: str) -> None:
    """The answer does not tell which."""
    with pytest.raises(NotFound) as caught:
        draft((), (task(),)).task_of(AssignmentId(task_id), UnitId(unit_id))
    assert (caught.value.detail, caught.value.path) == ("no such assignment", "aid")


def test_a_unit_finds_its_own() -> None:
    """By the id and its own name."""
    subject = draft((offer(),), (task(),))
    assert subject.offer_to(OfferId("o1"), UnitId("u1")) == offer()
    assert subject.task_of(AssignmentId("a1"), UnitId("u1")) == task()


# What changes. -----------------------------------------------------------------------------------


def test_an_entry_says_who_by_what_way_and_when() -> None:
    """The actor of the moment; the engine, once it has taken over."""
    subject = draft(moment=context(at(7), actor=phone_of("u1")))
    subject.log(Event.SEEN, UnitId("u1"), offer="o1")
    subject.actor = ENGINE
    subject.log(Event.SHORTFALL)
    assert subject.entries == [
        Entry(
            type=Event.SEEN,
            by="member-of-u1",
            via="app",
            at=at(7),
            unit_id=UnitId("u1"),
            data={"offer": "o1"},
        ),
        Entry(type=Event.SHORTFALL, by="engine", via="engine", at=at(7)),
    ]


def test_a_step_of_the_incident_is_logged_with_both_ends() -> None:
    """And brings its other changes with it."""
    subject = draft(status=Status.RESOLVED)
    subject.move(Trigger.CLOSE, result="settled")
    assert (subject.incident.status, subject.incident.result) == (Status.CLOSED, "settled")
    assert subject.entries[0].data == {"before": "resolved", "after": "closed", "trigger": "close"}


def test_an_illegal_step_changes_nothing() -> None:
    """No state, no entry, no mail."""
    subject = draft((offer(state=OfferState.TAKEN),), (task(),), status=Status.CLOSED)
    with pytest.raises(Conflict):
        subject.move(Trigger.CANCEL)
    with pytest.raises(Taken):
        subject.move_offer(offer(state=OfferState.TAKEN), Trigger.ACCEPT, Event.ACCEPTED)
    with pytest.raises(Conflict):
        subject.move_task(task(), Trigger.CONTROL)
    with pytest.raises(Conflict):
        subject.end_task(task(), Trigger.RESOLVE, AssignEndWhy.RESOLVED)
    assert (subject.incident.status, subject.entries, subject.mail) == (Status.CLOSED, [], [])
    assert subject.tasks == {"a1": task()}


def test_asking_writes_the_offer_its_entry_and_its_mail() -> None:
    """ETA and metres to a tenth; lapse and hard end by the plan; mail until the hard end."""
    plan = Plan(ttl_s=15, exp_s=120)
    subject = draft(moment=context(at(5), crowd(1, 61.26), plan))
    candidate = subject.context.field.candidates(Need(), 180, frozenset()).candidates[0]
    asked = subject.ask(candidate, 0, 180)
    assert subject.offers == {asked.id: asked}
    assert asked == offer(
        asked.id,
        unit_id=UnitId("u1"),
        eta_s=61.3,
        distance_m=85.8,
        sent_at=at(5),
        lapse_at=at(20),
        exp_at=at(125),
    )
    assert logged(subject) == [Event.OFFERED]
    assert subject.entries[0].unit_id == "u1"
    assert subject.entries[0].data == {
        "offer": asked.id,
        "slot": 0,
        "eta_s": 61.3,
        "ring_s": 180,
        "quality": Quality.STRAIGHT_LINE,
    }
    (mail,) = subject.mail
    assert isinstance(mail.frame, OfferFrame)
    assert (mail.unit_id, mail.ref, mail.at) == ("u1", asked.id, at(5))
    assert (mail.expires_at, mail.not_to) == (at(125), None)


@pytest.mark.parametrize(
    ("trigger", "event", "state", "ended"),
    [
        (Trigger.LAPSE, Event.LAPSED, OfferState.LAPSED, None),
        (Trigger.DECLINE, Event.DECLINED, OfferState.DECLINED, at(30)),
    ],
)
def test_an_offer_is_over_when_its_state_is_final(
    trigger: Trigger, event: Event, state: OfferState, ended: object
) -> None:
    """A lapsed one is not over yet; nothing is mailed."""
    subject = draft((offer(),), moment=context(at(30)))
    moved = subject.move_offer(offer(), trigger, event, why="busy")
    assert (moved.state, moved.ended_at) == (state, ended)
    assert subject.offers[OfferId("o1")] is moved
    assert subject.entries[0].data == {"offer": "o1", "before": "open", "why": "busy"}
    assert subject.mail == []


def test_ending_an_offer_tells_its_unit_why() -> None:
    """All its phones."""
    subject = draft((offer(),))
    subject.end_offer(offer(), Trigger.TAKE, Event.TAKEN, OfferEndWhy.TAKEN)
    (mail,) = subject.mail
    assert mail.frame == OfferEnd(oid="o1", why=OfferEndWhy.TAKEN)
    assert (mail.unit_id, mail.ref, mail.not_to) == ("u1", "o1", None)
    assert mail.expires_at == START + MAIL_LIFE


def test_seeing_an_offer_is_a_fact_beside_its_state() -> None:
    """It is written down and moves nothing."""
    subject = draft((offer(),), moment=context(at(3)))
    subject.see_offer(offer())
    (seen,) = subject.live_offers()
    assert (seen.state, seen.seen_at) == (OfferState.OPEN, at(3))
    assert logged(subject) == [Event.SEEN]


@pytest.mark.parametrize(
    ("note", "outcome", "words"),
    [
        ("wet stairs", "", {"note": "wet stairs"}),
        ("", "rescued", {"outcome": "rescued"}),
        ("wet", "rescued", {"note": "wet", "outcome": "rescued"}),
    ],
)
def test_words_are_kept_beside_the_step_just_logged(
    note: str, outcome: str, words: dict[str, str]
) -> None:
    """Only those that were said."""
    subject = draft()
    subject.log(Event.OPENED)
    subject.log(Event.PROGRESSED, state="arrived")
    subject.annotate(note, outcome)
    assert subject.entries[0].data == {}
    assert subject.entries[1].data == {"state": "arrived", **words}


def test_an_answered_offer_becomes_the_units_task() -> None:
    """In the slot that was found for it, by whoever answered, and the unit gets its papers."""
    subject = draft((offer(),), moment=context(at(10), actor=phone_of("u1")), needs=TWO_NEEDS)
    made = subject.assign(offer(), 1, 61.26, ("m1", "m2"))
    assert made == task(
        made.id,
        unit_id=UnitId("u1"),
        offer_id=OfferId("o1"),
        slot=1,
        kind=AssignmentKind.OFFER,
        eta_s=61.3,
        arrive_at=at(71.26),
        assigned_at=at(10),
        ring_s=180,
        crew=("m1", "m2"),
    )
    assert subject.tasks == {made.id: made}
    assert logged(subject) == [Event.ASSIGNED]
    (mail,) = subject.mail
    assert isinstance(mail.frame, AssignFrame)
    assert (mail.unit_id, mail.ref, mail.not_to) == ("u1", made.id, None)


def test_a_changed_task_is_a_new_revision_and_its_other_phones_learn_it() -> None:
    """The phone that said so knows already."""
    subject = draft((), (task(),), moment=context(at(9), actor=phone_of("u1")))
    moved = subject.move_task(task(), Trigger.DEPART, en_route_at=at(8))
    assert (moved.state, moved.rev, moved.en_route_at) == (AssignmentState.EN_ROUTE, 2, at(8))
    assert subject.entries[0].type is Event.PROGRESSED
    assert subject.entries[0].data == {"assignment": "a1", "state": "en_route", "role": "primary"}
    (mail,) = subject.mail
    assert isinstance(mail.frame, AssignUpdate)
    assert not mail.frame.alert
    assert mail.not_to == "phone-of-u1"


def test_a_quiet_change_is_logged_and_not_mailed() -> None:
    """That a human saw his task interests the desk, not his colleagues."""
    subject = draft((), (task(),))
    subject.change_task(task(), Event.TASK_SEEN, quiet=True, seen_at=at(4))
    assert (logged(subject), subject.mail) == ([Event.TASK_SEEN], [])


def test_a_change_that_must_be_noticed_rings() -> None:
    """`alert` goes through to the frame."""
    subject = draft((), (task(),))
    subject.change_task(task(), Event.PROMOTED, alert=True, role=Role.PRIMARY)
    frame = subject.mail[0].frame
    assert isinstance(frame, AssignUpdate)
    assert frame.alert


@pytest.mark.parametrize("is_partial", [True, False])
def test_a_unit_is_called_back_by_a_whole_picture_only(is_partial: bool) -> None:
    """What is put off is said, so that it is looked at again."""
    moment = replace(context(), partial=is_partial)
    subject = draft((), (task("a1"),), moment=moment)
    subject.call_back(task("a1"), Trigger.OVERTAKE, AssignEndWhy.OVERTAKEN)
    decision = subject.decision(None)
    assert decision.put_off is is_partial
    assert (decision.case.assignments[0].ended_at is None) is is_partial
    assert (decision.mail == ()) is is_partial


def test_ending_a_task_tells_its_unit_why() -> None:
    """All its phones, as a new revision."""
    subject = draft((), (task(),), moment=context(at(50)))
    ended = subject.end_task(task(), Trigger.RELEASE, AssignEndWhy.RELEASED, seen_at=at(1))
    assert (ended.state, ended.rev, ended.ended_at) == (AssignmentState.RELEASED, 2, at(50))
    assert ended.seen_at == at(1)
    assert subject.entries[0].data == {"assignment": "a1", "why": "released"}
    (mail,) = subject.mail
    assert mail.frame == AssignEnd(aid="a1", why=AssignEndWhy.RELEASED)


def test_colleagues_stop_ringing_when_one_has_answered() -> None:
    """Every phone of the unit but the one that did."""
    subject = draft((offer(),), moment=context(actor=phone_of("u1")))
    subject.tell_colleagues(offer())
    (mail,) = subject.mail
    assert mail.frame == OfferEnd(oid="o1", why=OfferEndWhy.ANSWERED)
    assert (mail.unit_id, mail.not_to) == ("u1", "phone-of-u1")


def test_who_is_being_asked_learns_what_is_new() -> None:
    """As a new revision with the newest ETA, or the one it had; until the hard end."""
    subject = draft((offer("o1"), offer("o2")))
    subject.renew_offer(offer("o1"), alert=True, eta_s=70.06)
    subject.renew_offer(offer("o2"), alert=False)
    assert [(o.rev, o.eta_s) for o in subject.live_offers()] == [(2, 70.1), (2, 100.0)]
    frames = [mail.frame for mail in subject.mail]
    assert [f.alert for f in frames if isinstance(f, OfferUpdate)] == [True, False]
    assert {mail.expires_at for mail in subject.mail} == {at(300)}
    assert subject.entries == []


@pytest.mark.parametrize(
    ("facts", "units", "arrive_s"),
    [
        ({}, {"u1": 40.0}, 50),
        ({}, {}, 100),
        ({"arrived_at": at(5), "state": AssignmentState.ARRIVED}, {"u1": 40.0}, 100),
    ],
)
def test_who_is_on_his_way_learns_what_is_new(
    facts: dict[str, Any], units: dict[str, float], arrive_s: float
) -> None:
    """His arrival is reckoned anew, unless he is there or nobody knows where he is."""
    own = task(**facts)
    subject = draft((), (own,), moment=context(at(10), NearbyUnits(units)))
    subject.renew_task(own, alert=True)
    (renewed,) = subject.live_tasks()
    assert (renewed.rev, renewed.arrive_at) == (2, at(arrive_s))
    (mail,) = subject.mail
    assert isinstance(mail.frame, AssignUpdate)
    assert mail.frame.alert
    assert mail.not_to is None


def test_an_order_is_a_task_without_an_offer() -> None:
    """By whoever gave it."""
    subject = draft(moment=context(at(10)), needs=TWO_NEEDS)
    made = subject.order(UnitId("u7"), 1, 61.26, Role.BACKUP)
    assert made == task(
        made.id,
        unit_id=UnitId("u7"),
        slot=1,
        kind=AssignmentKind.ORDER,
        role=Role.BACKUP,
        eta_s=61.3,
        arrive_at=at(71.26),
        assigned_at=at(10),
        by="operator-1",
    )
    assert subject.entries[0].data == {
        "assignment": made.id,
        "offer": None,
        "slot": 1,
        "eta_s": 61.3,
    }
    assert isinstance(subject.mail[0].frame, AssignFrame)


def test_what_was_done_before_a_reopening_leaves_every_slot_free() -> None:
    """Only who was assigned since has filled one."""
    before = task("a1", state=AssignmentState.RESOLVED)
    since = task("a2", slot=1, state=AssignmentState.RESOLVED, assigned_at=at(60))
    subject = draft((), (before, since), needs=TWO_NEEDS, reopened_at=at(50))
    assert subject.filled_before() == {1}
    assert subject.free_slots() == [0]


# The outcome. ------------------------------------------------------------------------------------


def test_a_decision_holds_everything_that_was_changed() -> None:
    """The version is one higher; rows that are as before are not in it twice."""
    one, other = offer("o1"), offer("o2")
    first, second = task("a1"), task("a2", slot=1)
    subject = draft((one, other), (first, second), version=4, needs=TWO_NEEDS)
    subject.move_offer(other, Trigger.LAPSE, Event.LAPSED)
    subject.move_task(first, Trigger.DEPART)
    errand = Errand(incident_id=IncidentId("i2"), kind="order", unit_id=UnitId("u1"))
    subject.errands.append(errand)
    refusal = Refusal("no")
    decision = subject.decision(at(20), {"rev": 1}, refusal)
    assert decision.case.incident.version == 5
    assert [o.id for o in decision.case.offers] == ["o1", "o2"]
    assert [o.id for o in decision.offers] == ["o2"]
    assert [a.id for a in decision.assignments] == ["a1"]
    assert [e.type for e in decision.entries] == [Event.LAPSED, Event.PROGRESSED]
    assert [mail.ref for mail in decision.mail] == ["a1"]
    assert (decision.wake_at, decision.result) == (at(20), {"rev": 1})
    assert decision.refusal is refusal
    assert decision.errands == (errand,)
    assert decision.before is not None
    assert decision.before.incident.version == 4


def test_all_of_a_new_case_is_new() -> None:
    """There is nothing before it, and nothing to answer."""
    case = Case(incident=incident(), offers=(offer(),), assignments=(task(),))
    decision = Draft(case, context(), new=True).decision(None)
    assert decision.before is None
    assert decision.offers == case.offers
    assert decision.assignments == case.assignments
    assert (decision.result, decision.refusal, decision.wake_at) == ({}, None, None)


def test_who_is_barred_stays_as_it_was_but_for_that() -> None:
    """A person called the offer back: nothing is logged or mailed by the bar itself."""
    asked = offer("o1")
    changed = draft((asked,))
    changed.bar(asked.id)
    assert changed.offers[asked.id] == replace(asked, barred=True)
    assert (changed.entries, changed.mail) == ([], [])
