"""The fleet as it is seen from one incident."""

import math

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch.core.fixes import Fix
from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from dispatch.live.told import Told
from geo.eta import MoveCodes, Reach, StraightLine
from geo.point import Floats, Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import Capability, Unit, UnitKind, UnitRow, UnitState

SCENE = Point(113.27, 23.13)
NOW_S = 1_000_000.0
ONE, FAR = UnitId("u1"), UnitId("u2")


class Counting(StraightLine):
    """Straight lines, counted."""

    def __init__(self) -> None:
        super().__init__(compiled=False)
        self.searches = 0

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Search once more."""
        self.searches += 1
        return super().etas(target, lons, lats, moves, limit_s)


def row(unit_id: UnitId, lon: float, *capabilities: Capability) -> UnitRow:
    """Return a unit on duty."""
    unit = Unit(
        id=unit_id,
        code=unit_id,
        name=unit_id,
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=lon,
        lat=SCENE.lat,
        capabilities=capabilities,
    )
    return UnitRow(unit=unit, on_duty=1)


def fleet_of_two(model: Counting | None = None) -> Fleet:
    """Return two units: one on the scene with an AED, one 20 km away."""
    fleet = Fleet(model or Counting())
    fleet.load([row(ONE, SCENE.lon, Capability.AED), row(FAR, SCENE.lon + 0.2)], NOW_S)
    return fleet


def field(model: Counting | None = None) -> FleetField:
    """Return the field around the scene."""
    return FleetField(fleet_of_two(model), SCENE, NOW_S)


def test_candidates_are_who_in_the_ring_may_be_asked() -> None:
    """The one far away is not; nor is an excluded one."""
    seen = field()
    assert [c.unit_id for c in seen.candidates(Need(), 180, frozenset()).candidates] == [ONE]
    assert seen.candidates(Need(), 180, frozenset({ONE})).candidates == ()


def test_an_eta_is_the_newest_known() -> None:
    """Too far, or not a unit: it never comes."""
    seen = field()
    assert seen.eta_s(ONE) == pytest.approx(30.0)
    assert math.isinf(seen.eta_s(FAR))
    assert math.isinf(seen.eta_s(UnitId("u404")))
    assert not isinstance(seen.eta_s(ONE), np.generic)


def test_a_capable_unit_brings_all_that_is_needed() -> None:
    """Distance has nothing to do with it."""
    seen = field()
    need = Need(capabilities=(Capability.AED,))
    assert seen.capable(ONE, need)
    assert not seen.capable(FAR, need)
    assert seen.capable(FAR, Need())


def test_any_unit_can_be_seen_as_a_candidate() -> None:
    """However far it is; an id nobody knows is none."""
    seen = field()
    near, far = seen.candidate(ONE), seen.candidate(FAR)
    assert near is not None
    assert far is not None
    assert (near.eta_s, far.eta_s) == (30.0, math.inf)
    assert seen.candidate(UnitId("u404")) is None


def test_a_units_state_is_the_fleets() -> None:
    """An id nobody knows has none."""
    seen = field()
    assert seen.state(ONE) is UnitState.AVAILABLE
    assert seen.state(UnitId("u404")) is None


def test_the_hidden_and_the_city_know_nothing_of_each_other() -> None:
    """However near they are: no candidates, no state, no ETA."""
    own = UnitId("canary")
    fleet = Fleet(StraightLine())
    hidden = replace(row(own, SCENE.lon), unit=replace(row(own, SCENE.lon).unit, juris="canary"))
    fleet.load([hidden, row(ONE, SCENE.lon)], NOW_S)
    views = (
        (FleetField(fleet, SCENE, NOW_S), ONE, own),
        (FleetField(fleet, Point(0, 0), NOW_S, hidden=True), own, ONE),
    )
    for seen, known, unknown in views:
        found = seen.candidates(Need(), 180, frozenset()).candidates
        assert [c.unit_id for c in found] == [known]
        assert seen.state(known) is UnitState.AVAILABLE
        assert seen.eta_s(known) == pytest.approx(30.0)
        assert (seen.state(unknown), seen.candidate(unknown)) == (None, None)
        assert math.isinf(seen.eta_s(unknown))


def test_a_decision_costs_one_search() -> None:
    """However often the field is asked; a second one for who is beyond the five-minute ring."""
    model = Counting()
    seen = field(model)
    seen.capable(ONE, Need())
    assert model.searches == 0
    for ring_s in (180, 300):
        seen.candidates(Need(), ring_s, frozenset())
        seen.eta_s(ONE)
    assert model.searches == 1
    seen.eta_s(FAR)
    seen.eta_s(FAR)
    assert model.searches == 2


def test_a_position_is_as_old_as_its_fix() -> None:
    """Without a fresh one, and of a unit nobody knows, nothing is known."""
    fleet = Fleet(Counting())
    fleet.load([row(ONE, SCENE.lon), row(FAR, SCENE.lon)], NOW_S)
    fleet.fix(ONE, Fix(lon=SCENE.lon, lat=SCENE.lat, acc_m=5.0, at_s=NOW_S - 30))
    around = FleetField(fleet, SCENE, NOW_S)
    assert around.age_s(ONE) == 30
    assert around.age_s(FAR) == around.age_s(UnitId("nobody")) == math.inf


def test_what_a_router_told_is_ranked_alone_and_signed() -> None:
    """Its candidates carry its name, and are not mixed with our own."""
    told = Told("valhalla", SCENE, {FAR: (120.0, 900.0)})
    seen = FleetField(fleet_of_two(), SCENE, NOW_S, told=told)
    found = seen.candidates(Need(), 300, frozenset())
    assert [(c.unit_id, c.eta_s, c.told_by) for c in found.candidates] == [(FAR, 120.0, "valhalla")]
    assert seen.eta_s(FAR) == 120.0


def test_a_unit_told_of_is_a_candidate_by_the_routers_word() -> None:
    """Whoever a person names; those it told nothing of, or whom nobody knows, are not."""
    told = Told("valhalla", SCENE, {FAR: (120.0, 900.0)})
    seen = FleetField(fleet_of_two(), SCENE, NOW_S, told=told)
    far, one = seen.candidate(FAR), seen.candidate(ONE)
    assert far is not None
    assert one is not None
    assert (far.eta_s, far.distance_m, far.told_by) == (120.0, 900.0, "valhalla")
    assert (one.eta_s, one.told_by) == (30.0, "")
    assert seen.candidate(UnitId("nobody")) is None


def test_where_nobody_told_of_will_do_our_own_reckoning_takes_its_place() -> None:
    """Better a unit by our own roads than none."""
    told = Told("valhalla", SCENE, {FAR: (120.0, 900.0)})
    seen = FleetField(fleet_of_two(), SCENE, NOW_S, told=told)
    found = seen.candidates(Need(), 300, frozenset({FAR}))
    assert [(c.unit_id, c.told_by) for c in found.candidates] == [(ONE, "")]
    assert seen.eta_s(ONE) == 30.0


def test_a_school_s_guards_set_out_later() -> None:
    """Their ETA says so: children are handed over first."""
    fleet = fleet_of_two()
    school = row(ONE, SCENE.lon)
    fleet.put(replace(school, unit=replace(school.unit, kind=UnitKind.SCHOOL)))
    assert FleetField(fleet, SCENE, NOW_S).eta_s(ONE) == 45.0
