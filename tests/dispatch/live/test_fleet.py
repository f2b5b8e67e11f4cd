"""All units in memory: what the store says, what phones say, what the desk asks."""

from typing import Any

import numpy as np
import pytest

from dispatch.core.events import Event
from dispatch.core.fixes import Fix
from dispatch.core.matching import Reason
from dispatch.live.checkpoint import KEPT_S
from dispatch.live.fleet import Fleet
from dispatch.live.ground import FRESH_S
from dispatch.ports import UnitStates
from geo.eta import Moves, Quality
from geo.point import Box, Point
from geo.road_eta import RoadNetwork
from schemas.incident import OfferState
from schemas.plan import Need
from schemas.unit import Capability, Link, UnitRow, UnitState
from tests.dispatch.live.units import (
    LATER_S,
    NOW_S,
    SCENE,
    STEP,
    entry,
    fix,
    fleet,
    found,
    position,
    row,
    uid,
)
from tests.geo.net import net

# What the store says. ----------------------------------------------------------------------------


def test_a_fleet_knows_the_units_it_was_given() -> None:
    """By id, in order; nothing of any other."""
    units = fleet(row(1), row(2))
    assert len(units) == 2
    assert uid(1) in units
    assert uid(3) not in units
    assert [unit.id for unit in units] == [uid(1), uid(2)]
    assert units.unit(uid(2)) == row(2).unit
    assert units.unit(uid(3)) is None
    assert (units.row(uid(2)), units.row(uid(3))) == (1, None)
    assert units.ids(np.array([1])) == {uid(2)}


def test_units_are_read_on_from_an_id() -> None:
    """In order, whether the id is known or not."""
    units = fleet(row(1), row(3), row(5))
    assert [unit.id for unit in units.after(None)] == ["u1", "u3", "u5"]
    after = {n: [unit.id for unit in units.after(uid(n))] for n in (1, 2, 5)}
    assert after == {1: ["u3", "u5"], 2: ["u3", "u5"], 5: []}


def test_a_fleet_that_is_read_anew_keeps_what_phones_said() -> None:
    """Who is connected, and fixes the store does not have yet; wherever the row now stands."""
    units = fleet(row(2), row(3))
    units.connected(uid(3), +1)
    units.fix(uid(3), fix(lon=SCENE.lon + STEP))
    units.load([row(1), row(3)], NOW_S)
    assert [unit.id for unit in units] == [uid(1), uid(3)]
    assert units.link(uid(3), NOW_S) is Link.ONLINE
    assert units.standing(uid(3), NOW_S).place.lon == SCENE.lon + STEP
    assert units.link(uid(1), NOW_S) is Link.OFFLINE
    assert [kept[0] for kept in units.to_keep()] == [uid(3)]


def test_rows_begin_with_the_units_there_are() -> None:
    """New ones may follow; one that is gone, or stands between, makes them others."""
    units = fleet(row(2), row(3))
    assert units.begins([row(2), row(3)])
    assert units.begins([row(2), row(3), row(4)])
    assert not units.begins([row(2)])
    assert not units.begins([row(1), row(2), row(3)])
    assert not fleet().begins([row(1)])


def test_what_the_store_says_of_a_unit_replaces_what_was_known() -> None:
    """Crew, offers, task, and the unit itself."""
    units = fleet(row(1))
    units.put(row(1, on_duty=0, paused=2, name="新名"))
    assert units.state(uid(1)) is UnitState.PAUSED
    unit = units.unit(uid(1))
    assert unit is not None
    assert unit.name == "新名"


def test_a_fix_newer_than_the_stores_stays() -> None:
    """The store is seconds behind the phones."""
    units = fleet(row(1))
    units.fix(uid(1), fix(NOW_S, SCENE.lon + STEP))
    units.put(row(1, position=position(1, NOW_S - 1, SCENE.lon)))
    assert units.standing(uid(1), NOW_S).place.lon == SCENE.lon + STEP
    units.put(row(1, position=position(1, NOW_S + 1, SCENE.lon)))
    assert units.standing(uid(1), NOW_S + 1) == (SCENE, 0.0)


def test_a_unit_registered_since_is_added() -> None:
    """The newest id comes last; another waits for the next load; a known one is changed."""
    units = fleet(row(1), row(3))
    for added in (row(2), row(4), row(3, on_duty=0)):
        units.add(added)
    assert [unit.id for unit in units] == ["u1", "u3", "u4"]
    assert [units.on_duty(uid(n)) for n in (3, 4)] == [0, 1]
    assert found(units)[0] == ["u1", "u4"]


