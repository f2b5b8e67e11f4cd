"""What a person at the desk decides about units: who is asked or sent, told, and let go."""

import msgspec
import pytest

from dispatch.core import commands as c
from dispatch.core.decide import decide
from dispatch.core.decision import Errand
from dispatch.core.direct import CANNOT, FAR_S, NEEDS_MOST, RULES
from dispatch.core.errors import Conflict, Invalid, NotFound, Refusal, Taken, Withdrawn
from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, OPEN_OFFER, OVER
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import (
    AssignmentKind,
    AssignmentState,
    Case,
    Mode,
    OfferState,
    Role,
    Status,
)
from schemas.plan import Need, Plan
from schemas.unit import UnitState
from schemas.wire import AssignFrame
from tests.dispatch.core.cases import (
    DESK,
    NearbyUnits,
    Standing,
    Story,
    at,
    context,
    crowd,
    incident,
    offer,
    task,
)

A = AssignmentState
S = Status
PAIR = Plan(needs=(Need(), Need()))


def by_hand(field: NearbyUnits, plan: Plan = PAIR) -> Story:
    """Return a case in which people ask, and nobody is asked yet."""
    return Story(field, plan, mode=Mode.MANUAL)


def ask(unit: str, slot: int | None = None) -> c.Ask:
    """Return the command to ask a unit."""
    return c.Ask(unit_id=UnitId(unit), slot=slot)


def order(unit: str, slot: int | None = None) -> c.Order:
    """Return the command to send a unit."""
    return c.Order(unit_id=UnitId(unit), slot=slot)


def primaries(story: Story) -> dict[int, str]:
    """Return who holds which slot."""
    live = [t for t in story.case.assignments if t.state not in ENDED]
    return {t.slot: t.unit_id for t in live if t.role is Role.PRIMARY}


# Who can be asked or sent at all. ----------------------------------------------------------------


@pytest.mark.parametrize("command", [ask("u1"), order("u1")])
@pytest.mark.parametrize("state", UnitState)
def test_a_unit_cannot_go_off_duty_disabled_or_engaged(
    state: UnitState, command: c.Command
) -> None:
    """Asked or paused it can: a person may always take over."""
    story = by_hand(NearbyUnits({"u1": Standing(eta_s=60, state=state)}))
    if state not in CANNOT:
        assert story.do(command).result
        return
    refusal = story.refuses(command)
    assert isinstance(refusal, Conflict)
    assert (refusal.detail, refusal.state) == (f"the unit is {state}", state)


def test_what_a_unit_cannot_be_in_is_named() -> None:
    """Three states, and no more."""
    assert set(CANNOT) == {UnitState.OFF, UnitState.DISABLED, UnitState.ENGAGED}


@pytest.mark.parametrize("command", [ask("u9"), order("u9")])
def test_a_unit_nobody_knows_is_not_found(command: c.Command) -> None:
    """Nothing is written down."""
    assert isinstance(by_hand(crowd(1)).refuses(command), NotFound)


@pytest.mark.parametrize("command", [ask("u1"), order("u1")])
@pytest.mark.parametrize("role", Role)
def test_a_unit_has_a_task_once(command: c.Command, role: Role) -> None:
    """A backup too is on its way already."""
    known = Case(
        incident=incident(status=S.RESPONDING), assignments=(task(role=role), task("a2", slot=0))
    )
    with pytest.raises(Conflict) as caught:
        decide(known, command, context(field=crowd(2)))
    assert caught.value.state == UnitState.ENGAGED


@pytest.mark.parametrize("status", sorted(OVER))
@pytest.mark.parametrize("command", [ask("u1"), order("u1")])
def test_nobody_is_asked_or_sent_to_what_is_over(command: c.Command, status: Status) -> None:
    """It names where the incident stands."""
    with pytest.raises(Conflict) as caught:
        decide(Case(incident=incident(status=status)), command, context(field=crowd(1)))
    assert caught.value.state == status


@pytest.mark.parametrize("make", [ask, order])
@pytest.mark.parametrize("slot", [-1, 2, 7])
def test_a_slot_that_is_not_there_is_invalid(slot: int, make: type) -> None:
    """The path names it."""
    refusal = by_hand(crowd(1)).refuses(make("u1", slot))
    assert isinstance(refusal, Invalid)
    assert refusal.path == "$.slot"


