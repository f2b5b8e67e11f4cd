"""Building the synthetic city from a seed, whole or cut down."""

import numpy as np

from geo.city import cells, ground, river, unit
from geo.city.cells import Cells
from geo.city.city import City
from geo.city.plane import CENTRE
from geo.city.unit import UNITS, Homes
from geo.distance import metres_many
from geo.point import Flags

# Every part has dice of its own, so that a change in one leaves the others as they were.
RIVER, CELLS, NAMES, HOMES, ROLL = range(5)


class BadCityError(ValueError):
    """No city can have so many units."""

    def __init__(self, units: int) -> None:
        """Keep the number asked for."""
        super().__init__(units)
        self.units = units

    def __str__(self) -> str:
        """Say what is possible."""
        return f"a city has 1 to {UNITS} units, not {self.units}"


def build(seed: int, units: int = UNITS) -> City:
    """Return the city of this seed, always the same; fewer units are those nearest the centre.

    A city with fewer units has only the grids around them, at the same density, and every unit
    in it is the one it is in the whole city.

    Raises:
        BadCityError: There are not so many units.
    """
    if not 1 <= units <= UNITS:
        raise BadCityError(units)
    dice = [np.random.default_rng([seed, part]) for part in (RIVER, CELLS, NAMES, HOMES, ROLL)]
    land = cells.draw(river.draw(dice[RIVER]), dice[CELLS])
    names = ground.register(land, dice[NAMES])
    water = land.course.river()
    homes = unit.settle(land, water.water, dice[HOMES])
    kept_grids, kept_units = _cut(land, homes, units)
    return City(
        seed=seed,
        jurisdictions=ground.jurisdictions(land, names, kept_grids),
        units=unit.enlist(homes, names, land, water.water, kept_units, dice[ROLL]),
        river=water,
        bridges=land.course.bridges(),
    )


def _cut(land: Cells, homes: Homes, units: int) -> tuple[Flags, Flags]:
    """Return which grids and units stay: the nearest units, the grids under and between them."""
    grids, posts = np.ones(len(land.shapes), dtype=bool), np.ones(len(homes.grid), dtype=bool)
    if units == UNITS:
        return grids, posts
    away_m = metres_many(CENTRE, *homes.places.T)
    posts[np.argsort(away_m, kind="stable")[units:]] = False
    grids[:] = metres_many(CENTRE, *land.seeds.T) <= away_m[posts].max()
    grids[homes.grid[posts]] = True
    return grids, posts