# What was decided. -------------------------------------------------------------------------------


def test_a_unit_made_since_is_added_behind_the_others() -> None:
    """Known ones are renewed; one whose id is not the greatest waits for the next load."""
    units = fleet(row(2), row(4))
    units.fix(uid(4), fix(lon=SCENE.lon + STEP))
    units.add(row(5, name="new"))
    units.add(row(4, name="renewed"))
    units.add(row(3))
    assert [u.id for u in units] == [uid(2), uid(4), uid(5)]
    assert [u.name for u in units.after(uid(2))] == ["renewed", "new"]
    assert units.standing(uid(4), NOW_S).place.lon == SCENE.lon + STEP
    assert units.state(uid(5)) is UnitState.AVAILABLE


def test_an_offer_is_folded_in() -> None:
    """The unit is asked, and was asked once more today."""
    units = fleet(row(1), row(2))
    units.fold([entry(Event.OFFERED), entry(Event.OFFERED, 3), entry(Event.SHORTFALL, None)])
    assert [units.state(uid(n)) for n in (1, 2)] == [UnitState.OFFERED, UnitState.AVAILABLE]
    candidates = units.find(units.reach(SCENE, NOW_S), Need(), 300, frozenset(), NOW_S).candidates
    assert [c.unit_id for c in candidates] == [uid(2)]


@pytest.mark.parametrize(
    "event",
    [
        Event.LAPSED,
        Event.ACCEPTED,
        Event.DECLINED,
        Event.EXPIRED,
        Event.WITHDRAWN,
        Event.TAKEN,
        Event.OFFER_CANCELLED,
    ],
)
def test_an_offer_that_rings_no_more_is_folded_in(event: Event) -> None:
    """However it ended; one that had lapsed rang no more already."""
    units = fleet(row(1, open_offers=2))
    units.fold([entry(event, before=OfferState.LAPSED)])
    units.fold([entry(event, before=OfferState.OPEN)])
    assert units.state(uid(1)) is UnitState.OFFERED
    units.fold([entry(event, before="open")])
    assert units.state(uid(1)) is UnitState.AVAILABLE


def test_offers_never_count_below_none() -> None:
    """Memory may have missed how one began."""
    units = fleet(row(1))
    units.fold([entry(Event.EXPIRED, before=OfferState.OPEN)])
    units.fold([entry(Event.OFFERED)])
    assert units.state(uid(1)) is UnitState.OFFERED


def test_a_task_is_folded_in_and_out() -> None:
    """Engaged from the assignment to its end; what else is logged changes nothing."""
    units = fleet(row(1))
    units.fold([entry(Event.ASSIGNED), entry(Event.PROGRESSED)])
    assert units.state(uid(1)) is UnitState.ENGAGED
    units.fold([entry(Event.ASSIGNMENT_ENDED)])
    assert units.state(uid(1)) is UnitState.AVAILABLE


def test_a_yes_raises_the_acceptance_rate() -> None:
    """An offer that was only made lowers it."""
    units = fleet(row(1), row(2), row(3))
    for number in (1, 2):
        units.fold([entry(Event.OFFERED, number)])
    units.fold([entry(Event.ACCEPTED, 1, before=OfferState.OPEN)])
    units.fold([entry(Event.EXPIRED, 2, before=OfferState.OPEN)])
    search = units.find(units.reach(SCENE, NOW_S), Need(), 300, frozenset(), NOW_S)
    rates = {c.unit_id: round(c.accept_rate, 2) for c in search.candidates}
    assert rates == {"u1": 0.52, "u2": 0.32, "u3": 0.4}
    assert [c.asked_24h for c in search.candidates] == [0, 1, 1]


def test_the_busy_are_those_asked_or_engaged() -> None:
    """They are worth reading again."""
    units = fleet(row(1), row(2, open_offers=1), row(3, engaged=True))
    assert units.busy() == [uid(2), uid(3)]


def states(*rows: UnitRow) -> UnitStates:
    """Return the states of units as the store tells them."""
    return UnitStates(
        unit_ids=[r.unit.id for r in rows],
        engaged=[r.engaged for r in rows],
        disabled=[r.unit.disabled for r in rows],
        open_offers=[r.open_offers for r in rows],
        on_duty=[r.on_duty for r in rows],
        paused=[r.paused for r in rows],
    )


