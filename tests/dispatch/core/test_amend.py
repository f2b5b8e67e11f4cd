"""What changes an incident itself: what becomes of it, what is written down, who is told."""

from typing import Any

import msgspec
import pytest

from dispatch.core import commands as c
from dispatch.core.amend import ALARMS, CALLS, MORE, NEEDS_MOST, NOTE_MOST, RULES
from dispatch.core.decide import decide
from dispatch.core.decision import Errand
from dispatch.core.errors import Conflict, Invalid, NotFound
from dispatch.core.events import Event
from dispatch.core.lifecycle import OVER
from dispatch.core.plans import plan_for
from geo.datum import Datum
from schemas.alarm import AlarmKind
from schemas.base import AssignmentId, IncidentId, UnitId
from schemas.incident import AssignmentState, Case, Mode, OfferState, Role, Status
from schemas.plan import IncidentKind, Level, Need, Plan, Rung, Step
from schemas.unit import Capability
from schemas.wire import AssignUpdate, Assistance, OfferUpdate, Reached
from tests.dispatch.core.cases import (
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

A = AssignmentState
S = Status
PAIR = Plan(needs=(Need(), Need()))
USUAL = plan_for(IncidentKind.OTHER, 3)
LIFE = plan_for(IncidentKind.OTHER, 1)
ELSEWHERE = c.Place(
    lon=113.5,
    lat=23.2,
    given_lon=113.505,
    given_lat=23.197,
    given_datum=Datum.GCJ02,
    juris="gz.huangpu.xiagang",
)
FIRST_AID = Need(role="first_aid", capabilities=(Capability.FIRST_AID,))


def busy() -> Story:
    """Return a case with u1 on the scene, u4 on its way, and others being asked."""
    story = Story(crowd(20), Plan(needs=(Need(), Need(), Need())))
    story.accept("u1")
    story.arrive("u1")
    story.accept("u4")
    return story


def alerts(story: Story) -> dict[str, bool]:
    """Return whom the last decision told what is new, and whether the phone rings again."""
    letters = ((mail.unit_id, mail.frame) for mail in story.last.mail)
    return {to: f.alert for to, f in letters if isinstance(f, OfferUpdate | AssignUpdate)}


def assist(unit: str, story: Story, what: Assistance, n: int = 1, text: str = "") -> c.Assist:
    """Return what a unit asks for from its task."""
    own = story.task(unit)
    return c.Assist(unit_id=own.unit_id, task_id=own.id, what=what, n=n, text=text)


# Correcting. -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "facts", "alert"),
    [
        (c.Correct(place=ELSEWHERE), msgspec.structs.asdict(ELSEWHERE), True),
        (c.Correct(kind=IncidentKind.FIRE), {"kind": "fire"}, True),
        (c.Correct(priority=2), {"priority": 2}, True),
        (c.Correct(title="a fire"), {"title": "a fire"}, False),
        (c.Correct(address="the back gate"), {"address": "the back gate"}, False),
        (c.Correct(needs=(Need(),) * 4), {"needs": (Need(),) * 4}, False),
        (c.Correct(title="a fire", priority=2), {"title": "a fire", "priority": 2}, True),
    ],
)
def test_whoever_is_asked_or_sent_reads_what_is_right(
    command: c.Correct, facts: dict[str, Any], alert: bool
) -> None:
    """Another place, kind or priority rings again; other words do not."""
    story = busy()
    before, asked = story.incident, story.asked()
    assert story.do(command).result == {}
    changed = {
        name
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(story.incident, name)
    }
    assert changed - {"version"} == set(facts)
    assert {name: getattr(story.incident, name) for name in facts} == facts
    assert alerts(story) == dict.fromkeys([*asked, "u1", "u4"], alert)
    updates = [m.frame for m in story.last.mail if isinstance(m.frame, OfferUpdate | AssignUpdate)]
    known = story.incident
    assert {(f.inc.kind, f.inc.pri, f.inc.title, f.inc.addr, f.inc.lon) for f in updates} == {
        (known.kind, known.priority, known.title, known.address, known.lon)
    }


