"""The jurisdictions of the synthetic city: names and paths for its cells, and their unions."""

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

import numpy as np
import shapely
from numpy.random import Generator

from geo.city.cells import Cells, Numbers
from geo.city.names import (
    CITY_LABEL,
    CITY_NAME,
    DISTRICTS,
    EXAMPLE_STREET,
    FIRST,
    SECOND,
    street_names,
)
from geo.city.plane import Shapes, area_km2
from geo.geojson import Area
from geo.jurisdiction import Jurisdiction
from geo.point import Flags

# A village of smaller grids than this has grown into a neighbourhood of the town.
TOWN_GRID_KM2: Final = 0.2


class Place(NamedTuple):
    """What a piece of ground is called."""

    path: str
    name: str


class Register(NamedTuple):
    """What all the ground is called, by number, each level through the whole city."""

    districts: list[Place]
    streets: list[Place]
    villages: list[Place]
    grids: list[Place]


def register(cells: Cells, rng: Generator) -> Register:
    """Return the city's names, the same for every cut of it."""
    districts = [Place(f"{CITY_LABEL}.{each.label}", each.name) for each in DISTRICTS]
    streets = _streets(cells, districts, rng)
    villages = _villages(cells, streets, rng)
    return Register(districts, streets, villages, _grids(cells, villages))


def jurisdictions(cells: Cells, names: Register, kept: Flags) -> tuple[Jurisdiction, ...]:
    """Return the kept grids and all that they are parts of, by path."""
    grids = np.flatnonzero(kept)
    ground = cells.shapes[grids]
    found = [Jurisdiction(*names.grids[grid], cells.shapes[grid]) for grid in grids]
    levels = ((names.villages, cells.village), (names.streets, cells.street))
    for places, numbers in (*levels, (names.districts, cells.district)):
        found += [
            Jurisdiction(*places[number], _together(shapes))
            for number, shapes in _grouped(numbers[grids], ground)
        ]
    found.append(Jurisdiction(CITY_LABEL, CITY_NAME, _together(ground)))
    return tuple(sorted(found, key=lambda each: each.path))


def _together(shapes: Shapes) -> Area:
    return cast(Area, shapely.coverage_union_all(shapes))


def _grouped(numbers: Numbers, shapes: Shapes) -> Iterator[tuple[int, Shapes]]:
    """Go through the runs of equal numbers, which are in ascending order."""
    first = np.flatnonzero(np.diff(numbers, prepend=-1))
    return zip(numbers[first].tolist(), np.split(shapes, first[1:]), strict=True)


def _streets(cells: Cells, districts: list[Place], rng: Generator) -> list[Place]:
    """Return every street's place, no label twice in the city; one is the docs' example."""
    district, label, name = EXAMPLE_STREET
    known = [each for each in street_names() if each[0] != label]
    drawn = (known[number] for number in rng.permutation(len(known)))
    owners = [DISTRICTS[number] for number in cells.district[_firsts(cells.street)]]
    found = [Place(*next(drawn)) for _ in owners]
    example = next(number for number, owner in enumerate(owners) if owner.label == district)
    found[example] = Place(label, name.removesuffix("街"))
    return [
        Place(f"{CITY_LABEL}.{owner.label}.{place.path}", f"{place.name}街")
        for owner, place in zip(owners, found, strict=True)
    ]


def _villages(cells: Cells, streets: list[Place], rng: Generator) -> list[Place]:
    """Return every village's place, numbered within its street."""
    first, street = _firsts(cells.village), cells.street[_firsts(cells.village)]
    within = np.arange(len(first)) - _firsts(street)[street] + 1
    sizes = [area_km2(shapes) / len(shapes) for _, shapes in _grouped(cells.village, cells.shapes)]
    names = rng.integers(0, (len(FIRST), len(SECOND)), (len(first), 2))
    return [
        Place(
            f"{streets[owner].path}.c{number:03}",
            FIRST[a][0] + SECOND[b][0] + ("社区" if size < TOWN_GRID_KM2 else "村"),
        )
        for owner, number, size, (a, b) in zip(street, within, sizes, names, strict=True)
    ]


def _grids(cells: Cells, villages: list[Place]) -> list[Place]:
    """Return every grid's place, numbered within its street."""
    within = np.arange(len(cells.street)) - _firsts(cells.street)[cells.street] + 1
    return [
        Place(f"{villages[village].path}.g{number:04}", f"第{number}网格")
        for village, number in zip(cells.village, within, strict=True)
    ]


def _firsts(numbers: Numbers) -> Numbers:
    """Return where each number is first, for numbers without gaps in ascending order."""
    return np.flatnonzero(np.diff(numbers, prepend=-1))
