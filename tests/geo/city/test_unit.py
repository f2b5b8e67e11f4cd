"""The units of the synthetic city."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
import shapely

from geo.city import cells, ground, river, unit
from geo.city.cells import Cells
from geo.city.ground import Register
from geo.city.plane import CENTRE
from geo.city.unit import CityUnit, Homes, Table
from geo.distance import metres_many
from geo.eta import Moves
from geo.jurisdiction import within
from geo.point import Flags

KINDS = {
    *("police_post", "village", "residential", "enterprise", "mall"),
    *("school", "kindergarten", "market", "hospital", "office"),
}
CAPABILITIES = {
    *("aed", "life_buoy", "rope", "extinguisher", "shield"),
    *("fork", "baton", "first_aid", "radio", "stretcher"),
}


class World(NamedTuple):
    """A city's ground with its homes."""

    land: Cells
    names: Register
    water: shapely.Polygon
    homes: Homes

    def enlist(self, kept: Flags) -> tuple[CityUnit, ...]:
        """Return the kept units."""
        dice = np.random.default_rng(2)
        return unit.enlist(self.homes, self.names, self.land, self.water, kept, dice)


@pytest.fixture(scope="module")
def world() -> World:
    """Return the ground of a city, settled."""
    rng = np.random.default_rng(1)
    land = cells.draw(river.draw(rng), rng)
    water = land.course.river().water
    return World(land, ground.register(land, rng), water, unit.settle(land, water, rng))


@pytest.fixture(scope="module")
def units(world: World) -> tuple[CityUnit, ...]:
    """Return all units of a city."""
    return world.enlist(np.ones(unit.UNITS, dtype=bool))


def test_there_are_as_many_as_in_the_city(units: tuple[CityUnit, ...]) -> None:
    """23,334, each with a code of its own."""
    assert len({each.code for each in units}) == len(units) == 23_334


def test_homes_are_on_land_in_their_grid(world: World) -> None:
    """Never in the river."""
    assert not shapely.intersects_xy(world.water, world.homes.places).any()
    assert shapely.contains_xy(world.land.shapes[world.homes.grid], world.homes.places).all()


def test_units_are_denser_in_the_centre(world: World) -> None:
    """More than twenty to the square kilometre, where the city has 3.1."""
    away_m = metres_many(CENTRE, *world.homes.places.T)
    assert (away_m < 3_000).sum() / (np.pi * 9.0) > 20


def test_a_unit_belongs_to_the_grid_of_its_home(world: World, units: tuple[CityUnit, ...]) -> None:
    """By path, and it is named after its village."""
    for each, grid in zip(units, world.homes.grid, strict=True):
        assert each.jurisdiction == world.names.grids[grid].path
        village = world.names.villages[world.land.village[grid]]
        assert within(each.jurisdiction, village.path)
        assert each.name.startswith(village.name)


def test_units_speak_the_vocabulary(units: tuple[CityUnit, ...]) -> None:
    """All kinds, capabilities and ways of moving are in use, and no others."""
    assert {each.kind for each in units} == KINDS
    assert {word for each in units for word in each.capabilities} == CAPABILITIES
    assert {each.moves for each in units} == set(Moves)
    assert {each.roster for each in units} == set(unit.ROSTERS.choices)


def test_capabilities_come_once_and_in_order(units: tuple[CityUnit, ...]) -> None:
    """So that two lists of them can be compared."""
    assert all(list(each.capabilities) == sorted(set(each.capabilities)) for each in units)


def test_a_crew_is_two_or_three_people(units: tuple[CityUnit, ...]) -> None:
    """Any one of whom is enough to go; each has a name of three characters."""
    assert {len(each.crew) for each in units} == {2, 3}
    assert {each.min_crew for each in units} == {1}
    assert {len(name) for each in units for name in each.crew} == {3}


def test_the_countryside_has_village_units(units: tuple[CityUnit, ...]) -> None:
    """And the old town residential ones."""
    kinds = {
        district: Counter(each.kind for each in units if within(each.jurisdiction, district))
        for district in ("gz.conghua", "gz.yuexiu")
    }
    assert kinds["gz.conghua"].most_common(1)[0][0] == "village"
    assert kinds["gz.yuexiu"].most_common(1)[0][0] == "residential"


def test_life_buoys_are_by_the_water(world: World, units: tuple[CityUnit, ...]) -> None:
    """Most units on the bank have one, few others."""
    near = shapely.dwithin(world.water, shapely.points(world.homes.places), 0.004)
    has = np.array(["life_buoy" in each.capabilities for each in units])
    assert has[near].mean() > 0.5
    assert has[~near].mean() < 0.1


def test_a_kept_unit_is_the_one_of_the_whole_city(
    world: World, units: tuple[CityUnit, ...]
) -> None:
    """Cutting down changes nobody."""
    kept = np.zeros(unit.UNITS, dtype=bool)
    kept[[7, 77, 777]] = True
    assert world.enlist(kept) == (units[7], units[77], units[777])


@pytest.mark.parametrize(("draw", "choice"), [(0.0, "a"), (0.24, "a"), (0.26, "b"), (0.999, "b")])
def test_a_table_is_picked_from_by_weight(draw: float, choice: str) -> None:
    """A quarter of the draws fall on a."""
    assert Table(("a", "b"), (1.0, 4.0)).pick(draw) == choice


def test_a_table_gives_each_choice_its_share() -> None:
    """A number up to a quarter falls on the first of one in four."""
    made = unit._table(few=1, many=3)
    assert made == Table(("few", "many"), (1, 4))
    assert [made.pick(draw) for draw in (0.0, 0.24, 0.26, 0.99)] == ["few", "few", "many", "many"]