def test_only_place_kind_and_priority_ring_again() -> None:
    """Whoever rides should not look at his phone for less."""
    assert set(ALARMS) == {"place", "kind", "priority"}


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        (c.Correct(priority=2), {"priority": 3}, {"priority": 2}),
        (
            c.Correct(place=ELSEWHERE),
            {"lon": 113.45, "lat": 23.1, "juris": "gz.huangpu"},
            {"lon": 113.5, "lat": 23.2, "juris": "gz.huangpu.xiagang"},
        ),
        (
            c.Correct(needs=(Need(), FIRST_AID)),
            {"needs": [{"role": "responder", "capabilities": ()}]},
            {
                "needs": [
                    {"role": "responder", "capabilities": ()},
                    {"role": "first_aid", "capabilities": (Capability.FIRST_AID,)},
                ]
            },
        ),
    ],
)
def test_what_was_wrong_is_written_down_beside_what_is_right(
    command: c.Correct, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """By the person who said so; a place by its coordinates."""
    story = Story(crowd(1))
    story.do(command)
    entry = story.entry(Event.CORRECTED)
    assert entry.data == {"before": before, "after": after}
    assert (entry.by, entry.via) == ("operator-1", "api")


def test_a_correction_of_nothing_is_no_correction() -> None:
    """It is refused, so that nobody believes it was heard."""
    refusal = Story(crowd(1)).refuses(c.Correct())
    assert isinstance(refusal, Invalid)
    assert refusal.path == "$"


def test_units_are_measured_and_ranked_anew_at_once() -> None:
    """Who is too far from the corrected place is asked no more, and who is near there is."""
    units = NearbyUnits({"a": 60.0, "b": 70.0, "c": 80.0, "x": 900.0, "y": 800.0})
    story = Story(units)
    assert story.asked() == ["a", "b", "c"]
    for name, eta_s in {"a": 300.1, "b": 300.0, "c": float("inf"), "x": 40.0, "y": 50.0}.items():
        units.put(name, eta_s)
    story.do(c.Correct(place=ELSEWHERE))
    assert story.post() == [
        ("a", "offer.end withdrawn", None),
        ("b", "offer.update", None),
        ("c", "offer.end withdrawn", None),
        ("x", "offer", None),
        ("y", "offer", None),
    ]
    assert story.asked() == ["b", "x", "y"]
    assert (story.offer("b").eta_s, story.offer("b").rev) == (300.0, 2)
    assert story.events().count(Event.WITHDRAWN) == 2


@pytest.mark.parametrize(
    "command", [c.Correct(title="x"), c.Correct(priority=1), c.Supplement(note="x")]
)
def test_whom_a_person_asked_from_far_away_is_asked_on(command: c.Command) -> None:
    """Only another place makes a way too long."""
    story = Story(NearbyUnits({"far": 700.0, "unknown": float("inf")}))
    for unit in ("far", "unknown"):
        story.do(c.Ask(unit_id=UnitId(unit)))
    story.do(command)
    assert story.asked() == ["far", "unknown"]


@pytest.mark.parametrize(("newest", "told"), [(44.44, 44.4), (0.0, 0.0), (float("inf"), 60.0)])
def test_an_offer_tells_the_newest_eta(newest: float, told: float) -> None:
    """Who stands there already has no way; where none is known the old one stays."""
    units = crowd(1)
    story = Story(units)
    units.put("u1", newest)
    story.do(c.Supplement(note="x"))
    frame = story.last.mail[0].frame
    assert isinstance(frame, OfferUpdate)
    assert frame.eta_s == story.offer("u1").eta_s == told


@pytest.mark.parametrize(
    ("arrived", "newest", "eta_s", "arrives"),
    [
        (False, 120.0, 120.0, 130),
        (False, float("inf"), 60.0, 60),
        (True, 120.0, 60.0, 60),
    ],
)
def test_the_arrival_of_who_was_sent_is_reckoned_anew(
    arrived: bool, newest: float, eta_s: float, arrives: float
) -> None:
    """Not of one that is there, nor of one that nobody can measure."""
    units = crowd(1)
    story = Story(units)
    story.accept("u1")
    if arrived:
        story.arrive("u1")
    units.put("u1", newest)
    story.pass_s(10)
    story.do(c.Correct(place=ELSEWHERE))
    assert (story.task("u1").eta_s, story.task("u1").arrive_at) == (eta_s, at(arrives))
    assert story.post() == [("u1", "assign.update", None)]


@pytest.mark.parametrize("role", Role)
def test_a_slot_that_somebody_holds_cannot_be_taken_away(role: Role) -> None:
    """He would be on his way to nothing; he is released first, by a person who says so."""
    known = Case(
        incident=incident(status=S.RESPONDING, needs=(Need(),) * 3),
        assignments=(task(slot=1, role=role),),
    )
    with pytest.raises(Conflict) as caught:
        decide(known, c.Correct(needs=(Need(),)), context())
    assert caught.value.state == "responding"
    assert len(decide(known, c.Correct(needs=(Need(),) * 2), context()).case.incident.needs) == 2


def test_who_is_asked_for_a_slot_that_goes_is_asked_no_more() -> None:
    """The others are asked on."""
    story = Story(crowd(9), PAIR)
    story.do(c.Correct(needs=(Need(),)))
    assert story.asked() == ["u1", "u2", "u3"]
    ended = [unit for unit, said, _ in story.post() if said == "offer.end withdrawn"]
    assert ended == ["u4", "u5", "u6"]


def test_a_slot_that_is_added_is_asked_for_at_once() -> None:
    """By what it needs."""
    story = Story(crowd(6))
    story.do(c.Correct(needs=(Need(), Need(role="second"))))
    assert [offer.slot for offer in story.case.offers] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("taken", "plan", "corrected", "step"),
    [
        ((USUAL, 3), LIFE, 1, 1),
        ((USUAL, 3, 60), LIFE, 1, 3),
        ((USUAL, 3, 120), LIFE, 1, 3),
        ((LIFE, 1, 60), USUAL, 3, 3),
        ((LIFE, 1), USUAL, 3, 0),
    ],
)
def test_a_corrected_priority_skips_no_step_of_its_ladder(
    taken: tuple[Any, ...], plan: Plan, corrected: int, step: int
) -> None:
    """At priority 1 the police are called, however far the usual ladder was climbed."""
    was, priority, *seconds = taken
    story = Story(crowd(0), was, priority=priority)
    story.wake_at_its_clocks(sum(seconds))
    story.plan = plan
    story.do(c.Correct(priority=corrected))
    called = {e.data["rung"] for e in story.entries if e.type is Event.ESCALATED}
    assert ("police" in called) is (LIFE in {was, plan})
    assert story.incident.step == step


