"""The synthetic city as one value."""

import numpy as np
import pytest
import shapely

from geo.city import City, build
from geo.city.city import IncidentPlace
from geo.jurisdiction import Level


@pytest.fixture(scope="module")
def town() -> City:
    """Return a part of a city with a river in it."""
    return build(seed=1, units=2_000)


@pytest.fixture(scope="module")
def places(town: City) -> list[IncidentPlace]:
    """Return where two thousand things happen."""
    return town.incident_places(np.random.default_rng(1), 2_000)


def test_every_home_belongs_to_its_units_jurisdiction(town: City) -> None:
    """The index says what the list of units says."""
    homes = np.array([each.home for each in town.units])
    found = town.index.deepest_many(homes[:, 0].copy(), homes[:, 1].copy())
    assert found == [each.jurisdiction for each in town.units]


def test_the_ground_is_the_citys_polygon(town: City) -> None:
    """Which is the first of the jurisdictions."""
    assert town.jurisdictions[0].path == "gz"
    assert town.ground is town.jurisdictions[0].polygon


def test_incidents_happen_on_the_citys_ground(town: City, places: list[IncidentPlace]) -> None:
    """Every place has its grid, on the bank too."""
    grids = [town.index.deepest(place.point) for place in places]
    assert all(each is not None and each.level is Level.GRID for each in grids)


def test_incidents_happen_on_land_or_on_the_bank(town: City, places: list[IncidentPlace]) -> None:
    """Only those on the bank touch the water, and they are few."""
    water = town.river.water
    dry = [place.point for place in places if not place.on_bank]
    bank = [place.point for place in places if place.on_bank]
    assert not shapely.intersects_xy(water, np.array(dry)).any()
    assert max(water.boundary.distance(shapely.Point(point)) for point in bank) < 1e-9
    assert 0.02 < len(bank) / len(places) < 0.06


def test_incidents_happen_near_units(town: City, places: list[IncidentPlace]) -> None:
    """Where people are, there are units: half of the places have one within 250 m or so."""
    tree = shapely.STRtree(shapely.points([each.home for each in town.units]))
    points = shapely.points([place.point for place in places])
    _, away = tree.query_nearest(points, return_distance=True, all_matches=False)
    assert np.median(away) < 0.0025


def test_the_same_dice_give_the_same_places(town: City, places: list[IncidentPlace]) -> None:
    """A run can be repeated."""
    assert town.incident_places(np.random.default_rng(1), 2_000) == places
    assert town.incident_places(np.random.default_rng(1), 0) == []


def test_away_from_the_river_nothing_happens_on_its_bank() -> None:
    """A city cut down to its centre has no water."""
    centre = build(seed=1, units=1)
    places = centre.incident_places(np.random.default_rng(1), 500)
    assert len(places) == 500
    assert not any(place.on_bank for place in places)
