"""The offer engine: how many are asked, who next, and closing on the best arrival."""

from typing import Any

import pytest

from dispatch.core import commands as c
from dispatch.core.errors import Taken
from dispatch.core.events import Event
from dispatch.core.matching import Reason
from dispatch.core.offers import (
    arrival,
    end_hopeless,
    excluded,
    expected,
    outstanding,
    release_backups,
    searches,
    slot_for,
    top_up,
    why_short,
)
from dispatch.core.plans import plan_for
from schemas.incident import AssignmentState, Concern, Mode, OfferState, Role, Status
from schemas.plan import IncidentKind, Need, Plan
from schemas.unit import Capability
from schemas.wire import Reached
from tests.dispatch.core.cases import (
    NearbyUnits,
    Standing,
    Story,
    at,
    context,
    crowd,
    draft,
    offer,
    phone_of,
    task,
)

AED = Need(role="aed", capabilities=(Capability.AED,))
FIRST_AID = Need(role="first_aid", capabilities=(Capability.FIRST_AID,))
HEART = Plan(needs=(AED, FIRST_AID))
PAIR = Plan(needs=(Need(), Need()))
CERTAIN = Plan(aim_p=0.95)
BOTH = (Capability.AED, Capability.FIRST_AID)


# How many. ---------------------------------------------------------------------------------------


def test_three_are_asked_at_once_the_soonest_first() -> None:
    """Not one after another, and not everybody."""
    story = Story(crowd(10))
    assert story.asked() == ["u1", "u2", "u3"]
    assert [(unit, said) for unit, said, _ in story.post()] == [
        ("u1", "offer"),
        ("u2", "offer"),
        ("u3", "offer"),
    ]


def test_each_slot_has_its_own_three() -> None:
    """And nobody is asked for two slots."""
    story = Story(crowd(10), PAIR)
    assert [(o.unit_id, o.slot) for o in story.case.offers] == [
        ("u1", 0),
        ("u2", 0),
        ("u3", 0),
        ("u4", 1),
        ("u5", 1),
        ("u6", 1),
    ]


def test_a_declined_offer_is_replaced_in_the_same_decision() -> None:
    """The others ring on."""
    story = Story(crowd(10))
    story.decline("u2")
    assert story.asked() == ["u1", "u3", "u4"]
    assert Event.OFFERED in story.events()


def test_silent_offers_are_replaced_after_twenty_seconds_and_stay_good() -> None:
    """A timeout starts a replacement, and does not void the old offer."""
    story = Story(crowd(10))
    assert story.last.wake_at == at(20)
    story.wake(20)
    assert story.asked(OfferState.LAPSED) == ["u1", "u2", "u3"]
    assert story.asked() == ["u4", "u5", "u6"]


def test_at_most_twelve_of_a_slot_are_out_lapsed_ones_counted() -> None:
    """Then nobody more is asked until one of them is over."""
    story = Story(crowd(40))
    story.wake_at_its_clocks(200)
    assert len(story.asked(OfferState.LAPSED)) == 12
    assert story.asked() == []
    assert story.incident.shortfall is None
    story.decline("u1")
    assert story.asked() == ["u13"]


def test_the_last_room_of_a_slot_is_no_shortage_of_units() -> None:
    """Eleven are out, three could be asked, one may: nothing is short and no ring is widened."""
    out = tuple(offer(f"o{n}", state=OfferState.LAPSED) for n in range(1, 12))
    subject = draft(out, moment=context(field=crowd(20)))
    top_up(subject)
    assert [o.unit_id for o in outstanding(subject, 0)] == ["u12"]
    assert (subject.incident.shortfall, subject.incident.search_at) == (None, None)
    assert subject.incident.ring_s == 180


def test_nobody_is_asked_while_every_slot_is_held() -> None:
    """Not by a clock, and not when a nearer unit gets free."""
    story = Story(crowd(3, eta_s=60, apart_s=30))
    story.accept("u1")
    story.field.put("u9", 10.0)
    story.wake(20)
    assert [o.unit_id for o in story.case.offers] == ["u1", "u2", "u3"]


def test_only_the_free_slot_is_asked_for() -> None:
    """The other has its unit."""
    story = Story(crowd(20, apart_s=1), PAIR)
    story.accept("u1")
    story.wake(20)
    assert {o.slot for o in story.case.offers if o.sent_at == at(20)} == {1}