# Supplementing. ----------------------------------------------------------------------------------


def test_what_became_known_is_added_and_read_by_all_without_ringing() -> None:
    """A line each, the oldest first."""
    story = busy()
    asked = story.asked()
    story.do(c.Supplement(note="two persons"))
    story.do(c.Supplement(note="a child"))
    assert story.incident.note == "two persons\na child"
    assert story.entry(Event.SUPPLEMENTED).data == {"note": "a child"}
    assert alerts(story) == dict.fromkeys([*asked, "u1", "u4"], False)


def test_a_note_has_an_end() -> None:
    """What does not fit is refused whole."""
    story = Story(crowd(1), note="x" * (NOTE_MOST - 2))
    refusal = story.refuses(c.Supplement(note="xx"))
    assert isinstance(refusal, Invalid)
    assert refusal.path == "$.note"
    story.do(c.Supplement(note="x"))
    assert len(story.incident.note) == NOTE_MOST


def test_a_file_may_be_supplemented_when_all_is_over() -> None:
    """Nobody is told any more."""
    story = Story(crowd(1))
    story.do(c.Cancel(why="x"))
    story.do(c.Supplement(note="found later"))
    assert (story.incident.note, story.post()) == ("found later", [])


# Merging, splitting, handing over. ---------------------------------------------------------------


