"""The units of the synthetic city: where they stand, who they are, what they carry."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar

import numpy as np
import shapely
from numpy.random import Generator

from geo.city.cells import Cells, Numbers
from geo.city.ground import Place, Register
from geo.city.names import FIRST, GIVEN, SECOND, SURNAMES
from geo.city.plane import DECIMALS
from geo.eta import Moves
from geo.point import Flags, Floats, Point

UNITS: Final = 23_334
# Some villages have many units, some few.
CLUSTERING: Final = 0.6
# A unit stands about that share of a grid's width from its middle.
SPREAD: Final = 0.25
# About 500 m.
NEAR_WATER_DEGREES: Final = 0.005
DRAWS: Final = 32

Draws = Iterator[float]
Choice = TypeVar("Choice")


class Table(NamedTuple):
    """Choices, and how often each is the one."""

    choices: tuple[str, ...]
    bounds: tuple[float, ...]

    def pick(self, draw: float) -> str:
        """Return the choice that a number from 0 to 1 falls on."""
        return self.choices[bisect(self.bounds, draw * self.bounds[-1])]


def _table(**weights: float) -> Table:
    return Table(tuple(weights), tuple(accumulate(weights.values())))


# Kinds of units, in the town and in villages.
TOWN_KINDS: Final = _table(
    police_post=4, village=6, residential=38, enterprise=14, mall=5, school=8, kindergarten=7,
    market=5, hospital=3, office=10,
)  # fmt: skip
VILLAGE_KINDS: Final = _table(
    police_post=4, village=45, residential=12, enterprise=18, mall=1, school=7, kindergarten=5,
    market=5, hospital=2, office=1,
)  # fmt: skip
NOUNS: Final = {
    "police_post": "警务室",
    "village": "治保队",
    "residential": "花园",
    "enterprise": "实业",
    "mall": "商场",
    "school": "学校",
    "kindergarten": "幼儿园",
    "market": "市场",
    "hospital": "医院",
    "office": "大厦",
}
POLICE_MOVES: Final = _table(foot=10, bicycle=5, ebike=25, motorbike=45, car=15)
MOVES: Final = _table(foot=40, bicycle=10, ebike=33, motorbike=13, car=4)
ROSTERS: Final = _table(day=45, evening=22, night=13, always=20)
# How likely a unit of a kind carries what.
CAPABILITIES: Final[dict[str, dict[str, float]]] = {
    "police_post": {"shield": 1, "fork": 1, "baton": 1, "radio": 1, "first_aid": 0.6, "aed": 0.2},
    "village": {"shield": 0.7, "fork": 0.7, "baton": 0.8, "radio": 0.6, "extinguisher": 0.7},
    "residential": {"shield": 0.6, "fork": 0.6, "baton": 0.8, "radio": 0.9, "extinguisher": 0.9},
    "enterprise": {"shield": 0.5, "fork": 0.5, "baton": 0.6, "extinguisher": 1, "first_aid": 0.5},
    "mall": {"shield": 0.9, "fork": 0.9, "baton": 0.9, "radio": 1, "extinguisher": 1, "aed": 0.6},
    "school": {"shield": 1, "fork": 1, "baton": 1, "radio": 0.7, "first_aid": 0.8, "aed": 0.4},
    "kindergarten": {"shield": 1, "fork": 1, "baton": 1, "first_aid": 0.8, "extinguisher": 0.9},
    "market": {"shield": 0.6, "fork": 0.5, "baton": 0.7, "extinguisher": 1, "radio": 0.4},
    "hospital": {
        "aed": 1,
        "first_aid": 1,
        "stretcher": 1,
        "shield": 0.8,
        "baton": 0.8,
        "radio": 0.8,
    },
    "office": {"extinguisher": 1, "aed": 0.3, "radio": 0.9, "first_aid": 0.4, "baton": 0.5},
}
BY_THE_WATER: Final = {"life_buoy": 0.7, "rope": 0.7}
ELSEWHERE: Final = {"life_buoy": 0.05, "rope": 0.25}


@dataclass(frozen=True, slots=True)
class CityUnit:
    """A unit as the city lists it; its jurisdiction is the grid of its home."""

    code: str
    name: str
    kind: str
    capabilities: tuple[str, ...]
    moves: Moves
    home: Point
    jurisdiction: str
    crew: tuple[str, ...]
    min_crew: int
    roster: str


class Homes(NamedTuple):
    """Where all units stand, by number: their grids, and rows of lon, lat."""

    grid: Numbers
    places: Floats


def settle(cells: Cells, water: shapely.Polygon, rng: Generator) -> Homes:
    """Return the homes of all the city's units: on land, each well inside its grid."""
    liking = rng.lognormal(0.0, CLUSTERING, cells.village[-1] + 1)[cells.village]
    grid, places = np.empty(0, dtype=np.intp), np.empty((0, 2))
    shapely.prepare(water)
    while (missing := UNITS - len(grid)) > 0:
        picked = rng.choice(len(liking), missing, p=liking / liking.sum())
        tried = _beside(cells, picked, rng)
        good = shapely.contains_xy(cells.shapes[picked], tried) & ~shapely.intersects_xy(
            water, tried
        )
        grid, places = np.concatenate([grid, picked[good]]), np.concatenate([places, tried[good]])
    return Homes(grid, places)


