"""One function per command: what each changes, whom it tells, what it answers."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from dispatch.core import commands as c
from dispatch.core.decide import FOLLOWS, RULES, decide, open_case
from dispatch.core.decision import Actor
from dispatch.core.errors import Cancelled, Conflict, Expired, NotFound, Stale, Taken, Withdrawn
from dispatch.core.events import Event
from schemas.base import AssignmentId, DeviceId, OfferId, UnitId
from schemas.incident import (
    AssignmentKind,
    AssignmentState,
    Case,
    Concern,
    Offer,
    OfferState,
    Status,
)
from schemas.plan import Need, Plan
from schemas.wire import AssignUpdate, Reached
from tests.dispatch.core.cases import (
    START,
    NearbyUnits,
    Story,
    at,
    context,
    crowd,
    incident,
    offer,
    phone_of,
    task,
)

BY_FIXES = Actor(by="engine", via="gps")
PAIR = Plan(needs=(Need(), Need()))
R = Reached
S = Status
A = AssignmentState


def case(*, offers: tuple[Offer, ...] = (), tasks: tuple[Any, ...] = (), **facts: Any) -> Case:
    """Return a case as it could be loaded."""
    return Case(incident=incident(**facts), offers=offers, assignments=tasks)


def stands(story: Story) -> tuple[Status, list[str], list[str]]:
    """Return the states of the incident, its offers and its tasks."""
    return (
        story.incident.status,
        [o.state for o in story.case.offers],
        [a.state for a in story.case.assignments],
    )


# Opening. ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "priority", "status"),
    [
        (True, 4, S.DISPATCHING),
        (True, 1, S.DISPATCHING),
        (False, 1, S.DISPATCHING),
        (False, 2, S.DISPATCHING),
        (False, 3, S.REPORTED),
        (False, 4, S.REPORTED),
    ],
)
def test_a_feeds_lower_priorities_wait_for_triage(
    trusted: bool, priority: int, status: Status
) -> None:
    """Dispatchers' own and priorities 1 and 2 open at once, and units are asked."""
    story = Story(crowd(5), trusted=trusted, priority=priority, source="110")
    assert story.incident.status is status
    assert bool(story.case.offers) is (status is S.DISPATCHING)
    assert story.entry(Event.REPORTED).data == {"source": "110", "priority": priority}
    assert story.entry(Event.REPORTED).by == "operator-1"


def test_a_new_case_has_nothing_before_it_and_version_one() -> None:
    """What waits for triage has no clock either."""
    decision = open_case(c.Open(incident=incident(), trusted=False), context())
    assert decision.before is None
    assert decision.case.incident.version == 1
    assert (decision.wake_at, decision.result, decision.mail) == (
        None,
        {"iid": "i1"},
        (),
    )


def test_who_reports_a_thing_and_takes_it_on_has_it_at_once() -> None:
    """He is there: nobody else is asked, and he is told the number of his task."""
    opening = c.Open(incident=incident(), trusted=True, taken_on=UnitId("u7"))
    decision = open_case(opening, context(field=crowd(5), actor=phone_of("u7")))
    (own,) = decision.case.assignments
    assert (own.unit_id, own.kind, own.eta_s) == ("u7", AssignmentKind.ORDER, 0)
    assert decision.result == {"iid": "i1", "aid": own.id}
    assert decision.case.incident.status is S.RESPONDING
    assert decision.case.offers == ()


def test_opening_is_by_whoever_called_and_asking_is_by_the_engine() -> None:
    """The log tells them apart."""
    story = Story(crowd(5))
    assert {(e.type, e.by) for e in story.entries if e.type is not Event.STATUS} == {
        (Event.REPORTED, "operator-1"),
        (Event.OFFERED, "engine"),
    }


def test_triage_opens_what_was_reported_and_units_are_asked() -> None:
    """In the same decision; clocks have run since the call."""
    story = Story(crowd(5), trusted=False)
    story.pass_s(30)
    story.do(c.Triage(accept=True, why="a second call"))
    assert story.incident.status is S.DISPATCHING
    assert story.entry(Event.OPENED).data == {"why": "a second call"}
    assert story.asked() == ["u1", "u2", "u3"]