def test_who_is_on_the_way_to_a_merged_incident_is_ordered_to_the_other() -> None:
    """By an errand each; who was only asked is asked no more."""
    story = busy()
    asked = story.asked()
    story.do(c.Merge(into=IncidentId("i2")))
    known = story.incident
    assert (known.status, known.merged_into, known.ended_at) == (S.MERGED, "i2", story.now)
    assert story.entry(Event.MERGED).data == {"into": "i2"}
    assert story.post() == [
        *((unit, "offer.end withdrawn", None) for unit in asked),
        ("u1", "assign.end reassigned", None),
        ("u4", "assign.end reassigned", None),
    ]
    assert story.last.errands == tuple(
        Errand(incident_id=IncidentId("i2"), kind="order", unit_id=UnitId(unit))
        for unit in ("u1", "u4")
    )
    assert story.last.wake_at is None


def test_an_incident_is_not_merged_into_itself() -> None:
    """Its units would be ordered where they are."""
    refusal = Story(crowd(1)).refuses(c.Merge(into=IncidentId("i1")))
    assert isinstance(refusal, Invalid)
    assert refusal.path == "$.into"


def test_that_a_part_became_its_own_incident_is_written_down() -> None:
    """Nothing else changes."""
    story = busy()
    before = story.case
    story.do(c.NoteSplit(child=IncidentId("i2")))
    assert [(e.type, e.data) for e in story.last.entries] == [(Event.SPLIT, {"child": "i2"})]
    assert (story.post(), story.last.offers, story.last.assignments) == ([], (), ())
    assert story.incident == msgspec.structs.replace(
        before.incident, version=before.incident.version + 1
    )


def test_handing_over_lets_our_units_turn_round() -> None:
    """Somebody else takes it on."""
    story = busy()
    asked = story.asked()
    story.do(c.HandOver(to="fire brigade", why="a gas leak"))
    assert (story.incident.status, story.incident.ended_at) == (S.HANDED_OVER, story.now)
    assert story.entry(Event.HANDED_OVER).data == {"to": "fire brigade", "why": "a gas leak"}
    assert {story.task("u1").state, story.task("u4").state} == {A.RELEASED}
    assert story.post() == [
        *((unit, "offer.end withdrawn", None) for unit in asked),
        ("u1", "assign.end released", None),
        ("u4", "assign.end released", None),
    ]


# Reopening. --------------------------------------------------------------------------------------


def settled(plan: Plan = PAIR, **facts: Any) -> Story:
    """Return a case closed after 100 s: u1 resolved its task, u4 was sent home, u2 had declined."""
    story = Story(crowd(6), plan, **facts)
    story.decline("u2")
    story.accept("u1")
    story.arrive("u1")
    story.accept("u4")
    story.wake(100)
    story.do(c.Resolve())
    story.do(c.CloseFile(result="rescued"))
    return story


def test_what_is_reopened_begins_again() -> None:
    """Every slot is free, and whoever was at it or said no before may be asked."""
    story = settled(ring_s=300)
    story.pass_s(900)
    story.do(c.Reopen(why="he fell again"))
    known = story.incident
    assert (known.status, known.reopened_at, known.ring_s) == (S.DISPATCHING, at(1000), 180)
    assert (known.arrived_at, known.resolved_at, known.ended_at, known.result) == (None,) * 4
    assert story.entry(Event.REOPENED).data == {"why": "he fell again"}
    assert story.asked() == ["u1", "u2", "u3", "u4", "u5", "u6"]
    assert [offer.slot for offer in story.case.offers[-6:]] == [0, 0, 0, 1, 1, 1]
    assert {said for _, said, _ in story.post()} == {"offer"}


