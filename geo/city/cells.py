"""The grids of the synthetic city as cells of one Voronoi diagram, and what they are parts of."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray

from geo.city.names import DISTRICTS
from geo.city.plane import Shapes, area_km2, to_degrees, to_metres
from geo.city.river import Course
from geo.point import Flags, Floats

Numbers = NDArray[np.intp]

GRIDS: Final = 20_849
AREA_KM2: Final = 7_434.0
GRIDS_PER_VILLAGE: Final = 7.45
# Grids follow people more than ground.
PEOPLE_SHARE: Final = 0.8
# Some people live in towns, the others anywhere.
TOWN_SHARE: Final = 0.65
TOWNS_PER_STREET: Final = 2
TOWN_SIZE: Final = 0.35
# The river parts people: who lives beyond it is that much farther away.
CROSSING_M: Final = 5_000.0
# Larger districts reach farther, but less than their size would have it.
PULL: Final = 0.75
OUTLINE: Final = 1.15
RELAXATIONS: Final = 2
SEA_STEP_M: Final = 1_200.0
SEA_MARGIN_M: Final = 12_000.0
SHORE: Final = 1.04


@dataclass(frozen=True)
class Cells:
    """The grids, ordered by district, street and village: one row of each array is a grid."""

    shapes: Shapes
    seeds: Floats
    district: Numbers
    street: Numbers
    village: Numbers
    course: Course


class Land:
    """Which district a place on the plane belongs to, and where the city ends."""

    def __init__(self, course: Course, rng: Generator) -> None:
        """Take the river, and the dice for the outline."""
        self._course = course
        self.middles = to_metres(np.array([(each.lon, each.lat) for each in DISTRICTS]))
        self.radii_m = np.sqrt(np.array([each.area_km2 for each in DISTRICTS]) * 1e6 / np.pi)
        self._right = course.right_bank(self.middles)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, 4)

    def owner(self, places: Floats) -> tuple[Numbers, Floats]:
        """Return each place's district, and how far out it lies: the city ends at 1."""
        away = np.hypot(*(places[:, None, :] - self.middles[None, :, :]).transpose(2, 0, 1))
        beyond = self._course.right_bank(places)[:, None] != self._right[None, :]
        farness = np.hypot(away, CROSSING_M * beyond) / self.radii_m**PULL
        together = ((away / self.radii_m) ** -4.0).sum(axis=1) ** -0.25
        return farness.argmin(axis=1), together / (OUTLINE * self._wobble(places))

    def _wobble(self, places: Floats) -> Floats:
        """Return a border's ins and outs, about 1."""
        x, y = (places / 1_000.0).T
        a, b, c, d = self._phases
        bays = np.sin(x / 5.0 + a + np.sin(y / 7.0)) + np.sin(y / 4.0 + b + np.sin(x / 6.0))
        coves = np.sin(x / 1.3 + c) + np.sin(y / 1.7 + d)
        wobble: Floats = 1.0 + 0.05 * bays + 0.02 * coves
        return wobble


def draw(course: Course, rng: Generator) -> Cells:
    """Return the city's grids, exactly as many as it has, on exactly its ground."""
    land = Land(course, rng)
    counts = _shared_out(GRIDS)
    seeds = np.concatenate([_settled(land, k, count, rng) for k, count in enumerate(counts)])
    seeds, shapes = _relaxed(seeds, _sea(land, rng))
    factor = _scale(shapes)
    order, street, village = _parted(seeds, counts, rng)
    return Cells(
        shapes=_drawn(shapes[order], factor),
        seeds=to_degrees(seeds[order] * factor),
        district=np.repeat(np.arange(len(DISTRICTS)), counts),
        street=street,
        village=village,
        course=course.scaled(factor),
    )


def _scale(shapes: Shapes) -> float:
    """Return how much larger the map has to be for the city's ground; twice, the earth is round."""
    once = np.sqrt(AREA_KM2 / area_km2(_drawn(shapes, 1.0)))
    return float(once * np.sqrt(AREA_KM2 / area_km2(_drawn(shapes, once))))


def _drawn(shapes: Shapes, factor: float) -> Shapes:
    drawn: Shapes = shapely.transform(shapes, lambda places: to_degrees(places * factor))
    return drawn


def _shared_out(total: int) -> list[int]:
    """Return how many grids each district has: by people and ground, the largest rests up."""
    people = np.array([each.people for each in DISTRICTS], dtype=float)
    ground = np.array([each.area_km2 for each in DISTRICTS], dtype=float)
    exact = total * (
        PEOPLE_SHARE * people / people.sum() + (1.0 - PEOPLE_SHARE) * ground / ground.sum()
    )
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return [int(count) for count in counts]