def test_triage_rejects_with_a_reason() -> None:
    """That is an end: nobody is asked, nothing wakes."""
    story = Story(crowd(5), trusted=False)
    story.do(c.Triage(accept=False, why="a test call"))
    assert stands(story) == (S.REJECTED, [], [])
    assert story.incident.ended_at == story.now
    assert story.entry(Event.REJECTED).data == {"why": "a test call"}
    assert story.last.wake_at is None


@pytest.mark.parametrize("accept", [True, False])
def test_only_what_is_reported_is_triaged(accept: bool) -> None:
    """An open incident is not opened again, nor rejected."""
    with pytest.raises(Conflict):
        Story(crowd(5)).do(c.Triage(accept=accept))


# Accepting. --------------------------------------------------------------------------------------


def test_the_first_accept_makes_the_incident_responding() -> None:
    """It answers with the task; the unit's other phones stop ringing, and get the task."""
    story = Story(crowd(3))
    decision = story.accept("u1", crew=("m1", "m2"))
    own = story.task("u1")
    assert stands(story) == (S.RESPONDING, ["accepted", "taken", "taken"], ["assigned"])
    assert decision.result == {"aid": own.id, "rev": 1, "changed": []}
    assert own.crew == ("m1", "m2")
    assert story.post() == [
        ("u1", "assign", None),
        ("u1", "offer.end answered", "phone-of-u1"),
        ("u2", "offer.end taken", None),
        ("u3", "offer.end taken", None),
    ]


def test_an_accept_is_logged_by_the_member_and_its_consequences_by_the_engine() -> None:
    """Who and by what way, at every step."""
    story = Story(crowd(3))
    story.accept("u1")
    assert [(e.type, e.by, e.via) for e in story.last.entries] == [
        (Event.ACCEPTED, "member-of-u1", "app"),
        (Event.ASSIGNED, "member-of-u1", "app"),
        (Event.STATUS, "engine", "engine"),
        (Event.TAKEN, "engine", "engine"),
        (Event.TAKEN, "engine", "engine"),
    ]
    assert story.entry(Event.ACCEPTED).data["late"] is False


@pytest.mark.parametrize("waited_s", [20, 60, 200, 299])
def test_a_late_accept_is_honoured(waited_s: float) -> None:
    """An offer that has lapsed is as good as an open one."""
    story = Story(crowd(40))
    story.wake_at_its_clocks(waited_s)
    assert story.offer("u1").state is OfferState.LAPSED
    decision = story.accept("u1")
    assert story.offer("u1").state is OfferState.ACCEPTED
    assert story.task("u1").state is A.ASSIGNED
    assert story.entry(Event.ACCEPTED).data["late"] is True
    assert decision.result["changed"] == (["lapsed"] if waited_s > 20 else [])


def test_who_tapped_in_time_is_told_nothing_of_the_lapse() -> None:
    """The network was late, not he."""
    story = Story(crowd(9))
    story.wake(25)
    assert story.accept("u1", tapped_s=10).result["changed"] == []


@pytest.mark.parametrize(("tapped_s", "stale"), [(89, False), (90, False), (90.001, True)])
def test_an_answer_tapped_long_ago_is_not_meant_any_more(tapped_s: float, stale: bool) -> None:
    """Ninety seconds; then the person is asked again, and nothing has changed."""
    story = Story(crowd(1))
    story.pass_s(100)
    if not stale:
        story.accept("u1", tapped_s=tapped_s)
        assert story.task("u1").state is A.ASSIGNED
        return
    before = story.case
    with pytest.raises(Stale) as caught:
        story.accept("u1", tapped_s=tapped_s)
    assert (caught.value.path, caught.value.state) == ("at", "open")
    assert story.case is before


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (OfferState.ACCEPTED, Conflict),
        (OfferState.DECLINED, Conflict),
        (OfferState.EXPIRED, Expired),
        (OfferState.WITHDRAWN, Withdrawn),
        (OfferState.TAKEN, Taken),
        (OfferState.CANCELLED, Cancelled),
    ],
)
@pytest.mark.parametrize("stale_s", [0, 500])
def test_an_offer_that_is_over_cannot_be_accepted(
    state: OfferState, error: type[Conflict], stale_s: float
) -> None:
    """The answer says why, also to one who tapped long ago; nothing is decided."""
    known = case(offers=(offer(state=state),), status=S.DISPATCHING)
    command = c.Accept(unit_id=UnitId("u1"), offer_id=OfferId("o1"), at=at(-stale_s))
    with pytest.raises(error) as caught:
        decide(known, command, context())
    assert type(caught.value) is error