def test_who_says_no_after_a_reopening_is_asked_no_more() -> None:
    """Neither who is released since."""
    story = settled()
    story.do(c.Reopen(why="x"))
    story.decline("u2")
    story.accept("u1")
    story.do(c.Release(task_id=story.task("u1").id, why="x"))
    assert not {"u1", "u2"} & set(story.asked())


def test_the_ladder_starts_at_the_reopening() -> None:
    """Its clocks have all to come again."""
    ladder = (Step(after_s=60, rung=Rung.OPERATOR),)
    story = settled(Plan(needs=(Need(), Need()), steps=ladder))
    assert story.incident.step == 1
    story.do(c.Reopen(why="x"))
    assert story.incident.step == 0
    story.wake_at_its_clocks(59)
    assert story.incident.step == 0
    story.wake_at_its_clocks(1)
    assert story.incident.step == 1
    assert story.entries[-1].at == at(160)


def test_what_was_done_before_settles_nothing_after() -> None:
    """The first to give up after a reopening leaves a hole, though another had finished once."""
    story = settled()
    story.do(c.Reopen(why="x"))
    story.accept("u3")
    story.report("u3", Reached.ABORTED)
    assert story.incident.status is S.DISPATCHING


@pytest.mark.parametrize("status", sorted(set(Status) - {S.RESOLVED, S.CLOSED}))
def test_only_what_was_settled_is_reopened(status: Status) -> None:
    """What was called off, merged or handed over is final."""
    known = Case(incident=incident(status=status))
    with pytest.raises(Conflict) as caught:
        decide(known, c.Reopen(why="x"), context())
    assert caught.value.state == status


# Escalating, owning, the mode. -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rung", "before", "after", "alarm"),
    [
        (Rung.OPERATOR, Level.GRID, Level.GRID, AlarmKind.OPERATOR),
        (Rung.POLICE, Level.GRID, Level.STREET, AlarmKind.POLICE),
        (Rung.STREET, Level.VILLAGE, Level.STREET, AlarmKind.STREET),
        (Rung.PROFESSIONALS, Level.STREET, Level.DISTRICT, AlarmKind.PROFESSIONALS),
        (Rung.POLICE, Level.DISTRICT, Level.DISTRICT, AlarmKind.POLICE),
        (Rung.OPERATOR, Level.CITY, Level.CITY, AlarmKind.OPERATOR),
    ],
)
def test_a_person_may_take_a_step_of_the_ladder_now(
    rung: Rung, before: Level, after: Level, alarm: AlarmKind
) -> None:
    """A desk is rung; command goes up, and never down."""
    story = Story(crowd(1), level=before)
    story.do(c.Escalate(rung=rung, why="smoke"))
    assert story.incident.level is after
    assert story.entry(Event.ESCALATED).data == {"rung": rung, "reason": "smoke"}
    assert [one.kind for one in story.last.alarms] == [alarm]
    assert story.post() == []


def test_widening_asks_in_the_widest_ring_at_once() -> None:
    """Nobody has to be called for that."""
    story = Story(NearbyUnits({"near": 60.0, "far": 290.0}), Plan(k=1))
    assert story.asked() == ["near"]
    story.do(c.Escalate(rung=Rung.WIDEN, why="smoke"))
    assert (story.incident.ring_s, story.incident.level) == (300, Level.GRID)
    assert story.last.alarms == ()
    story.decline("near")
    assert story.asked() == ["far"]


def test_somebody_answers_for_an_incident_until_he_gives_it_back() -> None:
    """Who did before is written down."""
    story, owners = Story(crowd(1)), []
    for owner in ("wang", "li", None):
        story.do(c.Own(owner=owner))
        owners.append((story.incident.owner, story.entry(Event.OWNED).data["before"]))
        assert story.post() == []
    assert owners == [("wang", None), ("li", "wang"), (None, "li")]