@pytest.mark.parametrize(
    ("eta_s", "asked"),
    [(60, 6), (150, 8), (175, 12), (200, 12), (270, 9), (299, 11)],
)
def test_with_life_at_stake_the_smallest_set_is_asked_that_makes_arrival_near_certain(
    eta_s: float, asked: int
) -> None:
    """P of 0.95 by 180 s, at an acceptance of 0.4; where nobody can, by 300 s; twelve at most."""
    field = crowd(20, eta_s=eta_s, apart_s=0.01)
    assert len(Story(field, CERTAIN, priority=1).asked()) == asked


def test_what_is_already_out_counts_towards_the_aim() -> None:
    """One of six says no: one more is asked, not six."""
    story = Story(crowd(20), CERTAIN, priority=1)
    assert len(story.asked()) == 6
    story.decline("u1")
    assert story.asked() == ["u2", "u3", "u4", "u5", "u6", "u7"]


def test_the_aim_asks_no_more_than_fit() -> None:
    """Twelve, where it would take more."""
    story = Story(crowd(20, eta_s=200), CERTAIN, priority=1)
    assert len(story.asked()) == 12


# Whom not. ---------------------------------------------------------------------------------------


def test_whoever_is_asked_said_no_has_the_task_or_left_it_is_not_asked_again() -> None:
    """The others may be: they never heard of it, or it was not their answer."""
    offers = tuple(offer(f"o{n}", state=state) for n, state in enumerate(OfferState))
    tasks = tuple(
        task(f"a{n}", unit_id=f"t{n}", state=state) for n, state in enumerate(AssignmentState)
    )
    barred = excluded(draft(offers, tasks))
    assert {o.state for o in offers if o.unit_id in barred} == {"open", "lapsed", "declined"}
    assert {t.state for t in tasks if t.unit_id in barred} == {
        "assigned",
        "en_route",
        "arrived",
        "controlled",
        "aborted",
        "no_show",
        "released",
    }


def test_an_expired_offer_may_be_made_again() -> None:
    """Five minutes later its phone may have a network."""
    story = Story(crowd(1), Plan(exp_s=30))
    story.wake_at_its_clocks(32)
    assert [o.state for o in story.case.offers] == ["expired", "open"]


# What is short. ----------------------------------------------------------------------------------


def test_an_empty_ring_is_skipped_at_once() -> None:
    """Nobody waits a minute for nobody."""
    story = Story(crowd(4, eta_s=200))
    assert story.incident.ring_s == 300
    assert story.asked() == ["u1", "u2", "u3"]
    assert {o.ring_s for o in story.case.offers} == {300}
    assert story.entry(Event.WIDENED).data == {
        "before_s": 180,
        "after_s": 300,
        "reason": "no_unit_within_180_s",
    }


def test_a_ring_with_too_little_hope_is_widened_at_once() -> None:
    """One unit that comes in two cases of five is under 0.5."""
    story = Story(NearbyUnits({"u1": 60.0, "u2": 200.0, "u3": 210.0, "u4": 220.0}))
    assert story.incident.ring_s == 300
    assert story.asked() == ["u1", "u2", "u3"]


def test_a_ring_with_hope_waits_for_its_clock() -> None:
    """Two units make 0.64: what is short is said, and the ring stays."""
    story = Story(NearbyUnits({"u1": 60.0, "u2": 61.0, "u3": 210.0}))
    assert story.incident.ring_s == 180
    assert story.incident.shortfall == "no_unit_within_180_s"


