"""The streets of the synthetic city on a bent lattice: which there are, what class, who may pass.

Streets run along numbered lines, `SPACING_M` apart, east and north of the city's centre. Every
tenth line is a main road and every fifth a lesser one, through all the ground; the lines between
are small streets, only where people are. In the middle of every other block between those roads is
a walled compound: four corners with ways between them, and one way out, through a gate.

Each choice is made from the numbers of the lines and the seed alone, never in turn, so that the
streets of a part of the city are those of the whole.
"""

from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.city.city import City
from geo.city.plane import to_degrees, to_metres
from geo.point import Flags, Floats
from geo.roads.classes import CLASS_OF

Codes = NDArray[np.intp]

SPACING_M: Final = 150.0
BEND_M: Final = 22.0
"""How far a corner is moved from where its lines would meet, each way at most."""
BLOCK: Final = 5
MAIN: Final = 2 * BLOCK
PEOPLE_LINES: Final = 4
"""Streets reach 600 m from every unit's home."""
WATER_LINES: Final = 4
"""The river is wider than a street is long: what crosses it has a wet corner so near."""
MARGIN_DEGREES: Final = 0.008
"""Main roads go on for 800 m around the ground."""
GROUND_DETAIL_DEGREES: Final = 0.002

COMPOUND_SHARE: Final = 0.5
WALL: Final = (1, BLOCK - 1)
"""The lines of a block that a compound's walls stand before."""
BARRED_GATES_SHARE: Final = 0.3
MISSING_SHARE: Final = 0.08
ALLEY_SHARE: Final = 0.08
ONE_WAY_SHARE: Final = 0.3

CHOICES: Final = 16
EAST, NORTH, CLASS, MISSING, ONE_WAY, TURNED, COMPOUND, GATE, BARRED = range(9)


class Lattice(NamedTuple):
    """The corners, by column (a line that runs north) and row (one that runs east)."""

    seed: int
    west: int
    """The number of the first column's line; the centre's is 0."""
    south: int
    places: Floats
    """Columns x rows x 2 degrees."""
    dry: Flags
    people: Flags
    ground: Flags
    riverside: Flags

    def lines(self) -> tuple[Codes, Codes]:
        """Return the numbers of each corner's two lines."""
        columns, rows = self.dry.shape
        column, row = np.arange(columns) + self.west, np.arange(rows) + self.south
        return np.repeat(column[:, None], rows, axis=1), np.repeat(row[None, :], columns, axis=0)


class Streets(NamedTuple):
    """Streets between two corners each; the first of both is farther west or south."""

    start: Codes
    """Indexes of the lattice's corners, row by row as numpy flattens them."""
    end: Codes
    road_class: Codes
    one_way: Codes
    """0 for both ways, 1 from start to end, -1 back."""
    gate: Flags
    """Whether a gate stands on it."""


def dice(seed: int, what: int, *numbers: Codes) -> Floats:
    """Return a number from 0 to 1 for every place, the same whenever it is asked (SplitMix64)."""
    mixed = np.array([seed * CHOICES + what], dtype=np.uint64)
    for each in numbers:
        mixed = _mixed(mixed ^ each.astype(np.int64).astype(np.uint64))
    answer: Floats = (_mixed(mixed) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return answer


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def lattice(city: City) -> Lattice:
    """Return the corners of everything the city has, and a little more on each side."""
    homes = to_metres(np.array([unit.home for unit in city.units])) / SPACING_M
    edges = to_metres(np.reshape(city.ground.bounds, (2, 2))) / SPACING_M
    low = np.floor(np.minimum(edges[0], homes.min(axis=0))).astype(int) - MAIN
    high = np.ceil(np.maximum(edges[1], homes.max(axis=0))).astype(int) + MAIN
    column, row = np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1]
    bent = np.stack([dice(city.seed, axis, column, row) for axis in (EAST, NORTH)], axis=-1)
    metres = np.stack([column, row], axis=-1) * SPACING_M + (2.0 * bent - 1.0) * BEND_M
    places = to_degrees(metres)
    wet = _within(city.river.water, places, np.ones(column.shape, dtype=bool))
    roads = (column % BLOCK == 0) | (row % BLOCK == 0)
    around = city.ground.simplify(GROUND_DETAIL_DEGREES).buffer(MARGIN_DEGREES)
    at_home = np.zeros(column.shape, dtype=bool)
    at_home[tuple((np.round(homes).astype(int) - low).T)] = True
    return Lattice(
        seed=city.seed,
        west=int(low[0]),
        south=int(low[1]),
        places=places,
        dry=~wet,
        people=_spread(at_home, PEOPLE_LINES),
        ground=_within(around, places, roads),
        riverside=_spread(wet, WATER_LINES),
    )


def _within(area: shapely.Geometry, places: Floats, asked: Flags) -> Flags:
    """Tell which of the places asked for lie in an area."""
    shapely.prepare(area)
    inside = np.zeros(asked.shape, dtype=bool)
    inside[asked] = shapely.intersects_xy(area, places[asked])
    return inside