@pytest.mark.parametrize(
    ("command", "status"), [(ask("u1"), S.DISPATCHING), (order("u1"), S.RESPONDING)]
)
def test_what_was_only_reported_is_opened_by_asking_or_sending(
    command: c.Command, status: Status
) -> None:
    """Whoever does so has triaged it."""
    story = Story(crowd(1), trusted=False)
    assert story.incident.status is S.REPORTED
    story.do(command)
    first = story.last.entries[0]
    assert (first.type, first.by) == (Event.STATUS, "operator-1")
    assert first.data == {"before": S.REPORTED, "after": S.OPEN, "trigger": "open"}
    assert story.incident.status is status


@pytest.mark.parametrize(
    "command", [ask("u9"), order("u9"), ask("off"), order("off"), ask("u1", 5), order("u1", 5)]
)
def test_a_refusal_does_not_open_what_was_only_reported(command: c.Command) -> None:
    """Nobody was asked or sent, so nobody has triaged."""
    units = NearbyUnits({"u1": 60.0, "off": Standing(eta_s=60, state=UnitState.OFF)})
    story = Story(units, trusted=False)
    assert isinstance(story.refuses(command), Refusal)


# Asking. -----------------------------------------------------------------------------------------


def test_a_person_asks_one_unit() -> None:
    """It is told, and nobody else; the answer names its offer."""
    story = by_hand(crowd(3))
    answer = story.do(ask("u3"))
    own = story.offer("u3")
    assert answer.result == {"offer": own.id}
    assert (own.state, own.slot, own.eta_s, own.lapse_at) == (OfferState.OPEN, 0, 62.0, at(20))
    assert story.post() == [("u3", "offer", None)]
    entry = story.entry(Event.OFFERED)
    assert (entry.unit_id, entry.by, entry.data["offer"]) == ("u3", "operator-1", own.id)
    assert story.incident.status is S.DISPATCHING


@pytest.mark.parametrize("state", sorted(OPEN_OFFER))
def test_a_unit_is_not_asked_twice(state: OfferState) -> None:
    """Not while it may still answer."""
    known = Case(incident=incident(status=S.DISPATCHING), offers=(offer(state=state),))
    with pytest.raises(Conflict) as caught:
        decide(known, ask("u1"), context(field=crowd(1)))
    assert caught.value.state == UnitState.OFFERED


def test_a_person_may_ask_again_who_said_no() -> None:
    """The engine would not."""
    story = by_hand(crowd(1))
    story.do(ask("u1"))
    story.decline("u1")
    story.do(ask("u1"))
    assert story.asked() == ["u1"]
    assert len(story.case.offers) == 2


@pytest.mark.parametrize(("wished", "slot"), [(None, 1), (0, 0), (1, 1)])
def test_a_unit_is_asked_for_the_slot_wished_or_the_first_free(
    wished: int | None, slot: int
) -> None:
    """A held slot too: it may be there sooner."""
    story = by_hand(NearbyUnits({"u1": 100.0, "u2": 50.0}))
    story.do(order("u1"))
    story.do(ask("u2", wished))
    assert story.offer("u2").slot == slot
    assert story.asked() == ["u2"]


@pytest.mark.parametrize(("eta_s", "state"), [(80.0, OfferState.OPEN), (80.1, OfferState.TAKEN)])
def test_who_cannot_be_there_sooner_than_all_holders_learns_it_at_once(
    eta_s: float, state: OfferState
) -> None:
    """Where every slot is held, 20 s sooner are needed."""
    story = by_hand(NearbyUnits({"u1": 100.0, "u2": eta_s}), Plan())
    story.do(order("u1"))
    story.do(ask("u2"))
    assert story.offer("u2").state is state
    told = ["offer"] if state is OfferState.OPEN else ["offer", "offer.end taken"]
    assert [said for _, said, _ in story.post()] == told