def test_silence_leaves_no_hope_to_wait_for() -> None:
    """Both let it ring for 20 s, and a wider ring is asked then: nobody waits for the minute."""
    story = Story(NearbyUnits({"u1": 60.0, "u2": 61.0, "u3": 210.0, "u4": 220.0, "u5": 230.0}))
    story.wake(20)
    assert story.asked(OfferState.LAPSED) == ["u1", "u2"]
    assert story.asked() == ["u3", "u4", "u5"]
    assert story.entry(Event.WIDENED).data["reason"] == "all_asked"
    assert (story.incident.ring_s, story.incident.shortfall) == (300, None)


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ({}, "no_unit_within_300_s"),
        ({"u1": 301.0}, "no_unit_within_300_s"),
        ({"u1": Standing(eta_s=60, bar=Reason.ENGAGED)}, "engaged"),
        ({"u1": Standing(eta_s=60, bar=Reason.STALE_FIX)}, "stale_fix"),
        ({"u1": Standing(eta_s=60, bar=Reason.UNREACHABLE)}, "unreachable"),
        (
            {
                "u1": Standing(eta_s=60, bar=Reason.ENGAGED),
                "u2": Standing(eta_s=60, bar=Reason.OFF_DUTY),
                "u3": Standing(eta_s=60, bar=Reason.OFF_DUTY),
            },
            "off_duty",
        ),
    ],
)
def test_a_shortfall_is_told_with_its_reason(units: dict[str, Any], reason: str) -> None:
    """The bar that stopped most, or that nobody is there at all."""
    story = Story(NearbyUnits(units))
    assert story.incident.shortfall == reason
    assert story.entry(Event.SHORTFALL).data == {"reason": reason}


def test_units_that_cannot_do_it_are_a_shortfall() -> None:
    """Three are near, and none has what is needed."""
    assert Story(crowd(3), HEART).incident.shortfall == "not_capable"


def test_when_all_have_been_asked_that_is_the_reason() -> None:
    """It is told once, not at every search."""
    story = Story(crowd(3))
    assert Event.SHORTFALL not in story.events()
    story.decline("u1")
    assert story.incident.shortfall == "all_asked"
    story.wake(10)
    assert Event.SHORTFALL not in story.events()


def test_the_bar_of_those_asked_before_hides_no_other() -> None:
    """That somebody was asked is known; that another is engaged is news."""
    story = Story(crowd(3))
    story.field.put("u9", Standing(eta_s=90, bar=Reason.ENGAGED))
    found = story.field.candidates(Need(), 180, frozenset(story.asked()))  # type: ignore[arg-type]  # unit ids
    assert found.left_out == {Reason.ASKED_BEFORE: 3, Reason.ENGAGED: 1}
    assert why_short(found, 180) == "engaged"


def test_a_short_case_searches_again_every_ten_seconds() -> None:
    """Until somebody is found."""
    story = Story(crowd(0))
    assert (story.incident.search_at, story.last.wake_at) == (at(10), at(10))
    story.wake(10)
    assert story.last.wake_at == at(20)
    assert story.incident.status is Status.OPEN


def test_a_shortfall_ends_when_enough_are_found() -> None:
    """And that is written down, with what had been short."""
    story = Story(crowd(0))
    for n in range(1, 4):
        story.field.put(f"u{n}", 60.0 + n)
    story.wake(10)
    assert story.asked() == ["u1", "u2", "u3"]
    assert (story.incident.shortfall, story.incident.search_at) == (None, None)
    assert story.entry(Event.FOUND).data == {"reason": "no_unit_within_300_s"}


def test_two_of_three_are_asked_and_the_third_is_looked_for() -> None:
    """A shortfall does not hold back those there are."""
    story = Story(crowd(2))
    assert story.asked() == ["u1", "u2"]
    assert story.incident.search_at == at(10)


@pytest.mark.parametrize("mode", [Mode.MANUAL, Mode.ASSIST])
def test_where_a_person_decides_the_engine_asks_nobody(mode: Mode) -> None:
    """Nor does it search, or complain."""
    story = Story(crowd(5), mode=mode)
    assert story.case.offers == ()
    assert (story.incident.shortfall, story.last.wake_at) == (None, None)
    assert story.incident.status is Status.OPEN


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ({}, True),
        ({"status": Status.ON_SCENE}, True),
        ({"status": Status.REPORTED}, False),
        ({"status": Status.CONTROLLED}, False),
        ({"mode": Mode.MANUAL}, False),
    ],
)
def test_the_engine_searches_while_units_are_wanted(facts: dict[str, Any], answer: bool) -> None:
    """And only by itself where it may."""
    assert searches(draft(**facts)) is answer


# Closing on the best arrival. --------------------------------------------------------------------


def test_an_accept_withdraws_only_those_who_would_arrive_later() -> None:
    """The nearer one rings on: it may take over."""
    story = Story(NearbyUnits({"near": 60.0, "middle": 100.0, "far": 140.0}))
    story.accept("middle")
    assert story.asked() == ["near"]
    assert story.asked(OfferState.TAKEN) == ["far"]
    assert ("far", "offer.end taken", None) in story.post()
    assert not [said for unit, said, _ in story.post() if unit == "near"]


