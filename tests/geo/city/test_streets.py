"""The streets of the synthetic city: where people are, never in the water, always the same."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from geo.city import City
from geo.city.plane import to_metres
from geo.city.streets import (
    BEND_M,
    BLOCK,
    MAIN,
    SPACING_M,
    Lattice,
    Streets,
    dice,
    lattice,
    streets,
)
from geo.roads.classes import CLASS_OF
from tests.geo.city.cities import city_of


@pytest.fixture(scope="module")
def city() -> City:
    """A part of a city with the river in it."""
    return city_of(1_500)


@pytest.fixture(scope="module")
def net(city: City) -> Lattice:
    """Its corners."""
    return lattice(city)


@pytest.fixture(scope="module")
def found(city: City, net: Lattice) -> Streets:
    """Its streets."""
    return streets(net, city.river.water)


def named(net: Lattice, found: Streets) -> dict[tuple[int, ...], tuple[int, int]]:
    """Every street by the lines of its corners: its class, and whether it is one-way."""
    column, row = (line.ravel() for line in net.lines())
    keys = np.column_stack(
        [column[found.start], row[found.start], column[found.end], row[found.end]]
    )
    facts = zip(found.road_class.tolist(), found.one_way.tolist(), strict=True)
    return dict(zip(map(tuple, keys.tolist()), facts, strict=True))


def test_dice_fall_alike_whenever_they_are_thrown() -> None:
    """One throw for each place, evenly from 0 to 1."""
    column, row = np.mgrid[-50:50, -50:50]
    thrown = dice(1, 2, column, row)
    assert (dice(1, 2, column, row) == thrown).all()
    assert thrown[3, 4] == dice(1, 2, column[3:4, 4:5], row[3:4, 4:5])[0, 0]
    assert len(np.unique(thrown)) == thrown.size
    assert 0 <= thrown.min() < 0.01
    assert 0.99 < thrown.max() < 1
    assert thrown.mean() == pytest.approx(0.5, abs=0.02)
    assert (dice(2, 2, column, row) != thrown).all()
    assert (dice(1, 3, column, row) != thrown).all()


def test_corners_stand_near_where_their_lines_meet(net: Lattice) -> None:
    """Bent a little, so that no street is quite straight."""
    straight = np.stack(net.lines(), axis=-1) * SPACING_M
    off = np.abs(to_metres(net.places) - straight)
    assert 0.9 * BEND_M < off.max() < BEND_M + 0.1


def test_every_home_has_streets_around_it(city: City, net: Lattice) -> None:
    """600 m far."""
    homes = np.array([unit.home for unit in city.units])
    corner = np.round(to_metres(homes) / SPACING_M).astype(int) - (net.west, net.south)
    assert net.people[tuple(corner.T)].all()


def test_streets_join_neighbours(net: Lattice, found: Streets) -> None:
    """One line on, to the east or to the north."""
    steps = {(c - a, d - b) for a, b, c, d in named(net, found)}
    assert steps == {(1, 0), (0, 1)}


def test_no_street_touches_the_water(city: City, net: Lattice, found: Streets) -> None:
    """Not even a corner of the river."""
    places = net.places.reshape(-1, 2)
    lines = shapely.linestrings(np.stack([places[found.start], places[found.end]], axis=1))
    assert not shapely.intersects(city.river.water, lines).any()
    assert not net.dry.all()


def test_main_roads_are_the_lines_they_should_be(net: Lattice, found: Streets) -> None:
    """Every tenth line is one; every fifth is a lesser one; the others are small."""
    small = {CLASS_OF[name] for name in ("residential", "path", "service")}
    for (a, b, c, _), (road_class, one_way) in named(net, found).items():
        line = b if c > a else a
        if line % MAIN == 0:
            assert (road_class, one_way) == (CLASS_OF["primary"], 0)
        elif line % BLOCK == 0:
            assert (road_class, one_way) == (CLASS_OF["tertiary"], 0)
        else:
            assert road_class in small


def test_there_is_some_of_everything(found: Streets) -> None:
    """One-ways both ways, alleys, compounds and their gates."""
    assert set(found.one_way.tolist()) == {-1, 0, 1}
    assert found.gate.sum() > 10
    share = np.bincount(found.road_class) / len(found.road_class)
    assert 0.02 < share[CLASS_OF["path"]] < 0.1
    assert share[CLASS_OF["residential"]] > 0.4
    assert (found.road_class[found.gate] == CLASS_OF["service"]).all()
    assert (found.one_way[found.road_class != CLASS_OF["residential"]] == 0).all()


def test_a_compound_has_one_way_out(net: Lattice, found: Streets) -> None:
    """Four corners, four ways between them, and a gate; water may take some of it."""
    column, row = (line.ravel() for line in net.lines())
    inside: dict[tuple[int, int], int] = {}
    gates: dict[tuple[int, int], int] = {}
    service = found.road_class == CLASS_OF["service"]
    for street in np.flatnonzero(service).tolist():
        corner = found.start[street]
        block = int(column[corner]) // BLOCK, int(row[corner]) // BLOCK
        kind = gates if found.gate[street] else inside
        kind[block] = kind.get(block, 0) + 1
    assert set(gates.values()) == {1}
    whole = [block for block, ways in inside.items() if ways == 4]
    assert len(whole) > 10
    assert max(inside.values()) == 4
    assert sum(block in gates for block in whole) > 0.9 * len(whole)


def test_the_streets_of_a_part_are_those_of_more(city: City, net: Lattice, found: Streets) -> None:
    """Seen from its middle: nothing depends on how much of the city there is."""
    smaller = city_of(300)
    part = lattice(smaller)
    mine, theirs = named(part, streets(part, smaller.river.water)), named(net, found)
    assert all(theirs[street] == facts for street, facts in mine.items() if street in theirs)
    assert sum(street in theirs for street in mine) > 0.9 * len(mine)


def test_another_seed_gives_other_streets(city: City, found: Streets) -> None:
    """Another city."""
    other = replace(city, seed=2)
    others = streets(lattice(other), other.river.water)
    assert len(others.start) != len(found.start)
