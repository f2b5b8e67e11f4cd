"""Classes of roads: who may be on them and how fast they get along."""

import numpy as np
import pytest

from geo.eta import PACES, Moves
from geo.roads.classes import ALL, CLASS_OF, CLASSES, RoadClass, usual_mps
from geo.roads.travel import CAR, FOOT, MOTORBIKE, TRAVELS, Travel

BY_NAME = {each.name: each for each in CLASSES}
STREETS = ["primary", "secondary", "tertiary", "unclassified", "residential"]


def test_every_class_has_one_code() -> None:
    """A byte holds it."""
    assert [CLASSES[CLASS_OF[each.name]] for each in CLASSES] == list(CLASSES)
    assert len(CLASS_OF) == len(CLASSES) < 256


@pytest.mark.parametrize("road", CLASSES, ids=lambda road: road.name)
def test_everybody_moves_on_every_class(road: RoadClass) -> None:
    """Where a tag lets them: no pace is 0, none above what the travel does anywhere."""
    for travel in TRAVELS:
        assert 0.3 <= road.mps(travel) <= 28
    assert road.mps(Travel.FOOT) <= PACES[Moves.FOOT].speed_mps + 1e-9
    assert road.mps(Travel.BICYCLE) <= PACES[Moves.BICYCLE].speed_mps + 1e-9


@pytest.mark.parametrize("name", STREETS)
def test_streets_are_ridden_and_walked_as_the_straight_line_says(name: str) -> None:
    """The two models differ by the way, not by the rider."""
    assert BY_NAME[name].mps(Travel.FOOT) == pytest.approx(PACES[Moves.FOOT].speed_mps)
    assert BY_NAME[name].mps(Travel.BICYCLE) == pytest.approx(PACES[Moves.BICYCLE].speed_mps)


def test_city_streets_are_driven_near_the_straight_line_s_speed() -> None:
    """30 km/h, a fifth more or less, on the mean of the streets units drive on."""
    for travel, move in ((Travel.MOTORBIKE, Moves.MOTORBIKE), (Travel.CAR, Moves.CAR)):
        mean = np.mean([BY_NAME[name].mps(travel) for name in STREETS])
        assert mean == pytest.approx(PACES[move].speed_mps, rel=0.2)


def test_a_motorbike_is_never_slower_than_a_car_in_town() -> None:
    """It passes what stands in a queue."""
    for name in STREETS:
        assert BY_NAME[name].mps(Travel.MOTORBIKE) >= BY_NAME[name].mps(Travel.CAR)


def test_a_limit_slows_wheels_and_not_walkers() -> None:
    """A car gets along at its share of the limit, a bicycle at the limit itself."""
    primary = BY_NAME["primary"]
    assert primary.mps(Travel.CAR, 20) == pytest.approx(20 * primary.car_share / 3.6)
    assert primary.mps(Travel.BICYCLE, 10) == pytest.approx(10 / 3.6)
    assert primary.mps(Travel.FOOT, 1) == primary.mps(Travel.FOOT)
    assert primary.mps(Travel.CAR, 130) > primary.mps(Travel.CAR, 60)


def test_nothing_goes_faster_than_it_can() -> None:
    """A guard's motorbike does 70 km/h."""
    assert BY_NAME["motorway"].mps(Travel.MOTORBIKE, 130) == pytest.approx(70 / 3.6)


def test_stairs_halve_a_walker_s_pace() -> None:
    """Up or down."""
    steps, street = BY_NAME["steps"], BY_NAME["residential"]
    assert steps.mps(Travel.FOOT) == pytest.approx(street.mps(Travel.FOOT) / 2)


def test_the_usual_paces_are_closed_to_whom_the_class_is() -> None:
    """The table that drawn nets are made with."""
    usual = usual_mps()
    assert usual.shape == (4, len(CLASSES))
    assert (usual[:, CLASS_OF["footway"]] > 0).tolist() == [True, False, False, False]
    assert (usual[:, CLASS_OF["motorway"]] > 0).tolist() == [False, False, True, True]
    assert (usual[:, CLASS_OF["busway"]] == 0).all()
    for code, road in enumerate(CLASSES):
        assert ((usual[:, code] > 0).all()) == (road.open_to == ALL)
    assert usual[FOOT, CLASS_OF["primary"]] < usual[CAR, CLASS_OF["primary"]]
    assert usual[MOTORBIKE, CLASS_OF["primary"]] == pytest.approx(10.0)