def _spread(marked: Flags, lines: int) -> Flags:
    """Return what lies within so many lines of something marked, in a circle."""
    wide = np.pad(marked, lines)
    columns, rows = marked.shape
    near = np.zeros(marked.shape, dtype=bool)
    for east in range(-lines, lines + 1):
        reach = int(np.sqrt(lines**2 - east**2))
        for north in range(-reach, reach + 1):
            near |= wide[lines + east :, lines + north :][:columns, :rows]
    return near


def streets(net: Lattice, water: shapely.Polygon) -> Streets:
    """Return all streets of the lattice, none of which touches the water."""
    corners = np.arange(net.dry.size).reshape(net.dry.shape)
    column, row = net.lines()
    east = _along(net, corners, column, row, 0)
    north = _along(net, corners.T, row, column, 1)
    both = Streets(*(np.concatenate(pair) for pair in zip(east, north, strict=True)))
    return _dry(both, net, water)


def _along(net: Lattice, corners: Codes, along: Codes, line: Codes, axis: int) -> Streets:
    """Return the streets of one direction: from each corner to the next along its line."""
    if axis:
        along, line = along.T, line.T
    start, end = corners[:-1].ravel(), corners[1:].ravel()
    along, line = along[:-1].ravel(), line[:-1].ravel()
    dry, people, ground = net.dry.ravel(), net.people.ravel(), net.ground.ravel()
    big = line % BLOCK == 0
    kept = dry[start] & dry[end]
    kept &= (people[start] & people[end]) | (big & ground[start] & ground[end])
    wall = _walls(net.seed, along, line, axis)
    missing = dice(net.seed, MISSING, along, line, line * 0 + axis) < MISSING_SHARE
    kept &= (wall != SHUT) & ~(missing & ~big & (wall == OUTSIDE))
    chosen = np.flatnonzero(kept)
    along, line, wall = along[chosen], line[chosen], wall[chosen]
    code = _classes(net.seed, along, line, axis, wall)
    return Streets(
        start=start[chosen],
        end=end[chosen],
        road_class=code,
        one_way=_one_ways(net.seed, along, line, axis) * (code == CLASS_OF["residential"]),
        gate=wall == GATED,
    )


OUTSIDE, INSIDE, SHUT, GATED = range(4)


def _walls(seed: int, along: Codes, line: Codes, axis: int) -> Codes:
    """Tell for each street whether it is outside of compounds, inside one, or goes through a wall.

    A compound's corners are those of its block but for the two lines next to the roads around it.
    Of the streets that would leave it one has the gate; the others end at the wall, and are left
    out.
    """
    column, row = (line, along) if axis else (along, line)
    block = (column // BLOCK, row // BLOCK)
    walled = dice(seed, COMPOUND, *block) < COMPOUND_SHARE
    first, last = WALL
    step, side = along % BLOCK, line % BLOCK
    beside = (side > first) & (side < last)
    inside = walled & beside & (step > first) & (step < last - 1)
    through = walled & beside & ((step == first) | (step == last - 1))
    # Eight streets go through the walls: two sides, two lines, two axes.
    number = axis * 4 + (side - first - 1) * 2 + (step == last - 1)
    gate = np.floor(dice(seed, GATE, *block) * 8)
    return np.where(
        inside, INSIDE, np.where(through, np.where(number == gate, GATED, SHUT), OUTSIDE)
    )


def _classes(seed: int, along: Codes, line: Codes, axis: int, wall: Codes) -> Codes:
    alley = dice(seed, CLASS, along, line, line * 0 + axis) < ALLEY_SHARE
    small = np.where(alley, CLASS_OF["path"], CLASS_OF["residential"])
    small = np.where(wall == OUTSIDE, small, CLASS_OF["service"])
    lesser = np.where(line % MAIN == 0, CLASS_OF["primary"], CLASS_OF["tertiary"])
    return np.where(line % BLOCK == 0, lesser, small)


def _one_ways(seed: int, along: Codes, line: Codes, axis: int) -> Codes:
    """Return the direction of each one-way street: the same through a block."""
    stretch = (along // BLOCK, line, line * 0 + axis)
    bound = dice(seed, ONE_WAY, *stretch) < ONE_WAY_SHARE
    return np.where(dice(seed, TURNED, *stretch) < 0.5, 1, -1) * bound


def _dry(found: Streets, net: Lattice, water: shapely.Polygon) -> Streets:
    """Return the streets without those that touch the water."""
    riverside = net.riverside.ravel()
    near = np.flatnonzero(riverside[found.start] | riverside[found.end])
    places = net.places.reshape(-1, 2)
    lines = shapely.linestrings(
        np.stack([places[found.start[near]], places[found.end[near]]], axis=1)
    )
    wet = np.zeros(len(found.start), dtype=bool)
    wet[near] = shapely.intersects(water, lines)
    dry = ~wet
    return Streets(
        start=found.start[dry],
        end=found.end[dry],
        road_class=found.road_class[dry],
        one_way=found.one_way[dry],
        gate=found.gate[dry],
    )