@pytest.mark.parametrize("mode", [Mode.MANUAL, Mode.ASSIST])
def test_where_people_ask_the_engine_does_not(mode: Mode) -> None:
    """Who is asked is asked on; nobody follows him until the engine asks again."""
    story = Story(crowd(5))
    story.do(c.SetMode(mode=mode))
    assert story.entry(Event.MODE).data == {"before": Mode.AUTO, "after": mode}
    assert story.asked() == ["u1", "u2", "u3"]
    story.decline("u1")
    assert story.asked() == ["u2", "u3"]
    story.do(c.SetMode(mode=Mode.AUTO))
    assert story.asked() == ["u2", "u3", "u4"]
    assert story.post() == [("u4", "offer", None)]


def test_where_people_ask_no_search_wakes_anybody() -> None:
    """It is taken up again with the engine's mode."""
    story = Story(crowd(0))
    wakes = [story.last.wake_at]
    wakes += [story.do(c.SetMode(mode=mode)).wake_at for mode in (Mode.MANUAL, Mode.AUTO)]
    assert wakes == [at(10), None, at(10)]


# Asking for more. --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "n", "added"),
    [
        (Assistance.MORE_UNITS, 1, (Need(),)),
        (Assistance.MORE_UNITS, 3, (Need(),) * 3),
        (Assistance.MEDICAL, 1, (FIRST_AID,)),
        (Assistance.FIRE, 1, (Need(role="fire", capabilities=(Capability.EXTINGUISHER,)),)),
        (Assistance.POLICE, 2, ()),
        (Assistance.EQUIPMENT, 1, ()),
    ],
)
def test_a_unit_that_asks_for_more_raises_the_need(
    what: Assistance, n: int, added: tuple[Need, ...]
) -> None:
    """And rings one desk, once, by its own words."""
    story = Story(crowd(1))
    story.accept("u1")
    answer = story.do(assist("u1", story, what, n, "hurry"), phone_of("u1"))
    assert story.incident.needs == (Need(), *added)
    assert answer.result == {"needs": 1 + len(added)}
    entry = story.entry(Event.ASSISTANCE)
    asked = {"assignment": story.task("u1").id, "what": what, "n": n, "text": "hurry"}
    assert (entry.unit_id, entry.by, entry.data) == ("u1", "member-of-u1", asked)
    called = {"rung": CALLS[what], "reason": f"{what} asked for on the scene"}
    assert story.entry(Event.ESCALATED).data == called
    assert [one.kind for one in answer.alarms] == [AlarmKind.ASSISTANCE]


def test_more_units_are_asked_in_the_same_decision() -> None:
    """Three for each slot that was added."""
    story = Story(crowd(9, apart_s=0.1))
    story.accept("u1")
    story.do(assist("u1", story, Assistance.MORE_UNITS, 2), phone_of("u1"))
    said = [said for _, said, _ in story.post()]
    assert said == ["offer"] * 6
    assert {story.offer(unit).slot for unit, _, _ in story.post()} == {1, 2}


@pytest.mark.parametrize(("has", "n", "gets"), [(6, 2, 8), (7, 9, 8), (8, 1, 8), (1, 20, 8)])
def test_a_need_has_an_end(has: int, n: int, gets: int) -> None:
    """Beyond it a person has to think; the desk is rung all the same."""
    story = Story(crowd(1), needs=(Need(),) * has)
    story.accept("u1")
    answer = story.do(assist("u1", story, Assistance.MORE_UNITS, n), phone_of("u1"))
    assert len(story.incident.needs) == answer.result["needs"] == gets == NEEDS_MOST
    assert Event.ASSISTANCE in story.events()


@pytest.mark.parametrize(("unit", "own"), [("u2", True), ("u1", False)])
def test_only_who_has_the_task_asks_from_it(unit: str, own: bool) -> None:
    """Another's is as unknown as one that never was."""
    story = Story(crowd(2))
    story.accept("u1")
    task_id = story.task("u1").id if own else AssignmentId("a9")
    command = c.Assist(unit_id=UnitId(unit), task_id=task_id, what=Assistance.POLICE)
    assert isinstance(story.refuses(command, phone_of(unit)), NotFound)