def test_no_more_are_asked_for_a_slot_than_the_plan_allows() -> None:
    """Lapsed ones count: they may still say yes. Another slot has room of its own."""
    story = by_hand(crowd(9), Plan(needs=(Need(), Need()), most=3))
    story.do(ask("u1", 0))
    story.wake(20)
    story.do(ask("u2", 0))
    story.do(ask("u3", 0))
    refusal = story.refuses(ask("u4", 0))
    assert isinstance(refusal, Conflict)
    assert refusal.state == S.DISPATCHING
    assert story.do(ask("u4", 1)).result


@pytest.mark.parametrize("command", [ask("far"), order("far")])
def test_a_unit_beyond_every_search_is_taken_to_need_an_hour(command: c.Command) -> None:
    """Neither a ring nor a missing way stops a person."""
    story = by_hand(NearbyUnits({"far": float("inf")}))
    story.do(command)
    chosen = story.case.offers or story.case.assignments
    assert [one.eta_s for one in chosen] == [FAR_S]


def test_a_unit_is_asked_outside_the_ring() -> None:
    """With its true ETA, in the ring as it stands."""
    story = by_hand(NearbyUnits({"far": 700.0}))
    story.do(ask("far"))
    assert (story.offer("far").eta_s, story.offer("far").ring_s) == (700.0, 180)


# Sending. ----------------------------------------------------------------------------------------


def test_a_unit_is_sent_into_the_first_free_slot() -> None:
    """Without being asked; the task names who sent it."""
    story = by_hand(crowd(2))
    answer = story.do(order("u2"))
    own = story.task("u2")
    assert answer.result == {"assignment": own.id}
    assert (own.slot, own.kind, own.role, own.by) == (0, AssignmentKind.ORDER, "primary", DESK.by)
    assert (own.arrive_at, own.seen_at) == (at(61), None)
    assert story.post() == [("u2", "assign", None)]
    frame = story.last.mail[0].frame
    assert isinstance(frame, AssignFrame)
    assert frame.kind == "order"
    assert story.events() == [Event.ASSIGNED, Event.STATUS]
    assert story.incident.status is S.RESPONDING


def test_the_next_fills_the_next_slot_and_one_more_adds_one() -> None:
    """Nobody who is on his way is overtaken by that."""
    story = by_hand(crowd(3))
    for unit in ("u3", "u2", "u1"):
        story.do(order(unit))
    assert primaries(story) == {0: "u3", 1: "u2", 2: "u1"}
    assert story.incident.needs == (Need(),) * 3
    assert story.post() == [("u1", "assign", None)]


def test_an_incident_has_so_many_slots_and_no_more() -> None:
    """Into a slot that is named one may still be sent."""
    story = by_hand(crowd(10), Plan(needs=(Need(),) * NEEDS_MOST))
    for n in range(1, NEEDS_MOST + 1):
        story.do(order(f"u{n}"))
    refusal = story.refuses(order("u9"))
    assert isinstance(refusal, Conflict)
    assert refusal.state == S.RESPONDING
    story.do(order("u9", 3))
    assert primaries(story)[3] == "u9"


@pytest.mark.parametrize("pinned", [False, True])
def test_a_named_slot_is_taken_over(pinned: bool) -> None:
    """The holder goes on as backup and is told so, even where nothing is won by it."""
    story = by_hand(NearbyUnits({"u1": 60.0, "u2": 200.0}))
    story.do(order("u1"))
    story.do(c.Pin(task_id=story.task("u1").id, pinned=pinned))
    story.do(order("u2", 0))
    assert primaries(story) == {0: "u2"}
    assert story.task("u1").role is Role.BACKUP
    assert story.events() == [Event.BACKED_UP, Event.ASSIGNED]
    assert story.post() == [("u1", "assign.update", None), ("u2", "assign", None)]


@pytest.mark.parametrize("slot", [0, 1])
def test_a_free_slot_that_is_named_is_filled(slot: int) -> None:
    """Nobody is overtaken."""
    story = by_hand(crowd(1))
    story.do(order("u1", slot))
    assert primaries(story) == {slot: "u1"}


