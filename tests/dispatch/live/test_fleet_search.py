"""Whom the fleet finds near a place: who is there in time, and who may not be asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.core.matching import Reason
from dispatch.live.fleet import Fleet
from dispatch.live.ground import FRESH_S
from geo.eta import Moves, Quality, StraightLine
from geo.point import Point
from geo.road_eta import RoadNetwork
from tests.dispatch.live.units import (
    ANYBODY,
    LATER_S,
    NOW_S,
    SCENE,
    STEP,
    fix,
    fleet,
    found,
    row,
    uid,
)
from tests.geo.net import net


def test_an_eta_is_from_where_the_unit_stands() -> None:
    """From its fresh fix, else from its home post; too far is never."""
    units = fleet(row(1), row(2), row(3, lon=SCENE.lon + 1))
    units.fix(uid(2), fix(NOW_S, SCENE.lon + STEP))
    here, near, far = units.reach(SCENE, NOW_S).eta_s
    assert here == pytest.approx(30.0)
    assert near == pytest.approx(30.0 + 51.2 * 1.3 / 1.4, abs=0.3)
    assert far == float("inf")
    assert units.reach(SCENE, NOW_S, limit_s=40.0).eta_s[1] == float("inf")


def test_a_unit_is_at_home_again_when_its_fix_is_old() -> None:
    """For a search at any instant, be it before the last one."""
    units = fleet(row(1), row(2, lon=SCENE.lon + 1))
    units.fix(uid(1), fix(NOW_S, SCENE.lon + 1))
    units.fix(uid(2), fix(NOW_S + 5))
    units.connected(uid(1), +1)
    units.connected(uid(2), +1)
    first, both, second = [uid(2)], [uid(1), uid(2)], [uid(1)]
    late_s = NOW_S + FRESH_S
    for at_s, there in ((0, first), (1, both), (6, second), (1, both), (0, first)):
        assert sorted(found(units, now_s=late_s + at_s)[0]) == there


def test_an_answer_by_road_says_so() -> None:
    """Off the net it is a straight line's as a whole, and says that."""
    roads = Fleet(RoadNetwork(net(((0, 0), (1, 0), (2, 0)))))
    roads.load([row(1), row(2, lon=SCENE.lon + 0.1)], NOW_S)
    beyond = Point(SCENE.lon + 0.1, SCENE.lat)
    for place, quality, unit in (
        (SCENE, Quality.NETWORK, uid(1)),
        (beyond, Quality.STRAIGHT_LINE, uid(2)),
    ):
        near = roads.reach(place, NOW_S)
        first, *others = roads.find(near, ANYBODY, 300, frozenset(), NOW_S).candidates
        assert (first.unit_id, first.quality, others) == (unit, quality, [])
        assert roads.candidate(0, near, NOW_S).quality is quality


def test_a_motor_on_the_move_is_asked_to_turn_round() -> None:
    """Going away it takes ten seconds longer than coming; on foot nobody minds, nor standing."""
    road = tuple((float(n), 0.0) for n in range(-20, 21))
    for moves, passed_s, more_s in (
        (Moves.CAR, 5.0, 10.0),
        (Moves.CAR, 60.0, 0.0),
        (Moves.FOOT, 5.0, 0.0),
    ):
        roads = Fleet(RoadNetwork(net(road)))
        away = SCENE.lon + 4 * STEP
        roads.load([row(1, moves=moves), row(2, moves=moves)], NOW_S)
        for number, before in ((1, away + STEP), (2, away - STEP)):
            roads.fix(uid(number), fix(NOW_S, before))
            roads.fix(uid(number), fix(NOW_S + passed_s, away))
        coming_s, going_s = roads.reach(SCENE, NOW_S).eta_s.tolist()
        assert going_s - coming_s == pytest.approx(more_s)