def test_one_who_would_come_later_is_told_so_and_that_is_kept() -> None:
    """A refusal that changed something comes with its decision."""
    units = NearbyUnits({"u1": 60.0, "u2": 30.0})
    story = Story(units)
    story.accept("u1")
    units.put("u2", 100.0)
    decision = story.accept("u2")
    assert isinstance(decision.refusal, Taken)
    assert decision.refusal.state == "taken"
    assert decision.result == {}
    assert story.offer("u2").state is OfferState.TAKEN
    assert [e.type for e in decision.entries] == [Event.TAKEN]
    assert story.post() == [("u2", "offer.end taken", None)]


@pytest.mark.parametrize(
    "command",
    [
        c.Accept(unit_id=UnitId("u2"), offer_id=OfferId("o1"), at=START),
        c.Accept(unit_id=UnitId("u1"), offer_id=OfferId("o9"), at=START),
        c.Decline(unit_id=UnitId("u2"), offer_id=OfferId("o1")),
        c.SeeOffer(unit_id=UnitId("u2"), offer_id=OfferId("o1")),
        c.SeeTask(unit_id=UnitId("u2"), task_id=AssignmentId("a1")),
        c.SeeTask(unit_id=UnitId("u1"), task_id=AssignmentId("a9")),
        c.Report(unit_id=UnitId("u2"), task_id=AssignmentId("a1"), reached=R.ARRIVED, at=START),
    ],
)
def test_what_is_another_units_is_not_found(command: c.Command) -> None:
    """Neither the offer nor the task of somebody else can be answered, or even seen."""
    known = case(offers=(offer(),), tasks=(task(),), status=S.RESPONDING)
    with pytest.raises(NotFound):
        decide(known, command, context())


def test_who_is_clearly_sooner_takes_the_slot_over() -> None:
    """The one overtaken is told that he goes on as backup."""
    story = Story(NearbyUnits({"near": 60.0, "far": 140.0}), priority=2)
    story.accept("far")
    story.accept("near")
    assert story.events()[:3] == [Event.BACKED_UP, Event.ACCEPTED, Event.ASSIGNED]
    assert story.post()[0][:2] == ("far", "assign.update")


# Declining and seeing. ---------------------------------------------------------------------------


def test_a_no_is_taken_and_somebody_else_is_asked() -> None:
    """The unit's other phones stop ringing; the next unit's begin."""
    story = Story(crowd(4))
    decision = story.decline("u1", why="no bicycle")
    assert decision.result == {"rev": 1}
    assert story.entry(Event.DECLINED).data["why"] == "no bicycle"
    assert story.post() == [("u1", "offer.end answered", "phone-of-u1"), ("u4", "offer", None)]


def test_when_all_say_no_the_incident_waits_open() -> None:
    """And is searched again."""
    story = Story(crowd(1))
    story.decline("u1")
    assert stands(story) == (S.OPEN, ["declined"], [])
    assert story.last.wake_at == at(10)


def test_a_no_after_a_no_is_a_conflict() -> None:
    """And after anything else that ended the offer."""
    story = Story(crowd(1))
    story.decline("u1")
    with pytest.raises(Conflict):
        story.decline("u1")


def test_that_a_human_saw_the_offer_is_noted_once() -> None:
    """The first time counts."""
    story = Story(crowd(1))
    own = story.offer("u1")
    see = c.SeeOffer(unit_id=own.unit_id, offer_id=own.id)
    story.pass_s(3)
    assert story.do(see, phone_of("u1")).result == {"rev": 1}
    assert story.events() == [Event.SEEN]
    story.pass_s(3)
    story.do(see, phone_of("u1"))
    assert (story.offer("u1").seen_at, story.events()) == (at(3), [])