def _settled(land: Land, district: int, count: int, rng: Generator) -> Floats:
    """Return where the grids of one district are: most in towns, some anywhere."""
    towns = _filled(land, district, DISTRICTS[district].streets * TOWNS_PER_STREET, rng)
    sizes = rng.lognormal(0.0, 1.0, len(towns))
    spread_m = TOWN_SIZE * land.radii_m[district] / np.sqrt(len(towns))
    in_towns = int(count * TOWN_SHARE)
    found = [_filled(land, district, count - in_towns, rng)]
    while (missing := count - sum(map(len, found))) > 0:
        town = rng.choice(len(towns), missing, p=sizes / sizes.sum())
        places = towns[town] + rng.normal(0.0, spread_m, (missing, 2))
        found.append(places[_inside(land, district, places)])
    return np.concatenate(found)


def _filled(land: Land, district: int, count: int, rng: Generator) -> Floats:
    """Return that many places spread evenly over a district."""
    found = np.empty((0, 2))
    reach = 2.0 * OUTLINE * land.radii_m[district]
    while len(found) < count:
        places = land.middles[district] + rng.uniform(-reach, reach, (4 * count, 2))
        found = np.concatenate([found, places[_inside(land, district, places)]])
    return found[:count]


def _inside(land: Land, district: int, places: Floats) -> Flags:
    owner, farness = land.owner(places)
    inside: Flags = (owner == district) & (farness < 1.0)
    return inside


def _sea(land: Land, rng: Generator) -> Floats:
    """Return places all around the city, so that every grid has a neighbour on each side."""
    reach = OUTLINE * land.radii_m[:, None] + SEA_MARGIN_M
    west, south = (land.middles - reach).min(axis=0)
    east, north = (land.middles + reach).max(axis=0)
    mesh = np.meshgrid(np.arange(west, east, SEA_STEP_M), np.arange(south, north, SEA_STEP_M))
    places = np.column_stack([axis.ravel() for axis in mesh])
    places += rng.uniform(-0.3 * SEA_STEP_M, 0.3 * SEA_STEP_M, places.shape)
    return places[land.owner(places)[1] > SHORE]


def _relaxed(seeds: Floats, sea: Floats) -> tuple[Floats, Shapes]:
    """Return the seeds moved towards the middle of their cells (Lloyd), and the cells."""
    shapes = _voronoi(seeds, sea)
    for _ in range(RELAXATIONS):
        seeds = shapely.get_coordinates(shapely.centroid(shapes))
        shapes = _voronoi(seeds, sea)
    return seeds, shapes


def _voronoi(seeds: Floats, sea: Floats) -> Shapes:
    """Return the cell of each seed, in their order."""
    places = shapely.multipoints(np.concatenate([seeds, sea]))
    return shapely.get_parts(shapely.voronoi_polygons(places, ordered=True))[: len(seeds)]


def _parted(seeds: Floats, counts: list[int], rng: Generator) -> tuple[Numbers, Numbers, Numbers]:
    """Return the grids' order, and each one's street and village, numbered through the city."""
    streets = [
        street
        for district, grids in zip(DISTRICTS, _runs(counts), strict=True)
        for street in _split(seeds, grids, district.streets, rng)
    ]
    villages = [
        (number, village)
        for number, grids in enumerate(streets)
        for village in _split(seeds, grids, max(1, round(len(grids) / GRIDS_PER_VILLAGE)), rng)
    ]
    sizes = [len(grids) for _, grids in villages]
    order = np.concatenate([grids for _, grids in villages])
    street = np.repeat([number for number, _ in villages], sizes)
    return order, street, np.repeat(np.arange(len(villages)), sizes)


def _runs(counts: list[int]) -> list[Numbers]:
    return np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])


def _split(seeds: Floats, grids: Numbers, parts: int, rng: Generator) -> list[Numbers]:
    """Return the grids in so many neighbourhoods, by halving across the longer side."""
    if parts == 1:
        return [grids]
    first = parts // 2
    share = first / parts * rng.uniform(0.85, 1.15)
    cut = min(max(round(len(grids) * share), first), len(grids) - (parts - first))
    ranked = grids[np.argsort(_along(seeds[grids]), kind="stable")]
    return [
        *_split(seeds, ranked[:cut], first, rng),
        *_split(seeds, ranked[cut:], parts - first, rng),
    ]


def _along(places: Floats) -> Floats:
    """Return how far along the axis of their greatest spread the places lie."""
    x, y = (places - places.mean(axis=0)).T
    angle = 0.5 * np.arctan2(2.0 * (x * y).sum(), (x * x - y * y).sum())
    along: Floats = x * np.cos(angle) + y * np.sin(angle)
    return along