@pytest.mark.parametrize(("eta_s", "rings_on"), [(79, True), (80, True), (81, False), (99, False)])
def test_clearly_sooner_is_twenty_seconds(eta_s: float, rings_on: bool) -> None:
    """Less is not worth a change of plan."""
    story = Story(NearbyUnits({"u1": eta_s, "holder": 100.0}))
    story.accept("holder")
    assert (story.asked() == ["u1"]) is rings_on


def test_who_is_clearly_sooner_takes_over() -> None:
    """The one overtaken goes on as backup, and learns it."""
    story = Story(NearbyUnits({"near": 60.0, "far": 140.0}), priority=2)
    story.accept("far")
    story.accept("near")
    assert (story.task("near").role, story.task("far").role) == (Role.PRIMARY, Role.BACKUP)
    assert story.task("near").slot == story.task("far").slot == 0
    assert [(unit, said) for unit, said, _ in story.post()] == [
        ("far", "assign.update"),
        ("near", "assign"),
        ("near", "offer.end answered"),
    ]


def test_a_take_over_counts_from_the_newest_fix() -> None:
    """Who has come nearer since he was asked arrives sooner, and who has gone off does not."""
    story = Story(NearbyUnits({"u1": 60.0, "u2": 140.0, "u3": 100.0}))
    story.accept("u3")
    story.pass_s(1)
    story.field.put("u1", 150.0)
    assert isinstance(story.accept("u1").refusal, Taken)
    assert story.offer("u1").state is OfferState.TAKEN


def test_a_unit_whose_place_is_lost_is_reckoned_by_its_offer() -> None:
    """The ETA it was asked with is the newest there is."""
    subject = draft(moment=context(at(10)))
    assert arrival(subject, offer(eta_s=70.0)) == (70.0, at(80))


def test_time_passes_for_those_who_have_not_left() -> None:
    """An offer answered late arrives late, and rings no longer than it can win."""
    story = Story(NearbyUnits({"near": 60.0, "far": 100.0}))
    story.accept("far")
    story.pass_s(15)
    story.accept("near")
    assert story.task("near").arrive_at == at(75)
    story = Story(NearbyUnits({"near": 60.0, "far": 100.0}))
    story.accept("far")
    story.wake(30)
    assert story.offer("near").state is OfferState.TAKEN


def test_nobody_takes_over_from_who_is_there() -> None:
    """All other offers end when he arrives."""
    story = Story(NearbyUnits({"near": 30.0, "far": 170.0}))
    story.accept("far")
    assert story.asked() == ["near"]
    story.arrive("far")
    assert story.asked(OfferState.TAKEN) == ["near"]


def test_an_offer_is_hopeless_where_no_free_slot_is_for_it() -> None:
    """Whoever could fill a free one may still have it; who could not is told to stop at once."""
    moment = context(field=crowd(3, eta_s=90))
    subject = draft((offer("o3"),), (task("a1"),), needs=(Need(), Need()), moment=moment)
    end_hopeless(subject)
    assert subject.entries == []
    subject = draft((offer("o3"),), (task("a1"),), needs=(Need(), AED), moment=moment)
    end_hopeless(subject)
    assert [entry.type for entry in subject.entries] == [Event.TAKEN]
    subject = draft((offer("o3"),), (task("a1"), task("a2", slot=1)), needs=(Need(), Need()))
    end_hopeless(subject)
    assert [entry.type for entry in subject.entries] == [Event.TAKEN]


# Several slots. ----------------------------------------------------------------------------------


def heart_field() -> NearbyUnits:
    """Return units for a heart: one with both, one with each."""
    return NearbyUnits(
        {
            "both": Standing(eta_s=60, capabilities=BOTH),
            "aed": Standing(eta_s=61, capabilities=(Capability.AED,)),
            "aid": Standing(eta_s=62, capabilities=(Capability.FIRST_AID,)),
        }
    )


def test_an_answer_fills_the_slot_it_was_asked_for() -> None:
    """Though it would fit the other too."""
    story = Story(heart_field(), HEART)
    story.accept("both")
    assert story.task("both").slot == story.offer("both").slot == 0