def test_that_a_human_saw_the_task_is_noted_once_and_told_to_nobody() -> None:
    """The first time counts."""
    story = Story(crowd(1))
    story.accept("u1")
    own = story.task("u1")
    see = c.SeeTask(unit_id=own.unit_id, task_id=own.id)
    story.pass_s(4)
    story.do(see, phone_of("u1"))
    assert (story.events(), story.post()) == ([Event.TASK_SEEN], [])
    story.pass_s(4)
    assert story.do(see, phone_of("u1")).result == {"rev": 2}
    assert (story.task("u1").seen_at, story.events()) == (at(4), [])


# Progress. ---------------------------------------------------------------------------------------


def test_a_task_goes_its_way_and_the_incident_follows() -> None:
    """The whole good story, step by step, with the four firsts."""
    story = Story(crowd(1))
    story.accept("u1")
    found = []
    for n, step in enumerate((R.EN_ROUTE, R.ARRIVED, R.CONTROLLED, R.RESOLVED), start=1):
        story.pass_s(10)
        answer = story.report("u1", step).result
        found.append((answer, story.incident.status))
        assert story.last.case.incident.version == n + 2
    assert found == [
        ({"s": A.EN_ROUTE}, S.RESPONDING),
        ({"s": A.ARRIVED}, S.ON_SCENE),
        ({"s": A.CONTROLLED}, S.CONTROLLED),
        ({"s": A.RESOLVED}, S.RESOLVED),
    ]
    known = story.incident
    assert (known.called_at, known.en_route_at, known.arrived_at) == (at(0), at(10), at(20))
    assert (known.controlled_at, known.resolved_at) == (at(30), at(40))


def test_a_step_is_told_to_the_units_other_phones() -> None:
    """Not to the one that said so; the end is told to all."""
    story = Story(crowd(1))
    story.accept("u1")
    story.report("u1", R.ARRIVED)
    assert story.post() == [("u1", "assign.update", "phone-of-u1")]
    story.report("u1", R.RESOLVED)
    assert story.post() == [("u1", "assign.end resolved", None)]


def test_the_furthest_member_counts() -> None:
    """A colleague who reports an earlier step, or the same, changes nothing."""
    story = Story(crowd(1))
    story.accept("u1")
    story.report("u1", R.ARRIVED)
    for step in (R.EN_ROUTE, R.ARRIVED):
        assert story.report("u1", step).result == {"s": A.ARRIVED}
        assert (story.events(), story.post()) == ([], [])


def test_who_arrives_without_a_word_was_on_his_way() -> None:
    """The missing time is filled."""
    story = Story(crowd(1))
    story.accept("u1")
    story.pass_s(50)
    story.arrive("u1")
    assert story.task("u1").en_route_at == story.task("u1").arrived_at == at(50)
    assert story.incident.en_route_at == at(50)


@pytest.mark.parametrize(
    ("ago_s", "kept"), [(0, 30), (5, 25), (20, 10), (25, 10), (3600, 10), (-5, 30), (-3600, 30)]
)
def test_a_time_is_kept_between_the_assignment_and_now(ago_s: float, kept: float) -> None:
    """A phone's clock may say anything."""
    story = Story(crowd(1))
    story.pass_s(10)
    story.accept("u1")
    story.pass_s(20)
    story.report("u1", R.EN_ROUTE, ago_s=ago_s)
    assert story.task("u1").en_route_at == at(kept)


def test_of_the_firsts_the_earliest_is_kept() -> None:
    """A slow network does not make the second unit the first."""
    story = Story(crowd(9), PAIR)
    story.accept("u1")
    story.accept("u4")
    story.pass_s(40)
    story.arrive("u1")
    story.pass_s(10)
    story.report("u4", R.ARRIVED, ago_s=30)
    assert (story.incident.en_route_at, story.incident.arrived_at) == (at(20), at(20))
    story.report("u4", R.CONTROLLED)
    story.pass_s(5)
    story.report("u1", R.CONTROLLED)
    assert story.incident.controlled_at == at(50)


