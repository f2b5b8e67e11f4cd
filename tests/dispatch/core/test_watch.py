"""The watchdogs over units that were sent."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.core import commands as c
from dispatch.core.events import Event
from dispatch.core.watch import NEEDS_MOST, absent, not_nearer, times, watch
from schemas.alarm import AlarmKind
from schemas.base import UnitId
from schemas.incident import (
    AssignmentKind,
    AssignmentState,
    Concern,
    Mode,
    OfferState,
    Role,
    Status,
)
from schemas.plan import Need, Plan, Watch
from schemas.wire import Reached
from tests.dispatch.core.cases import (
    NearbyUnits,
    Standing,
    Story,
    at,
    context,
    crowd,
    draft,
    phone_of,
    task,
)

WATCHED = Plan(k=1, watch=Watch())
U1, U2 = UnitId("u1"), UnitId("u2")


def story(field: NearbyUnits | None = None, plan: Plan = WATCHED, **facts: Any) -> Story:
    """Return a case for which the nearest unit is on its way."""
    begun = Story(field or crowd(3, eta_s=200), plan, ring_s=300, **facts)
    begun.accept("u1")
    return begun


def ordered() -> Story:
    """Return a case to which the farthest unit was ordered."""
    begun = Story(crowd(3, eta_s=200), WATCHED, ring_s=300, mode=Mode.MANUAL)
    begun.do(c.Order(unit_id=UnitId("u3")))
    return begun


def noticed(begun: Story) -> list[tuple[Event, float]]:
    """Return what the watchdogs wrote down, and when."""
    kinds = {Event.UNSEEN, Event.STILL, Event.NO_SHOW, Event.SILENT}
    kinds |= {Event.RECEDING, Event.UNSURE}
    found = [entry for entry in begun.entries if entry.type in kinds]
    return [(entry.type, (entry.at - at(0)).total_seconds()) for entry in found]


def test_a_unit_that_does_not_move_is_noticed_then_replaced_then_given_up() -> None:
    """60 s, 90 s and ten minutes after it was sent, each once."""
    begun = story()
    begun.wake_at_its_clocks(89)
    assert noticed(begun) == [(Event.STILL, 60)]
    assert begun.asked() == []
    begun.wake_at_its_clocks(1)
    assert noticed(begun) == [(Event.STILL, 60), (Event.NO_SHOW, 90)]
    assert begun.asked() == ["u2"]
    assert begun.entry(Event.NO_SHOW).data["reason"].startswith("not moving 90 s")
    assert [alarm.kind for alarm in begun.last.alarms] == [AlarmKind.NO_SHOW]
    begun.wake_at_its_clocks(510)
    assert begun.task("u1").state is AssignmentState.NO_SHOW
    assert ("u1", "assign.end no_show", None) in begun.post()


def test_whoever_accepts_takes_the_slot_of_a_unit_that_did_not_come() -> None:
    """However late: the other one is not coming at all."""
    begun = story()
    begun.wake_at_its_clocks(100)
    begun.field.put("u2", 290.0)
    begun.accept("u2")
    assert begun.task("u2").role is Role.PRIMARY
    assert begun.task("u1").role is Role.BACKUP


def test_a_unit_on_its_way_is_left_alone() -> None:
    """Its newest ETA falls."""
    begun = story()
    begun.pass_s(29)
    begun.field.put("u1", 180.0)
    begun.wake_at_its_clocks(600)
    assert noticed(begun) == []
    assert begun.last.wake_at is None or begun.last.wake_at > begun.now


def test_a_unit_that_came_after_all_is_not_given_up() -> None:
    """It was flagged, and then it went."""
    begun = story()
    begun.wake_at_its_clocks(100)
    begun.field.put("u1", 40.0)
    begun.wake_at_its_clocks(600)
    assert begun.task("u1").state is AssignmentState.ASSIGNED


def test_while_the_picture_is_partial_nobody_is_given_up() -> None:
    """It is noticed and doubled all the same: its fixes may go where we do not hear them.

    Whoever has still not come when all is seen again is given up then.
    """
    begun = story()
    begun.partial = True
    begun.wake_at_its_clocks(700)
    assert noticed(begun) == [(Event.STILL, 60), (Event.NO_SHOW, 90)]
    assert begun.task("u1").state is AssignmentState.ASSIGNED
    begun.partial = False
    begun.wake_at_its_clocks(10)
    assert begun.task("u1").state is AssignmentState.NO_SHOW


def test_who_came_while_the_picture_was_partial_is_not_given_up_after_it() -> None:
    """It goes by what is seen then, not by what was seen before."""
    begun = story()
    begun.partial = True
    begun.wake_at_its_clocks(700)
    begun.field.put("u1", 40.0)
    begun.partial = False
    begun.wake_at_its_clocks(100)
    assert begun.task("u1").state is AssignmentState.ASSIGNED


def test_a_pinned_unit_is_not_given_up() -> None:
    """A person wants it there."""
    begun = story()
    begun.do(c.Pin(task_id=begun.task("u1").id, pinned=True))
    begun.wake_at_its_clocks(700)
    assert begun.task("u1").state is AssignmentState.ASSIGNED


def test_an_order_nobody_sees_rings_and_is_doubled() -> None:
    """15 s a desk; 20 s it counts as no-show; asked is only by the engine."""
    begun = ordered()
    begun.wake_at_its_clocks(25)
    assert noticed(begun) == [(Event.UNSEEN, 15), (Event.NO_SHOW, 20)]
    assert begun.task("u3").warned == (Concern.UNSEEN, Concern.NO_SHOW)
    assert begun.asked() == []


def test_an_order_that_is_seen_rings_nowhere() -> None:
    """A human has it in hand."""
    begun = ordered()
    seen = c.SeeTask(unit_id=UnitId("u3"), task_id=begun.task("u3").id)
    begun.do(seen, phone_of("u3"))
    begun.wake_at_its_clocks(25)
    assert noticed(begun) == []


def test_who_took_it_on_by_itself_has_seen_it() -> None:
    """Its own report is no order."""
    begun = story()
    one = begun.task("u1")
    assert replace(one, kind=AssignmentKind.ORDER).seen_at is None
    moment = context(plan=WATCHED)
    found = draft((), (), moment=moment).order(U1, 0, 0.0, Role.PRIMARY, seen=True)
    assert found.seen_at == moment.now


def test_a_silent_scene_rings_and_wants_one_more_unit() -> None:
    """Ten minutes after the last word from there."""
    begun = story()
    begun.arrive("u1")
    begun.wake_at_its_clocks(600)
    assert noticed(begun) == [(Event.SILENT, 600)]
    assert len(begun.incident.needs) == 2
    assert begun.asked() == ["u2"]


def test_a_scene_that_speaks_is_not_silent() -> None:
    """Under control nobody is watched any more."""
    begun = story()
    begun.arrive("u1")
    begun.pass_s(300)
    begun.report("u1", Reached.CONTROLLED)
    begun.wake_at_its_clocks(1000)
    assert noticed(begun) == []


def test_a_full_incident_wants_no_more() -> None:
    """The alarm remains."""
    needs = (Need(),) * NEEDS_MOST
    sent = task(arrived_at=at(0), state=AssignmentState.ARRIVED)
    on_scene = draft(
        (), (sent,), moment=context(at(600), crowd(1), WATCHED), needs=needs, status=Status.ON_SCENE
    )
    watch(on_scene)
    assert [entry.type for entry in on_scene.entries] == [Event.SILENT]
    assert on_scene.incident.needs == needs


def test_an_order_unseen_asks_one_more_where_the_engine_asks() -> None:
    """The nearest that is free."""
    sent = task("a1", kind=AssignmentKind.ORDER)
    moment = context(at(20), crowd(2), WATCHED)
    responding = draft((), (sent,), moment=moment, status=Status.RESPONDING)
    watch(responding)
    assert [o.unit_id for o in responding.offers.values()] == ["u2"]
    assert [o.state for o in responding.offers.values()] == [OfferState.OPEN]


@pytest.mark.parametrize(
    ("eta_s", "gone"), [(100.0, True), (95.0, True), (90.0, False), (60.0, False)]
)
def test_a_unit_is_nearer_when_its_eta_fell_by_ten_seconds(eta_s: float, gone: bool) -> None:
    """A fix is that wrong."""
    moment = context(field=NearbyUnits({"u1": eta_s}))
    assert not_nearer(draft((), (task(),), moment=moment), task()) is gone
    assert absent(draft((), (task(),), moment=moment), task()) is (gone and eta_s * 1.4 > 150)


def test_a_unit_nobody_knows_is_not_called_absent() -> None:
    """Without a fresh fix nobody can tell."""
    assert not absent(draft((), (task(),), moment=context(field=crowd(0))), task())


@pytest.mark.parametrize(
    ("plan", "status"), [(Plan(), Status.RESPONDING), (WATCHED, Status.CONTROLLED)]
)
def test_without_a_plan_or_a_need_nobody_is_watched(plan: Plan, status: Status) -> None:
    """No clock, no entry."""
    still = draft((), (task(),), moment=context(at(100), crowd(1), plan), status=status)
    watch(still)
    assert (still.entries, list(times(still))) == ([], [])


def test_the_clocks_to_come_are_told() -> None:
    """Those that passed are not; a correction of the place begins them anew."""
    sent = task(eta_s=100.0, arrive_at=at(140))
    watched = draft(
        (), (sent,), moment=context(at(75), crowd(1), WATCHED), status=Status.RESPONDING
    )
    assert sorted(times(watched)) == [at(85), at(100), at(130)]
    flagged = replace(sent, warned=(Concern.NO_SHOW,))
    late = draft(
        (), (flagged,), moment=context(at(105), crowd(1), WATCHED), status=Status.RESPONDING
    )
    assert sorted(times(late)) == [at(115), at(640)]


# On the way, again and again. --------------------------------------------------------------------


def test_a_unit_going_away_is_reckoned_anew_and_a_sooner_one_is_asked() -> None:
    """30 s farther than when it was sent is no detour any more."""
    begun = story(crowd(3, eta_s=100))
    begun.wake_at_its_clocks(40)
    begun.field.put("u1", 131.0)
    begun.wake_at_its_clocks(20)
    assert noticed(begun) == [(Event.RECEDING, 45)]
    assert begun.asked() == ["u2"]
    assert begun.task("u1").arrive_at == at(45 + 131)
    assert ("u1", "assign.update", None) in [
        (mail.unit_id, str(mail.frame.__struct_config__.tag), mail.not_to) for mail in begun.mail
    ]
    begun.accept("u2")
    assert (begun.task("u2").role, begun.task("u1").role) == (Role.PRIMARY, Role.BACKUP)


def test_a_unit_that_keeps_going_away_becomes_a_no_show() -> None:
    """Its clocks began anew, and once: it does not come nearer than it was then."""
    begun = story(crowd(1, eta_s=100))
    begun.field.put("u1", 140.0)
    begun.wake_at_its_clocks(110)
    assert noticed(begun) == [
        (Event.RECEDING, 15),
        (Event.STILL, 75),
        (Event.NO_SHOW, 105),
    ]


@pytest.mark.parametrize("eta_s", [100.0, 129.9])
def test_a_detour_is_no_going_away(eta_s: float) -> None:
    """Roads bend."""
    begun = story(crowd(3, eta_s=100))
    begun.field.put("u1", eta_s)
    begun.wake_at_its_clocks(50)
    assert noticed(begun) == []


def test_nobody_is_asked_for_one_going_away_who_would_not_be_sooner() -> None:
    """The next one is as far; and where people ask, the engine does not."""
    begun = story(NearbyUnits({"u1": 100.0, "u2": 290.0}))
    begun.field.put("u1", 300.0)
    begun.wake_at_its_clocks(20)
    assert noticed(begun) == [(Event.RECEDING, 15)]
    assert begun.asked() == []
    manual = story(crowd(3, eta_s=100))
    manual.do(c.SetMode(mode=Mode.MANUAL))
    manual.field.put("u1", 140.0)
    manual.wake_at_its_clocks(20)
    assert (noticed(manual), manual.asked()) == ([(Event.RECEDING, 15)], [])


def test_a_unit_whose_fix_is_too_old_is_asked_where_it_is() -> None:
    """At every look, until it says so or is there; written down once."""
    begun = story()
    begun.field.put("u1", Standing(eta_s=150.0, age_s=46.0))
    begun.wake_at_its_clocks(15)
    assert list(begun.last.unsure) == ["u1"]
    assert noticed(begun) == []
    begun.wake_at_its_clocks(30)
    assert list(begun.last.unsure) == ["u1"]
    assert noticed(begun) == [(Event.UNSURE, 45)]
    begun.wake_at_its_clocks(15)
    assert list(begun.last.unsure) == ["u1"]
    begun.field.put("u1", Standing(eta_s=150.0, age_s=45.0))
    begun.wake_at_its_clocks(15)
    assert list(begun.last.unsure) == []
    assert len(noticed(begun)) == 1


def test_a_fix_too_old_says_nothing_of_going_away() -> None:
    """It may have been anywhere since."""
    begun = story(crowd(1, eta_s=100))
    begun.field.put("u1", Standing(eta_s=200.0, age_s=60.0))
    begun.wake_at_its_clocks(30)
    assert noticed(begun) == []


def test_nobody_is_looked_at_for_ever() -> None:
    """Not after it would be given up, and not on the scene."""
    begun = story()
    begun.do(c.Pin(task_id=begun.task("u1").id, pinned=True))
    begun.field.put("u1", 150.0)
    begun.wake_at_its_clocks(600)
    assert begun.last.wake_at is None
    there = story()
    there.arrive("u1")
    assert there.last.wake_at == there.now + timedelta(seconds=600)
