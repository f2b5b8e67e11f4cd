"""Building the synthetic city."""

import numpy as np
import pytest
import shapely

from geo.city import BadCityError, City, build
from geo.city.plane import CENTRE, area_km2
from geo.distance import metres
from geo.jurisdiction import Level

SEED = 1


@pytest.fixture(scope="module")
def whole() -> City:
    """Return a whole city."""
    return build(SEED)


@pytest.fixture(scope="module")
def part() -> City:
    """Return the same city, cut down."""
    return build(SEED, units=500)


def grids_km2(city: City) -> float:
    """Return the ground of a city's grids."""
    grids = [each.polygon for each in city.jurisdictions if each.level is Level.GRID]
    return area_km2(np.array(grids))


def test_a_whole_city_has_the_figures_of_guangzhou(whole: City) -> None:
    """Its units, their density, its grids."""
    assert len(whole.units) == 23_334
    assert sum(each.level is Level.GRID for each in whole.jurisdictions) == 20_849
    assert len(whole.units) / grids_km2(whole) == pytest.approx(3.1, abs=0.05)


def test_a_part_has_the_units_nearest_the_centre(whole: City, part: City) -> None:
    """The very same ones as in the whole city, in its order."""
    nearest = sorted(whole.units, key=lambda each: metres(CENTRE, each.home))[:500]
    assert len(part.units) == 500
    assert part.units == tuple(sorted(nearest, key=lambda each: each.code))


def test_a_part_has_the_grids_around_its_units(whole: City, part: City) -> None:
    """And all above them; each one is the whole city's."""
    paths = {each.path for each in part.jurisdictions}
    assert {each.jurisdiction for each in part.units} <= paths
    assert {each.parent for each in part.jurisdictions} - {None} <= paths
    known = {each.path: each for each in whole.jurisdictions}
    grids = [each for each in part.jurisdictions if each.level is Level.GRID]
    assert all(known[each.path] == each for each in grids)


def test_a_part_is_as_dense_as_the_whole_is_there(whole: City, part: City) -> None:
    """The units left out are those around, not those between."""
    ground = part.jurisdictions[0].polygon
    shapely.prepare(ground)
    there = shapely.contains_xy(ground, np.array([each.home for each in whole.units])).sum()
    assert len(part.units) > 0.8 * there
    assert ground.area < 0.01 * whole.jurisdictions[0].polygon.area


def test_a_part_is_valid(part: City) -> None:
    """Its shapes are areas, whatever was cut off."""
    shapes = np.array([each.polygon for each in part.jurisdictions])
    assert shapely.is_valid(shapes).all()


def test_the_same_seed_builds_the_same_city(part: City) -> None:
    """And another seed another one."""
    assert build(SEED, units=500) == part
    assert build(SEED + 1, units=500) != part


@pytest.mark.parametrize("units", [-1, 0, 23_335])
def test_no_city_has_so_many_units(units: int) -> None:
    """The error says what is possible."""
    with pytest.raises(BadCityError, match=f"1 to 23334 units, not {units}"):
        build(SEED, units)