def test_words_are_kept_beside_the_step() -> None:
    """Note and outcome, as the member gave them."""
    story = Story(crowd(1))
    story.accept("u1")
    story.report("u1", R.ARRIVED, note="by the back gate")
    assert story.entry(Event.PROGRESSED).data["note"] == "by the back gate"
    story.report("u1", R.RESOLVED, outcome="rescued")
    assert story.entry(Event.ASSIGNMENT_ENDED).data["outcome"] == "rescued"


@pytest.mark.parametrize("step", [R.CONTROLLED, R.RESOLVED])
def test_who_is_not_there_controls_nothing(step: Reached) -> None:
    """The table holds no such step, and nothing changes."""
    story = Story(crowd(1))
    story.accept("u1")
    before = story.case
    with pytest.raises(Conflict):
        story.report("u1", step)
    assert story.case is before


def test_who_gives_up_is_replaced_and_not_asked_again() -> None:
    """The need is unmet again, so the incident is dispatching."""
    story = Story(crowd(3))
    story.accept("u1")
    story.report("u1", R.ABORTED, note="a flat tyre")
    assert stands(story) == (
        S.DISPATCHING,
        ["accepted", "taken", "taken", "open", "open"],
        ["aborted"],
    )
    assert story.asked() == ["u2", "u3"]
    assert story.entry(Event.ASSIGNMENT_ENDED).data == {
        "assignment": story.task("u1").id,
        "why": "aborted",
        "note": "a flat tyre",
    }
    assert ("u1", "assign.end aborted", None) in story.post()


def test_who_gives_up_on_the_scene_leaves_it_to_the_next() -> None:
    """On the scene → dispatching, the first arrival stays the first."""
    story = Story(crowd(3))
    story.accept("u1")
    story.arrive("u1")
    story.report("u1", R.ABORTED)
    assert story.incident.status is S.DISPATCHING
    assert story.incident.arrived_at == START


def test_with_one_left_the_incident_goes_on() -> None:
    """The slot that came free is asked for again."""
    story = Story(crowd(12), PAIR)
    story.accept("u1")
    story.accept("u4")
    story.report("u1", R.ABORTED)
    assert story.incident.status is S.RESPONDING
    assert {o.slot for o in story.case.offers if o.state is OfferState.OPEN} == {0}


@pytest.mark.parametrize("step", Reached)
def test_a_fact_that_comes_late_is_kept(step: Reached) -> None:
    """The task is over; what is said of it is written down and changes nothing."""
    story = Story(crowd(1))
    story.accept("u1")
    story.do(c.Cancel(why="found"))
    answer = story.report("u1", step, note="was there")
    assert answer.result == {"s": A.CANCELLED, "late": True}
    assert story.events() == [Event.LATE]
    assert story.entry(Event.LATE).data["note"] == "was there"
    assert stands(story) == (S.CANCELLED, ["accepted"], ["cancelled"])
    assert story.post() == []


def test_all_have_to_be_done_before_it_is_resolved() -> None:
    """The second unit is still at it."""
    story = Story(crowd(9), PAIR)
    for unit in ("u1", "u4"):
        story.accept(unit)
        story.arrive(unit)
    story.report("u1", R.RESOLVED)
    assert stands(story)[0] is S.ON_SCENE
    story.report("u4", R.RESOLVED)
    assert stands(story)[0] is S.RESOLVED


def test_what_is_resolved_without_control_was_on_the_scene() -> None:
    """Arrived → resolved needs no word in between."""
    story = Story(crowd(1))
    story.accept("u1")
    story.arrive("u1")
    story.report("u1", R.RESOLVED)
    assert stands(story) == (S.RESOLVED, ["accepted"], ["resolved"])