def test_a_motor_that_hardly_moved_heads_nowhere() -> None:
    """What a fix is off by is no course."""
    roads = Fleet(RoadNetwork(net(((-20, 0), (20, 0)))))
    roads.load([row(1, moves=Moves.CAR)], NOW_S)
    roads.fix(uid(1), fix(NOW_S, SCENE.lon + STEP - STEP / 10))
    roads.fix(uid(1), fix(NOW_S + 1, SCENE.lon + STEP))
    here = Fleet(RoadNetwork(net(((-20, 0), (20, 0)))))
    here.load([row(1, moves=Moves.CAR, lon=SCENE.lon + STEP)], NOW_S)
    assert roads.reach(SCENE, NOW_S).eta_s == pytest.approx(here.reach(SCENE, NOW_S).eta_s)


def test_the_way_of_moving_counts() -> None:
    """A car is there sooner than somebody on foot."""
    away = SCENE.lon + 4 * STEP
    units = fleet(row(1, lon=away), row(2, lon=away, moves=Moves.CAR))
    assert found(units)[0] == [uid(2), uid(1)]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"disabled": True}, Reason.DISABLED),
        ({"on_duty": 0}, Reason.OFF_DUTY),
        ({"min_crew": 2}, Reason.OFF_DUTY),
        ({"engaged": True}, Reason.ENGAGED),
        ({"open_offers": 1}, Reason.OFFERED),
        ({"fixed": False}, Reason.STALE_FIX),
    ],
)
def test_who_may_not_be_asked_is_counted_by_reason(facts: dict[str, Any], reason: Reason) -> None:
    """The others may."""
    assert found(fleet(row(1, **facts), row(2))) == ([uid(2)], {reason: 1})


def test_after_the_start_everybody_counts_as_reachable_for_a_minute() -> None:
    """Then only those with a phone that is connected."""
    units = fleet(row(1), row(2))
    units.connected(uid(2), +1)
    assert found(units, now_s=LATER_S - 1) == ([uid(1), uid(2)], {})
    assert found(units, now_s=LATER_S) == ([uid(2)], {Reason.UNREACHABLE: 1})


def test_an_offline_unit_counts_as_reachable_when_a_phone_of_it_can_be_woken() -> None:
    """By a push address; not where nothing would be pushed."""
    rows = row(1, pushable=1), row(2)
    assert found(fleet(*rows), now_s=LATER_S) == ([uid(1)], {Reason.UNREACHABLE: 1})
    without_webhook = Fleet(StraightLine(), wakes=False)
    without_webhook.load(rows, NOW_S)
    assert found(without_webhook, now_s=LATER_S) == ([], {Reason.UNREACHABLE: 2})


def test_reading_the_fleet_anew_is_no_start() -> None:
    """The minute is not given twice."""
    units = fleet(row(1))
    units.load([row(1)], LATER_S)
    assert found(units, now_s=LATER_S) == ([], {Reason.UNREACHABLE: 1})


def test_a_roving_unit_needs_a_fresh_fix() -> None:
    """One with a post of its own is thought to be there."""
    units = fleet(row(1, fixed=False))
    units.fix(uid(1), fix())
    assert found(units)[0] == [uid(1)]


def test_only_so_many_are_named() -> None:
    """The best of them."""
    units = fleet(*(row(n, lon=SCENE.lon + n * STEP) for n in range(1, 6)))
    assert found(units, most=2)[0] == [uid(1), uid(2)]


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=30), st.sampled_from([60, 180, 300]))
def test_a_ring_holds_those_who_can_be_there(away: list[float], ring_s: int) -> None:
    """Exactly those whose ETA is inside it, by arrival."""
    units = fleet(*(row(n, lon=SCENE.lon + far) for n, far in enumerate(away)))
    eta_s = {u.id: float(e) for u, e in zip(units, units.reach(SCENE, NOW_S).eta_s, strict=True)}
    names, left_out = found(units, ring_s=ring_s)
    assert set(names) == {u for u, eta in eta_s.items() if eta <= ring_s}
    assert [eta_s[u] for u in names] == sorted(eta_s[u] for u in names)
    assert left_out == {}