def test_who_brings_both_fills_the_slot_that_is_left() -> None:
    """Its own is filled meanwhile, the other is free, and it can do that as well."""
    story = Story(heart_field(), HEART)
    story.accept("aed")
    story.accept("both")
    assert (story.task("aed").slot, story.task("both").slot) == (0, 1)


def test_who_brings_one_thing_does_not_fill_the_slot_of_another() -> None:
    """The AED slot is held by somebody as quick; first aid is not his trade."""
    field = heart_field()
    field.put("aed2", Standing(eta_s=63, capabilities=(Capability.AED,)))
    story = Story(field, HEART)
    story.accept("aed")
    assert ("aed2", "offer.end taken", None) in story.post()
    assert "both" in story.asked()
    asked = story.offer("aed2")
    command = c.Accept(unit_id=asked.unit_id, offer_id=asked.id, at=story.now)
    assert isinstance(story.refuses(command, phone_of("aed2")), Taken)


def test_a_take_over_is_of_the_slot_whose_holder_comes_last() -> None:
    """It gains most."""
    subject = draft(
        (offer("o3", eta_s=20.0),),
        (task("a1", arrive_at=at(90)), task("a2", slot=1, arrive_at=at(150))),
        moment=context(field=crowd(3, eta_s=20)),
        needs=(Need(), Need()),
    )
    assert slot_for(subject, offer("o3"), at(20)) == 1
    assert slot_for(subject, offer("o3"), at(120)) == 1
    assert slot_for(subject, offer("o3"), at(131)) is None


def test_the_chance_of_a_slot_is_of_those_asked_for_it() -> None:
    """Lapsed ones count, for they may still answer; ended ones do not."""
    offers = (
        offer("o1", eta_s=30.0),
        offer("o2", eta_s=30.0, state=OfferState.LAPSED),
        offer("o3", eta_s=30.0, state=OfferState.DECLINED),
        offer("o4", eta_s=30.0, slot=1),
    )
    subject = draft(offers, needs=(Need(), Need()))
    assert expected(subject, 0, 180) == pytest.approx(0.64)
    assert expected(subject, 1, 180) == pytest.approx(0.4)
    assert [o.id for o in outstanding(subject, 0)] == ["o1"]


# Those overtaken. --------------------------------------------------------------------------------


def overtaken(priority: int, near_s: float = 30.0, far_s: float = 170.0) -> Story:
    """Return a case in which `near` took over from `far` a moment after the call."""
    units = NearbyUnits({"near": near_s, "far": far_s})
    story = Story(units, plan_for(IncidentKind.OTHER, 2), priority=priority)
    story.accept("far")
    story.accept("near")
    return story


@pytest.mark.parametrize("priority", [1, 2])
def test_with_much_at_stake_the_overtaken_goes_on_until_the_sooner_is_there(priority: int) -> None:
    """Whatever the gain: he might still be needed."""
    story = overtaken(priority)
    story.report("near", Reached.EN_ROUTE)
    assert story.task("far").state is AssignmentState.ASSIGNED
    story.pass_s(30)
    story.arrive("near")
    assert story.task("far").state is AssignmentState.OVERTAKEN
    assert ("far", "assign.end overtaken", None) in story.post()


@pytest.mark.parametrize("priority", [3, 4])
def test_with_less_at_stake_the_overtaken_goes_home_when_the_sooner_moves(priority: int) -> None:
    """An accept alone has let people down before."""
    story = overtaken(priority)
    assert story.task("far").state is AssignmentState.ASSIGNED
    story.report("near", Reached.EN_ROUTE)
    assert story.task("far").state is AssignmentState.OVERTAKEN


@pytest.mark.parametrize(
    ("near_s", "far_s", "after_s", "goes_home"),
    [
        (30.0, 170.0, 0, True),
        (141.0, 170.0, 0, False),
        (140.0, 170.0, 0, True),
        (30.0, 170.0, 109, True),
        (30.0, 170.0, 110, False),
        (30.0, 170.0, 111, False),
    ],
)
def test_calling_back_who_is_almost_there_teaches_him_not_to_go(
    near_s: float, far_s: float, after_s: float, goes_home: bool
) -> None:
    """The gain has to be 30 s, and he more than a minute away."""
    holder = task("a1", arrive_at=at(near_s), en_route_at=at(0))
    backup = task("a2", arrive_at=at(far_s), role=Role.BACKUP)
    subject = draft((), (holder, backup), moment=context(at(after_s)), priority=3)
    release_backups(subject)
    assert (subject.tasks[backup.id].state is AssignmentState.OVERTAKEN) is goes_home