def test_the_last_of_those_left_settles_it() -> None:
    """One has finished, the other gives up on the way: nobody is at it any more."""
    story = Story(crowd(9), PAIR)
    story.accept("u1")
    story.arrive("u1")
    story.accept("u4")
    story.report("u1", R.CONTROLLED)
    story.report("u1", R.RESOLVED)
    assert stands(story)[0] is S.CONTROLLED
    story.report("u4", R.ABORTED)
    assert stands(story)[0] is S.RESOLVED


def test_a_controlled_incident_waits_for_a_person_when_its_unit_gives_up() -> None:
    """Controlled → resolved needs somebody who resolved it."""
    story = Story(crowd(1))
    story.accept("u1")
    story.arrive("u1")
    story.report("u1", R.CONTROLLED)
    story.report("u1", R.ABORTED)
    assert stands(story) == (S.CONTROLLED, ["accepted"], ["aborted"])
    assert story.last.wake_at is None


# The person at the desk. -------------------------------------------------------------------------


def busy() -> Story:
    """Return a case with one unit on the scene, one on its way, and three being asked."""
    story = Story(crowd(20), Plan(needs=(Need(), Need(), Need())))
    story.accept("u1")
    story.arrive("u1")
    story.accept("u4")
    return story


def test_cancelling_calls_back_whoever_is_asked_or_sent() -> None:
    """Each learns it, and nobody else does."""
    story = busy()
    asked = story.asked()
    story.do(c.Cancel(why="a false alarm"))
    status, offers, tasks = stands(story)
    assert (status, set(offers), set(tasks)) == (
        S.CANCELLED,
        {"accepted", "cancelled"},
        {"cancelled"},
    )
    assert story.incident.ended_at == story.now
    assert story.entry(Event.CANCELLED).data == {"why": "a false alarm"}
    assert story.post() == [
        *((unit, "offer.end cancelled", None) for unit in asked),
        ("u1", "assign.end cancelled", None),
        ("u4", "assign.end cancelled", None),
    ]
    assert story.last.wake_at is None


def test_resolving_sends_home_who_is_not_there_yet() -> None:
    """Who is there has done his task; whoever is asked is asked no more."""
    story = busy()
    asked = story.asked()
    story.do(c.Resolve(note="all well"))
    assert story.incident.status is S.RESOLVED
    assert (story.task("u1").state, story.task("u4").state) == (A.RESOLVED, A.RELEASED)
    assert story.incident.resolved_at == story.now
    assert story.entry(Event.RESOLVED).data == {"note": "all well"}
    assert story.post() == [
        ("u1", "assign.end resolved", None),
        ("u4", "assign.end released", None),
        *((unit, "offer.end withdrawn", None) for unit in asked),
    ]


def test_resolving_stops_the_search() -> None:
    """A shortfall of something settled wakes nobody."""
    story = Story(crowd(1), PAIR)
    story.accept("u1")
    story.arrive("u1")
    assert story.incident.search_at is not None
    story.do(c.Resolve())
    assert story.case.incident.search_at is None
    assert story.last.wake_at is None


def test_a_file_is_closed_with_a_result_code() -> None:
    """Only after it is resolved, and once."""
    story = busy()
    story.do(c.Resolve())
    story.do(c.CloseFile(result="rescued", note="taken to hospital"))
    assert (story.incident.status, story.incident.result) == (S.CLOSED, "rescued")
    assert story.incident.ended_at == story.now
    assert story.entry(Event.CLOSED).data == {"result": "rescued", "note": "taken to hospital"}
    with pytest.raises(Conflict):
        story.do(c.CloseFile(result="rescued"))


@pytest.mark.parametrize(
    ("command", "legal"),
    [
        (c.Triage(accept=True), {S.REPORTED}),
        (c.Triage(accept=False), {S.REPORTED}),
        (
            c.Cancel(why="x"),
            {S.REPORTED, S.OPEN, S.DISPATCHING, S.RESPONDING, S.ON_SCENE, S.CONTROLLED},
        ),
        (c.Resolve(), {S.RESPONDING, S.ON_SCENE, S.CONTROLLED}),
        (c.CloseFile(result="x"), {S.RESOLVED}),
    ],
)
@pytest.mark.parametrize("status", Status)
def test_a_persons_word_counts_only_where_the_table_has_it(
    status: Status, command: c.Command, legal: set[Status]
) -> None:
    """Anywhere else it is a conflict that names the state, and nothing is decided."""
    known = case(status=status, tasks=(task(arrived_at=START, state=A.ARRIVED),))
    if status in legal:
        assert decide(known, command, context()).entries
        return
    with pytest.raises(Conflict) as caught:
        decide(known, command, context())
    assert caught.value.state == status