def test_everything_a_unit_may_ask_for_rings_somebody() -> None:
    """What raises a need is among it."""
    assert set(CALLS) == set(Assistance)
    assert set(MORE) < set(CALLS)


# All of them. ------------------------------------------------------------------------------------

EVERY: list[c.Command] = [
    c.Correct(place=ELSEWHERE, needs=(Need(),) * 3),
    c.Supplement(note="x"),
    c.Merge(into=IncidentId("i2")),
    c.NoteSplit(child=IncidentId("i2")),
    c.HandOver(to="x", why="x"),
    c.Reopen(why="x"),
    c.Escalate(rung=Rung.WIDEN, why="x"),
    c.Own(owner="x"),
    c.SetMode(mode=Mode.MANUAL),
    c.Assist(unit_id=UnitId("u1"), task_id=AssignmentId("a1"), what=Assistance.FIRE),
]


def test_every_rule_is_tried_below() -> None:
    """None is forgotten."""
    assert {type(command) for command in EVERY} == set(RULES)


@pytest.mark.parametrize("command", EVERY, ids=lambda command: type(command).__name__)
def test_the_same_case_is_decided_alike_and_stays_what_it_was(command: c.Command) -> None:
    """State in, decision out."""
    status = S.RESOLVED if isinstance(command, c.Reopen) else S.RESPONDING
    known = Case(
        incident=incident(status=status, needs=(Need(), Need())),
        offers=(offer("o2", slot=1), offer("o3", slot=1, state=OfferState.LAPSED)),
        assignments=(task(),),
    )
    written = msgspec.json.encode(known)
    decisions = [decide(known, command, context(at(5), crowd(9))) for _ in range(2)]
    assert decisions[0] == decisions[1]
    assert decisions[0].entries
    assert decisions[0].case.incident.version == 1
    assert msgspec.json.encode(known) == written


@pytest.mark.parametrize("status", sorted(OVER))
@pytest.mark.parametrize(
    "command",
    [
        c.Correct(title="x"),
        c.Escalate(rung=Rung.POLICE, why="x"),
        c.SetMode(mode=Mode.MANUAL),
        c.Assist(unit_id=UnitId("u1"), task_id=AssignmentId("a1"), what=Assistance.FIRE),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_over_is_neither_corrected_nor_escalated(
    command: c.Command, status: Status
) -> None:
    """It names where the incident stands; it has to be reopened first."""
    known = Case(incident=incident(status=status), assignments=(task(state=A.RESOLVED),))
    with pytest.raises(Conflict) as caught:
        decide(known, command, context())
    assert caught.value.state == status


@pytest.mark.parametrize("status", [S.CANCELLED, S.MERGED, S.HANDED_OVER, S.REJECTED])
@pytest.mark.parametrize("command", [c.Merge(into=IncidentId("i2")), c.HandOver(to="x", why="x")])
def test_what_is_final_is_passed_on_to_nobody(command: c.Command, status: Status) -> None:
    """The table holds no such step."""
    with pytest.raises(Conflict):
        decide(Case(incident=incident(status=status)), command, context())


# Revisions of an outside system. -----------------------------------------------------------------


def test_a_newer_revision_corrects_and_is_kept() -> None:
    """The desk that took the call keeps the master record."""
    story = Story(crowd(3), ext_id="110-7", ext_rev=2)
    story.do(c.Correct(title="two people hurt", ext_rev=3))
    assert (story.incident.title, story.incident.ext_rev) == ("two people hurt", 3)


@pytest.mark.parametrize("revision", [1, 2])
def test_an_older_revision_changes_nothing(revision: int) -> None:
    """It was overtaken on its way."""
    story = Story(crowd(3), ext_id="110-7", ext_rev=2)
    refused = story.refuses(c.Correct(title="nobody hurt", ext_rev=revision))
    assert isinstance(refused, Conflict)