@pytest.mark.parametrize(
    "fact",
    [
        {"engaged": True},
        {"disabled": True},
        {"open_offers": 1},
        {"on_duty": 2},
        {"paused": 1},
    ],
)
def test_a_unit_of_which_the_store_says_otherwise_is_found(fact: dict[str, Any]) -> None:
    """Whatever decides its state; a unit that memory does not know is none."""
    units = fleet(row(1), row(2))
    assert units.unlike(states(row(1), row(2), row(3))) == []
    assert units.unlike(states(row(1), row(2, **fact), row(3, **fact))) == [uid(2)]
    assert fleet().unlike(states(row(1))) == []


@pytest.mark.parametrize(
    ("fact", "same"),
    [
        ({"engaged": True}, False),
        ({"disabled": True}, False),
        ({"name": "别名"}, False),
        ({"accepts": 1}, False),
        ({"pushable": 1}, False),
        ({"asked_24h": 5}, True),
        ({}, True),
    ],
)
def test_a_unit_is_held_as_the_store_has_it(fact: dict[str, Any], *, same: bool) -> None:
    """But for what goes by with time, and what phones say."""
    units = fleet(row(1))
    units.fix(uid(1), fix())
    assert units.holds(row(1, **fact)) is same


def test_hidden_units_stand_at_hand_wherever_the_place_is() -> None:
    """They are the service's own; others are out of reach."""
    units = fleet(row(1), row(2, juris="canary"))
    assert units.hidden == {uid(2)}
    near = units.at_hand(units.hidden)
    assert near.within(180)[0].tolist() == [1]
    assert near.of(0)[0] == float("inf")
    units.load([row(1)], NOW_S)
    assert units.hidden == frozenset()


# What phones say. --------------------------------------------------------------------------------


def test_a_unit_stands_where_its_newest_fix_is() -> None:
    """An older one, or one of an unknown unit, changes nothing."""
    units = fleet(row(1))
    units.fix(uid(1), fix(NOW_S - 10, SCENE.lon + STEP))
    units.fix(uid(1), fix(NOW_S - 20, SCENE.lon))
    units.fix(uid(9), fix())
    assert units.standing(uid(1), NOW_S) == (Point(SCENE.lon + STEP, SCENE.lat), 10.0)


def test_a_unit_without_a_fresh_fix_is_thought_to_be_at_home() -> None:
    """And it is said that nobody knows."""
    units = fleet(row(1))
    assert units.standing(uid(1), NOW_S) == (SCENE, None)
    units.fix(uid(1), fix(NOW_S - FRESH_S - 1, SCENE.lon + STEP))
    assert units.standing(uid(1), NOW_S) == (SCENE, None)
    units.fix(uid(1), fix(NOW_S - FRESH_S, SCENE.lon + STEP))
    assert units.standing(uid(1), NOW_S).age_s == FRESH_S


def test_a_unit_is_heard_while_one_of_its_phones_is_connected() -> None:
    """Online with a fresh fix, stale without; an unknown unit's phone counts nowhere."""
    units = fleet(row(1))
    units.connected(uid(9), +1)
    assert units.link(uid(1), NOW_S) is Link.OFFLINE
    units.connected(uid(1), +1)
    units.connected(uid(1), +1)
    units.connected(uid(1), -1)
    assert units.link(uid(1), NOW_S) is Link.STALE
    units.fix(uid(1), fix())
    assert units.link(uid(1), NOW_S) is Link.ONLINE
    units.connected(uid(1), -1)
    assert units.link(uid(1), NOW_S) is Link.OFFLINE


def test_a_unit_is_stale_when_none_of_its_phones_was_heard_in_time() -> None:
    """One that is heard is enough; an unknown unit's phone counts nowhere."""
    units = fleet(row(1))
    units.fix(uid(1), fix())
    for _ in range(2):
        units.connected(uid(1), +1)
    units.quiet(uid(9), +1)
    units.quiet(uid(1), +1)
    assert units.link(uid(1), NOW_S) is Link.ONLINE
    units.quiet(uid(1), +1)
    assert units.link(uid(1), NOW_S) is Link.STALE
    units.quiet(uid(1), -1)
    assert units.link(uid(1), NOW_S) is Link.ONLINE