# Clocks. -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (19.9, OfferState.OPEN),
        (20, OfferState.LAPSED),
        (300, OfferState.LAPSED),
        (301.9, OfferState.LAPSED),
        (302, OfferState.EXPIRED),
        (5000, OfferState.EXPIRED),
    ],
)
def test_an_offer_lapses_at_its_clock_and_expires_two_seconds_after_its_end(
    seconds: float, state: OfferState
) -> None:
    """Those two seconds are for answers already on their way."""
    story = Story(crowd(1))
    story.wake(seconds)
    assert story.case.offers[0].state is state
    expired = [("u1", "offer.end expired", None)] if state is OfferState.EXPIRED else []
    assert [mail for mail in story.post() if "end" in mail[1]] == expired


def test_a_lapse_is_told_to_nobody() -> None:
    """The old phone may still answer; only the new ones ring."""
    story = Story(crowd(9))
    story.wake(20)
    assert {said for _, said, _ in story.post()} == {"offer"}


def test_an_answer_in_the_two_seconds_of_grace_is_heard() -> None:
    """Its offer stood when it was tapped."""
    story = Story(crowd(1))
    story.wake(301)
    story.accept("u1")
    assert story.task("u1").state is A.ASSIGNED


def test_a_clock_that_has_not_come_changes_nothing() -> None:
    """But the version, which is of the decision."""
    story = Story(crowd(9))
    story.wake(5)
    assert (story.events(), story.post(), story.last.wake_at) == ([], [], at(20))
    assert story.incident.version == 2


# Units that are gone. ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engaged", "event", "state"),
    [
        (True, Event.WITHDRAWN, OfferState.WITHDRAWN),
        (False, Event.DECLINED, OfferState.DECLINED),
    ],
)
def test_the_offers_of_a_unit_that_is_gone_end_and_others_are_asked(
    engaged: bool, event: Event, state: OfferState
) -> None:
    """Engaged elsewhere it may come back; who left as the last of his crew said no."""
    story = Story(crowd(5))
    story.do(c.UnitGone(unit_id=UnitId("u2"), engaged=engaged))
    assert story.case.offers[1].state is state
    assert story.events()[0] is event
    assert story.post()[0] == ("u2", "offer.end withdrawn", None)
    assert len(story.asked()) == 3
    assert ("u2" in story.asked()) is engaged


def test_a_unit_that_is_asked_nothing_can_go() -> None:
    """Nothing is written down."""
    story = Story(crowd(3))
    story.do(c.UnitGone(unit_id=UnitId("u9"), engaged=True))
    assert (story.events(), story.post()) == ([], [])


# The rules about rules. --------------------------------------------------------------------------


def test_there_is_a_rule_for_every_status_that_units_move() -> None:
    """Others are moved by people."""
    assert set(FOLLOWS) == {S.OPEN, S.DISPATCHING, S.RESPONDING, S.ON_SCENE, S.CONTROLLED}
    assert all(rule.__doc__ for rule in RULES.values())


def test_an_operator_answers_for_a_unit() -> None:
    """By radio: all its phones stop ringing, for none of them said it."""
    story = Story(crowd(1))
    own = story.offer("u1")
    by_radio = Actor(by="operator-1", via="radio")
    story.do(c.Accept(unit_id=own.unit_id, offer_id=own.id, at=story.now), by_radio)
    assert story.task("u1").by == "operator-1"
    assert story.entry(Event.ACCEPTED).via == "radio"
    assert ("u1", "offer.end answered", None) in story.post()