def test_who_is_sent_is_asked_no_more() -> None:
    """Its phones stop ringing; the others of the other slot ring on."""
    story = Story(crowd(9), PAIR)
    story.do(order("u2"))
    assert story.offer("u2").state is OfferState.WITHDRAWN
    assert story.post() == [("u2", "offer.end answered", None), ("u2", "assign", None)]
    assert story.asked() == ["u1", "u3", "u4", "u5", "u6"]


def test_who_cannot_come_sooner_than_who_was_sent_is_asked_no_more() -> None:
    """Every slot is held."""
    story = Story(crowd(3))
    story.do(order("u1"))
    ended = [(unit, said) for unit, said, _ in story.post() if unit != "u1"]
    assert ended == [("u2", "offer.end taken"), ("u3", "offer.end taken")]


# Withdrawing, releasing, reassigning. ------------------------------------------------------------


def test_an_offer_is_called_back_with_the_reason() -> None:
    """The unit is told; nobody is left to answer, so the incident is open."""
    story = by_hand(crowd(1))
    story.do(ask("u1"))
    assert story.do(c.WithdrawOffer(offer_id=story.offer("u1").id, why="ill")).result == {}
    assert story.offer("u1").state is OfferState.WITHDRAWN
    entry = story.entry(Event.WITHDRAWN)
    assert (entry.unit_id, entry.data["note"]) == ("u1", "ill")
    assert story.post() == [("u1", "offer.end withdrawn", None)]
    assert story.incident.status is S.OPEN


@pytest.mark.parametrize("state", sorted(set(OfferState) - OPEN_OFFER))
def test_an_offer_that_has_ended_is_not_called_back(state: OfferState) -> None:
    """The refusal tells how it ended."""
    known = Case(incident=incident(status=S.OPEN), offers=(offer(state=state),))
    command = c.WithdrawOffer(offer_id=OfferId("o1"), why="x")
    with pytest.raises(Conflict) as caught:
        decide(known, command, context())
    assert caught.value.state == state
    named = {OfferState.WITHDRAWN: Withdrawn, OfferState.TAKEN: Taken}
    assert isinstance(caught.value, named.get(state, Conflict))


def test_a_released_unit_goes_home_and_its_slot_is_filled_anew() -> None:
    """By others: it is not asked again."""
    story = Story(crowd(5))
    story.accept("u1")
    story.do(c.Release(task_id=story.task("u1").id, why="needed elsewhere"))
    assert story.task("u1").state is A.RELEASED
    assert story.entry(Event.ASSIGNMENT_ENDED).data == {
        "assignment": story.task("u1").id,
        "why": "released",
        "note": "needed elsewhere",
    }
    assert story.post() == [
        ("u1", "assign.end released", None),
        *((unit, "offer", None) for unit in ("u2", "u3", "u4")),
    ]
    assert story.incident.status is S.DISPATCHING


def test_when_the_holder_is_released_its_backup_holds_the_slot_again() -> None:
    """And its phone rings for it."""
    story = by_hand(NearbyUnits({"u1": 60.0, "u2": 200.0}), Plan())
    story.do(order("u1"))
    story.do(order("u2", 0))
    story.do(c.Release(task_id=story.task("u2").id, why="x"))
    assert primaries(story) == {0: "u1"}
    assert story.post() == [("u2", "assign.end released", None), ("u1", "assign.update", None)]


def test_a_reassigned_unit_is_ordered_by_the_other_incident() -> None:
    """This one ends its task, says why, and leaves an errand."""
    story = by_hand(crowd(1))
    story.do(order("u1"))
    command = c.Reassign(task_id=story.task("u1").id, to=IncidentId("i2"), why="a fire")
    assert story.do(command).result == {}
    assert story.task("u1").state is A.REASSIGNED
    assert story.entry(Event.ASSIGNMENT_ENDED).data["note"] == "a fire"
    assert story.post() == [("u1", "assign.end reassigned", None)]
    errand = Errand(incident_id=IncidentId("i2"), kind="order", unit_id=UnitId("u1"))
    assert story.last.errands == (errand,)
    assert story.incident.status is S.OPEN


def test_a_unit_is_not_reassigned_to_where_it_is() -> None:
    """It would only be told to turn round."""
    story = by_hand(crowd(1))
    story.do(order("u1"))
    command = c.Reassign(task_id=story.task("u1").id, to=IncidentId("i1"), why="x")
    refusal = story.refuses(command)
    assert isinstance(refusal, Invalid)
    assert refusal.path == "$.to"