def test_while_the_picture_is_partial_nobody_is_called_back() -> None:
    """By what is seen of half the city; at the next look at a whole one he is."""
    story = overtaken(3)
    story.partial = True
    story.arrive("near")
    story.wake_at_its_clocks(60)
    assert story.task("far").state is AssignmentState.ASSIGNED
    assert story.last.put_off
    story.partial = False
    story.wake_at_its_clocks(10)
    assert story.task("far").state is AssignmentState.OVERTAKEN
    assert not story.last.put_off


def test_a_backup_that_is_there_stays() -> None:
    """Two on the scene are two on the scene."""
    story = overtaken(2)
    story.arrive("far")
    story.arrive("near")
    assert story.task("far").state is AssignmentState.ARRIVED


def test_a_backup_holds_its_slot_again_when_the_sooner_gives_up() -> None:
    """Nobody else is asked for it, and its phone rings."""
    story = overtaken(2)
    story.report("near", Reached.ABORTED)
    assert story.task("far").role is Role.PRIMARY
    assert Event.PROMOTED in story.events()
    assert Event.OFFERED not in story.events()
    assert story.incident.status is Status.RESPONDING
    (frame,) = [mail.frame for mail in story.last.mail if mail.unit_id == "far"]
    assert getattr(frame, "alert", None) is True


def test_of_two_backups_the_sooner_holds_the_slot_again() -> None:
    """The other goes on behind him."""
    field = NearbyUnits({"first": 170.0, "second": 120.0, "third": 60.0})
    story = Story(field, priority=2)
    for unit in ("first", "second", "third"):
        story.accept(unit)
    story.report("third", Reached.ABORTED)
    roles = {unit: story.task(unit).role for unit in ("first", "second")}
    assert roles == {"first": Role.BACKUP, "second": Role.PRIMARY}


def test_nobody_overtakes_a_unit_that_a_person_pinned() -> None:
    """Nor is it sent home when it was overtaken before."""
    subject = draft((offer("o3"),), (task("a1", pinned=True, arrive_at=at(500)),))
    assert slot_for(subject, offer("o3"), at(10)) is None
    holder = task("a1", arrive_at=at(30), en_route_at=at(0))
    backup = task("a2", arrive_at=at(170), role=Role.BACKUP, pinned=True)
    subject = draft((), (holder, backup), priority=3)
    release_backups(subject)
    assert subject.entries == []


def test_one_who_held_the_slot_all_along_is_released_by_nobody() -> None:
    """A holder is no backup of himself."""
    subject = draft((), (task("a1", en_route_at=at(5)),), moment=context(at(10)))
    release_backups(subject)
    assert subject.entries == []


# Going home. -------------------------------------------------------------------------------------


def test_nobody_is_called_back_twice() -> None:
    """A unit that was overtaken here once goes on, should that happen again."""
    before = task("a9", unit_id="u1", state=AssignmentState.OVERTAKEN)
    backup = task("a1", role=Role.BACKUP, arrive_at=at(200))
    holder = task("a2", arrive_at=at(60), en_route_at=at(0))
    once = draft((), (backup, holder), priority=3)
    release_backups(once)
    assert once.tasks[backup.id].state is AssignmentState.OVERTAKEN
    again = draft((), (before, backup, holder), priority=3)
    release_backups(again)
    assert again.tasks[backup.id].state is AssignmentState.ASSIGNED


@pytest.mark.parametrize(("now_eta_s", "taken"), [(110.0, True), (121.0, False), (1e9, False)])
def test_a_holder_that_went_away_is_there_when_it_can_be_now(now_eta_s: float, taken: bool) -> None:
    """Its promise of a hundred seconds is not what counts any more."""
    holder = task("a1", warned=(Concern.RECEDING,))
    moment = context(field=NearbyUnits({"u1": now_eta_s, "o3": 99.0, "u3": 99.0}))
    subject = draft((offer("o3"),), (holder,), moment=moment)
    assert (slot_for(subject, offer("o3"), at(99)) is None) is taken
    lost = draft((offer("o3"),), (holder,), moment=context(field=NearbyUnits({"u3": 90.0})))
    assert slot_for(lost, offer("o3"), at(90)) is None