def test_a_position_is_kept_when_the_unit_has_moved() -> None:
    """Never twice for one fix; a few metres are not a move."""
    units = fleet(row(1), row(2))
    units.fix(uid(1), fix(NOW_S))
    assert units.to_keep() == [(uid(1), SCENE, 5.0, NOW_S)]
    assert units.to_keep() == []
    units.fix(uid(1), fix(NOW_S + 1, SCENE.lon + STEP / 10))
    assert units.to_keep() == []
    units.fix(uid(1), fix(NOW_S + 2, SCENE.lon + STEP))
    assert [kept[3] for kept in units.to_keep()] == [NOW_S + 2]


def test_so_many_positions_are_looked_at_and_no_more() -> None:
    """The others wait for the next time, in their order; none is forgotten."""
    units = fleet(*(row(n) for n in range(1, 6)))
    for n in range(1, 6):
        units.fix(uid(n), fix(NOW_S))
    told = []
    while units.moved():
        told.append((units.moved(), [kept[0] for kept in units.to_keep(2)]))
    assert told == [(5, [uid(1), uid(2)]), (3, [uid(3), uid(4)]), (1, [uid(5)])]


def test_a_position_is_kept_when_it_was_not_for_a_minute() -> None:
    """A unit that stands still is known to stand there still."""
    units = fleet(row(1))
    for seconds, kept in ((0, 1), (KEPT_S - 1, 0), (KEPT_S, 1)):
        units.fix(uid(1), fix(NOW_S + seconds))
        assert len(units.to_keep()) == kept


# What the desk asks. -----------------------------------------------------------------------------


def test_any_unit_can_be_seen_as_a_candidate() -> None:
    """Whether it may be asked or not, by its row."""
    units = fleet(row(1), row(2, engaged=True))
    seen = units.candidate(1, units.reach(SCENE, NOW_S), NOW_S)
    assert (seen.unit_id, seen.eta_s, seen.at_home) == (uid(2), 30.0, True)


def test_the_whole_fleet_is_told_by_row() -> None:
    """Where each is found, how it moves, how likely it says yes, and who is free."""
    units = fleet(
        row(1, offers=4, accepts=4),
        row(2, engaged=True, moves=Moves.CAR),
        row(3, on_duty=0),
        row(4, lon=SCENE.lon + STEP),
    )
    units.fix(uid(4), fix(lon=SCENE.lon + 3 * STEP))
    told = units.footing(NOW_S)
    assert told.lons.tolist() == [SCENE.lon] * 3 + [SCENE.lon + 3 * STEP]
    assert told.lats.tolist() == [SCENE.lat] * 4
    assert told.moves.tolist() == [0, 4, 0, 0]
    assert told.rates.tolist() == pytest.approx([0.7, 0.4, 0.4, 0.4])
    assert told.free.tolist() == [True, False, False, True]
    stale = units.footing(NOW_S + FRESH_S + 1)
    assert stale.lons.tolist() == [SCENE.lon] * 3 + [SCENE.lon + STEP]


def test_candidates_come_with_what_is_known_of_them() -> None:
    """ETA, metres, quality, rate, how often asked, and whether the place is only thought."""
    units = fleet(row(1, asked_24h=3), row(2))
    units.fix(uid(2), fix())
    search = units.find(units.reach(SCENE, NOW_S), Need(), 180, frozenset(), NOW_S)
    second, first = search.candidates
    assert (first.unit_id, first.asked_24h, first.at_home) == (uid(1), 3, True)
    assert (second.unit_id, second.asked_24h, second.at_home) == (uid(2), 0, False)
    assert (first.eta_s, first.distance_m, first.quality) == (30.0, 0.0, Quality.STRAIGHT_LINE)
    assert search.left_out == {}


def test_positions_are_worked_off_before_a_search_or_sooner() -> None:
    """Where a model has work with them; a straight line has none."""
    units = fleet(row(1))
    units.fix(uid(1), fix())
    assert units.settle() == 0

    roads = Fleet(RoadNetwork(net(((0, 0), (1, 0), (2, 0)))))
    roads.warm()
    roads.load([row(1), row(2)], NOW_S)
    assert (roads.settle(), roads.settle()) == (2, 0)
    roads.fix(uid(1), fix(lon=SCENE.lon + STEP))
    assert found(roads)[0] == [uid(2), uid(1)]
    assert roads.settle() == 0