def test_a_decision_does_not_touch_the_case_it_is_made_on() -> None:
    """State in, decision out: the old value stays what it was."""
    story = Story(crowd(5))
    before, written = story.case, msgspec.json.encode(story.case)
    story.accept("u1")
    assert msgspec.json.encode(before) == written
    assert story.last.before is before


# What fixes prove. -------------------------------------------------------------------------------


def located(story: Story, reached: Reached, *, ago_s: float = 0) -> c.Located:
    """Return what the fixes of the nearest unit say."""
    own = story.task("u1")
    since = story.now - timedelta(seconds=ago_s)
    return c.Located(unit_id=own.unit_id, task_id=own.id, reached=reached, at=since)


def confirms(story: Story) -> list[bool]:
    """Return whether the last decision's mail asks a person to confirm the arrival."""
    return [m.frame.confirm for m in story.last.mail if isinstance(m.frame, AssignUpdate)]


def sent() -> Story:
    """Return a case for which the nearest unit has accepted half a minute ago."""
    story = Story(crowd(5))
    story.accept("u1")
    story.pass_s(30)
    return story


def test_a_unit_under_way_by_its_fixes_has_set_out() -> None:
    """Nobody pressed a button; the log says what proves it."""
    story = sent()
    story.do(located(story, R.EN_ROUTE, ago_s=1), BY_FIXES)
    assert story.task("u1").state is A.EN_ROUTE
    assert story.incident.en_route_at == story.now - timedelta(seconds=1)
    entry = story.entry(Event.PROGRESSED)
    assert (entry.by, entry.via, entry.data["proof"]) == ("engine", "gps", "gps")
    assert confirms(story) == [False]


def test_a_unit_there_by_its_fixes_has_arrived_and_is_asked_to_confirm() -> None:
    """The incident goes on; the phones ask the people."""
    story = sent()
    story.do(located(story, R.ARRIVED), BY_FIXES)
    own = story.task("u1")
    assert (own.state, own.arrived_at, own.en_route_at) == (A.ARRIVED, story.now, story.now)
    assert own.warned == (Concern.UNCONFIRMED,)
    assert story.incident.status is S.ON_SCENE
    assert confirms(story) == [True]


def test_a_persons_word_confirms_the_arrival_once() -> None:
    """It stays when it was; the colleagues' phones stop asking."""
    story = sent()
    story.do(located(story, R.ARRIVED), BY_FIXES)
    there_at = story.now
    story.pass_s(5)
    story.report("u1", R.ARRIVED)
    assert story.events() == [Event.CONFIRMED]
    assert (story.task("u1").arrived_at, story.task("u1").warned) == (there_at, ())
    assert story.post() == [("u1", "assign.update", DeviceId("phone-of-u1"))]
    assert confirms(story) == [False]
    story.report("u1", R.ARRIVED)
    assert story.events() == []


@pytest.mark.parametrize(
    ("said", "known"), [(R.CONTROLLED, ()), (R.ABORTED, (Concern.UNCONFIRMED,))]
)
def test_only_a_word_from_the_scene_confirms(said: Reached, known: tuple[Concern, ...]) -> None:
    """Who goes home does not say that he was there."""
    story = sent()
    story.do(located(story, R.ARRIVED), BY_FIXES)
    story.report("u1", said)
    assert story.task("u1").warned == known


@pytest.mark.parametrize("reached", [R.EN_ROUTE, R.ARRIVED])
def test_fixes_tell_nothing_of_a_unit_that_has_come_further(reached: Reached) -> None:
    """What a person said stands, and nothing is written down."""
    story = sent()
    story.arrive("u1")
    assert story.refuses(located(story, reached), BY_FIXES).state == A.ARRIVED
    story.report("u1", R.RESOLVED)
    assert story.refuses(located(story, reached), BY_FIXES).state == A.RESOLVED


def test_an_operators_word_settles_what_units_are_still_on_their_way_to() -> None:
    """They turn round."""
    story = sent()
    story.do(c.Resolve(note="settled by the police"))
    assert stands(story)[0] is S.RESOLVED
    assert story.task("u1").state is A.RELEASED
    assert ("u1", "assign.end released", None) in story.post()
