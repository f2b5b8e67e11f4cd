"""What a router says of some units, as the fleet's searches take it."""

import math

from dispatch.live.fleet import Fleet
from dispatch.live.told import Told, straight
from geo.eta import StraightLine
from geo.point import Point
from geo.standing import Quality
from schemas.base import UnitId
from schemas.unit import Unit, UnitKind, UnitRow

SCENE = Point(113.27, 23.13)
NOW_S = 1_000_000.0
ONE, TWO, STRANGER = UnitId("u1"), UnitId("u2"), UnitId("u9")


def fleet() -> Fleet:
    """Return two units: one at the scene, one about 1 km east of it."""
    made = Fleet(StraightLine(compiled=False))
    units = [
        Unit(id=i, code=i, name=i, kind=UnitKind.VILLAGE, juris="gz", lon=lon, lat=SCENE.lat)
        for i, lon in ((ONE, SCENE.lon), (TWO, SCENE.lon + 0.01))
    ]
    made.load([UnitRow(unit=unit, on_duty=1) for unit in units], NOW_S)
    return made


def test_only_those_who_were_told_of_are_in_reach() -> None:
    """The router's word and ours are never put into one ranking."""
    units = fleet()
    near = Told("valhalla", SCENE, {TWO: (95.0, 640.0)}).near(units)
    assert near.of(1) == (95.0, 640.0)
    assert near.of(0) == (math.inf, math.inf)
    assert near.quality is Quality.NETWORK
    assert near.within(180.0)[0].tolist() == [1]


def test_units_that_left_meanwhile_are_nobody() -> None:
    """An answer may be older than the register."""
    assert (
        Told("valhalla", SCENE, {STRANGER: (1.0, 1.0)}).near(fleet()).within(300.0)[0].tolist()
        == []
    )


def test_nobody_told_of_is_nobody_in_reach() -> None:
    """Nobody has a way there."""
    assert Told("valhalla", SCENE, {}).near(fleet()).within(300.0)[0].tolist() == []


def test_straight_is_as_the_crow_flies() -> None:
    """Whom to ask a router about is told by straight lines, whatever the fleet goes by."""
    near = straight(fleet(), SCENE, NOW_S, 1200.0)
    rows, eta_s, _ = near.within(1200.0)
    assert rows.tolist() == [0, 1]
    assert eta_s[0] == 30.0
    assert 1200.0 > eta_s[1] > 300.0