# Pinning. ----------------------------------------------------------------------------------------


def test_nobody_overtakes_a_pinned_unit() -> None:
    """However near the other is; nobody's phone is told of the pin."""
    story = Story(NearbyUnits({"far": 150.0, "near": 20.0}), priority=2)
    story.accept("far")
    assert story.asked() == ["near"]
    story.do(c.Pin(task_id=story.task("far").id, pinned=True))
    assert story.task("far").pinned
    assert story.entry(Event.PINNED).unit_id == "far"
    assert story.post() == [("near", "offer.end taken", None)]
    assert primaries(story) == {0: "far"}


def test_an_unpinned_unit_may_be_overtaken_again() -> None:
    """By whoever is asked then."""
    story = by_hand(NearbyUnits({"far": 150.0, "near": 20.0}), Plan())
    story.do(order("far"))
    for pinned in (True, False):
        story.do(c.Pin(task_id=story.task("far").id, pinned=pinned))
    assert not story.task("far").pinned
    story.do(ask("near"))
    story.accept("near")
    assert primaries(story) == {0: "near"}


# All of them. ------------------------------------------------------------------------------------

ON_A_TASK: list[c.Command] = [
    c.Release(task_id=AssignmentId("a1"), why="x"),
    c.Reassign(task_id=AssignmentId("a1"), to=IncidentId("i2"), why="x"),
    c.Pin(task_id=AssignmentId("a1"), pinned=True),
]
EVERY: list[c.Command] = [
    c.Ask(unit_id=UnitId("u5")),
    c.Order(unit_id=UnitId("u5"), slot=0),
    c.WithdrawOffer(offer_id=OfferId("o2"), why="x"),
    *ON_A_TASK,
]


@pytest.mark.parametrize("command", ON_A_TASK, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("state", sorted(ENDED))
def test_a_task_that_has_ended_is_left_alone(state: AssignmentState, command: c.Command) -> None:
    """The refusal tells how it ended."""
    known = Case(incident=incident(status=S.RESPONDING), assignments=(task(state=state),))
    with pytest.raises(Conflict) as caught:
        decide(known, command, context())
    assert caught.value.state == state


@pytest.mark.parametrize(
    "command", [*ON_A_TASK, EVERY[2]], ids=lambda command: type(command).__name__
)
def test_what_never_was_is_not_found(command: c.Command) -> None:
    """Neither the offer nor the assignment."""
    assert isinstance(by_hand(crowd(1)).refuses(command), NotFound)


def test_every_rule_is_tried_below() -> None:
    """None is forgotten."""
    assert {type(command) for command in EVERY} == set(RULES)


@pytest.mark.parametrize("command", EVERY, ids=lambda command: type(command).__name__)
def test_the_same_case_is_decided_alike_and_stays_what_it_was(command: c.Command) -> None:
    """State in, decision out; and the person who decided is in the log."""
    known = Case(
        incident=incident(status=S.RESPONDING, needs=(Need(), Need())),
        offers=(offer("o2", slot=1), offer("o3", slot=1, state=OfferState.LAPSED)),
        assignments=(task(),),
    )
    written = msgspec.json.encode(known)
    decisions = [decide(known, command, context(at(5), crowd(9))) for _ in range(2)]
    assert decisions[0] == decisions[1]
    assert (decisions[0].entries[0].by, decisions[0].entries[0].via) == (DESK.by, DESK.via)
    assert decisions[0].case.incident.version == 1
    assert msgspec.json.encode(known) == written


def test_who_was_called_back_by_a_person_is_not_asked_again_by_the_engine() -> None:
    """The next searches take somebody else, or say that nobody is left."""
    story = Story(NearbyUnits({"u1": 60.0}))
    asked = story.offer("u1")
    story.do(c.WithdrawOffer(offer_id=asked.id, why="wrong unit"))
    story.wake_at_its_clocks(30)
    assert [o.id for o in story.case.offers] == [asked.id]
    assert story.case.offers[0].barred
