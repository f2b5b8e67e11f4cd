"""The fleet as it is seen from one incident."""

import math

import numpy as np
import pytest

from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from geo.eta import MoveCodes, Quality, Reach, StraightLine
from geo.point import Floats, Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import Capability, Unit, UnitKind, UnitRow, UnitState

SCENE = Point(113.27, 23.13)
NOW_S = 1_000_000.0
ONE, FAR = UnitId("u1"), UnitId("u2")


class Counting:
    """Straight lines, counted."""

    quality = Quality.STRAIGHT_LINE

    def __init__(self) -> None:
        self.searches = 0

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Search once more."""
        self.searches += 1
        return StraightLine().etas(target, lons, lats, moves, limit_s)


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


def field(model: Counting | None = None) -> FleetField:
    """Return the field around the scene: one unit on it with an AED, one 20 km away."""
    fleet = Fleet(model or Counting())
    fleet.load([row(ONE, SCENE.lon, Capability.AED), row(FAR, SCENE.lon + 0.2)], NOW_S)
    return FleetField(fleet, SCENE, NOW_S)


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


def test_a_decision_costs_one_search() -> None:
    """However often the field is asked; and none when it is not."""
    model = Counting()
    seen = field(model)
    seen.capable(ONE, Need())
    assert model.searches == 0
    for ring_s in (180, 300):
        seen.candidates(Need(), ring_s, frozenset())
        seen.eta_s(ONE)
    assert model.searches == 1