def test_capable_is_having_all_that_is_named() -> None:
    """An unknown unit can do nothing."""
    units = fleet(row(1, capabilities=(Capability.AED, Capability.ROPE)))
    both = Need(capabilities=(Capability.ROPE, Capability.AED))
    assert units.capable(uid(1), both)
    assert not units.capable(uid(1), Need(capabilities=(Capability.AED, Capability.FORK)))
    assert not units.capable(uid(2), Need())


def test_who_was_asked_before_or_cannot_do_it_is_left_out() -> None:
    """An id nobody knows excludes nobody; outside the ring nobody is counted."""
    units = fleet(row(1, capabilities=(Capability.AED,)), row(2), row(3, lon=SCENE.lon + 1))
    aed = Need(capabilities=(Capability.AED,))
    assert found(units, aed) == ([uid(1)], {Reason.NOT_CAPABLE: 1})
    barred = frozenset({uid(1), uid(404)})
    assert found(units, excluded=barred) == ([uid(2)], {Reason.ASKED_BEFORE: 1})


# What people see. --------------------------------------------------------------------------------


def test_a_unit_shows_its_crew_on_duty() -> None:
    """As the store counts it."""
    units = fleet(row(1, on_duty=3), row(2, on_duty=0))
    assert [units.on_duty(uid(n)) for n in (1, 2)] == [3, 0]
    assert units.state(uid(2)) is UnitState.OFF


def test_those_in_a_box_are_those_who_stand_there() -> None:
    """By fresh fix, else by home post."""
    units = fleet(row(1), row(2), row(3, lon=SCENE.lon + 1))
    units.fix(uid(2), fix(NOW_S, SCENE.lon + 1))
    box = Box.around(SCENE, 100.0)
    assert units.inside(box, NOW_S) == {uid(1)}
    assert units.inside(box, NOW_S + FRESH_S + 1) == {uid(1), uid(2)}


def test_a_place_that_is_forgotten_is_nowhere() -> None:
    """Not where units are looked for, not what is written down; the next fix begins anew."""
    known = fleet(row(1))
    known.fix(uid(1), Fix(lon=SCENE.lon + STEP, lat=SCENE.lat, acc_m=5.0, at_s=NOW_S))
    known.forget(uid(1))
    known.forget(uid(9))
    standing = known.standing(uid(1), NOW_S)
    assert (standing.place, standing.age_s) == (SCENE, None)
    assert (known.to_keep(), known.fresh(NOW_S).tolist()) == ([], [False])
    known.fix(uid(1), Fix(lon=SCENE.lon + STEP, lat=SCENE.lat, acc_m=5.0, at_s=NOW_S - 1.0))
    assert known.standing(uid(1), NOW_S).age_s == 1.0


def test_what_others_heard_is_shown_and_not_written_down() -> None:
    """The process that took the fix writes it; of a unit nobody knows nothing is shown."""
    units = fleet(row(1), row(2))
    units.hear({uid(1): fix(NOW_S, SCENE.lon + STEP), uid(404): fix()})
    units.hear({uid(404): fix()})
    assert units.standing(uid(1), NOW_S).place.lon == SCENE.lon + STEP
    assert (units.moved(), units.to_keep()) == (0, [])


def test_whose_process_ended_counts_as_reachable_for_a_minute() -> None:
    """As after a start: the phones are coming again."""
    units = fleet(row(1))
    assert found(units, now_s=LATER_S)[0] == []
    units.grace(LATER_S)
    assert found(units, now_s=LATER_S)[0] == [uid(1)]


def test_a_unit_is_called_on_as_the_board_has_it() -> None:
    """In one go, whatever was counted before; one that is not known is left."""
    units = fleet(row(1))
    units.call_on(uid(1), engaged=False, ringing=2)
    units.call_on(uid(404), engaged=True, ringing=0)
    assert units.state(uid(1)) is UnitState.OFFERED
    units.call_on(uid(1), engaged=True, ringing=0)
    assert units.state(uid(1)) is UnitState.ENGAGED


def test_phones_counted_anew_are_those_of_known_units() -> None:
    """A phone that came before its unit was known counts as soon as it is."""
    known = fleet(row(1))
    known.connected(uid(2), +1)
    known.load([row(1), row(2)], NOW_S)
    assert known.link(uid(2), NOW_S) is Link.OFFLINE
    known.recount([(uid(2), False), (uid(3), False)])
    known.fix(uid(2), fix())
    assert known.link(uid(2), NOW_S) is Link.ONLINE