def _beside(cells: Cells, grids: Numbers, rng: Generator) -> Floats:
    width = np.sqrt(shapely.area(cells.shapes[grids]))[:, None]
    places: Floats = cells.seeds[grids] + rng.normal(0.0, SPREAD, (len(grids), 2)) * width
    return np.round(places, DECIMALS)


def enlist(
    homes: Homes, names: Register, cells: Cells, water: shapely.Polygon, kept: Flags, rng: Generator
) -> tuple[CityUnit, ...]:
    """Return the kept units; each is the same in every cut of the city."""
    draws = rng.random((len(kept), DRAWS))
    posts = shapely.points(homes.places)
    near = np.atleast_1d(shapely.dwithin(water, posts, NEAR_WATER_DEGREES))
    villages = cells.village[homes.grid]
    return tuple(
        _unit(
            number,
            home=Point(*homes.places[number].tolist()),
            grid=names.grids[homes.grid[number]],
            village=names.villages[villages[number]],
            near_water=bool(near[number]),
            draws=iter(draws[number].tolist()),
        )
        for number in np.flatnonzero(kept).tolist()
    )


def _unit(
    number: int, *, home: Point, grid: Place, village: Place, near_water: bool, draws: Draws
) -> CityUnit:
    kinds = VILLAGE_KINDS if village.name.endswith("村") else TOWN_KINDS
    kind = kinds.pick(next(draws))
    moves = POLICE_MOVES if kind == "police_post" else MOVES
    return CityUnit(
        code=f"U{number + 1:05}",
        name=f"{village.name}{_of(FIRST, draws)[0]}{_of(SECOND, draws)[0]}{NOUNS[kind]}",
        kind=kind,
        capabilities=_capabilities(kind, draws, near_water=near_water),
        moves=Moves(moves.pick(next(draws))),
        home=home,
        jurisdiction=grid.path,
        crew=_crew(draws),
        min_crew=1,
        roster=ROSTERS.pick(next(draws)),
    )


def _capabilities(kind: str, draws: Draws, *, near_water: bool) -> tuple[str, ...]:
    chances = CAPABILITIES[kind] | (BY_THE_WATER if near_water else ELSEWHERE)
    return tuple(sorted(each for each, chance in chances.items() if next(draws) < chance))


def _crew(draws: Draws) -> tuple[str, ...]:
    count = 2 if next(draws) < 0.5 else 3
    return tuple(_of(SURNAMES, draws) + _of(GIVEN, draws) + _of(GIVEN, draws) for _ in range(count))


def _of(choices: Sequence[Choice], draws: Draws) -> Choice:
    return choices[int(next(draws) * len(choices))]
