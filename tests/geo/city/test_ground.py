"""The jurisdictions of the synthetic city."""

from collections import Counter

import numpy as np
import pytest
import shapely

from geo.city import cells, ground, river
from geo.city.cells import Cells
from geo.city.ground import Register
from geo.jurisdiction import Jurisdiction, Level


@pytest.fixture(scope="module")
def land() -> Cells:
    """Return the cells of a city."""
    return cells.draw(river.draw(np.random.default_rng(1)), np.random.default_rng(1))


@pytest.fixture(scope="module")
def names(land: Cells) -> Register:
    """Return what they are called."""
    return ground.register(land, np.random.default_rng(1))


@pytest.fixture(scope="module")
def tree(land: Cells, names: Register) -> dict[str, Jurisdiction]:
    """Return all jurisdictions by path."""
    kept = np.ones(len(land.shapes), dtype=bool)
    return {each.path: each for each in ground.jurisdictions(land, names, kept)}


def test_there_are_five_levels(tree: dict[str, Jurisdiction]) -> None:
    """One city, eleven districts, the streets, the villages, the grids."""
    counts = Counter(each.level for each in tree.values())
    assert (counts[Level.CITY], counts[Level.DISTRICT], counts[Level.STREET]) == (1, 11, 176)
    assert 2_700 <= counts[Level.VILLAGE] <= 2_900
    assert counts[Level.GRID] == 20_849


def test_paths_read_as_in_the_design(tree: dict[str, Jurisdiction]) -> None:
    """District and street by name, village and grid by number within the street."""
    grid = next(path for path in tree if path.startswith("gz.huangpu.xiagang.c002.g"))
    assert len(grid.rpartition(".")[2]) == 5
    assert tree["gz.huangpu.xiagang"].name == "夏港街"
    assert tree["gz.yuexiu"].name == "越秀区"
    assert tree["gz"].name == "广州市"
    assert tree[grid].name == f"第{int(grid[-4:])}网格"


def test_the_jurisdictions_come_by_path(tree: dict[str, Jurisdiction]) -> None:
    """So that the same city is the same tuple."""
    assert list(tree) == sorted(tree)


def test_all_ground_lies_in_the_ground_above(tree: dict[str, Jurisdiction]) -> None:
    """Nothing sticks out of its parent, and every parent is there."""
    lower = [each for each in tree.values() if each.parent]
    upper = [tree[str(each.parent)] for each in lower]
    shapes = [np.array([each.polygon for each in side]) for side in (upper, lower)]
    assert shapely.covers(*shapes).all()
    assert shapely.is_valid(shapes[1]).all()


def test_children_fill_their_parent(tree: dict[str, Jurisdiction]) -> None:
    """No ground of a district is left without a street."""
    streets = [each.polygon.area for each in tree.values() if each.parent == "gz.panyu"]
    assert sum(streets) == pytest.approx(tree["gz.panyu"].polygon.area)


def test_villages_in_town_are_neighbourhoods(names: Register) -> None:
    """Most of the old town is, most of the countryside is not."""
    old_town = [each.name for each in names.villages if ".yuexiu." in each.path]
    country = [each.name for each in names.villages if ".conghua." in each.path]
    assert all(name.endswith("社区") for name in old_town)
    assert sum(name.endswith("村") for name in country) > len(country) / 2


def test_kept_grids_bring_all_that_they_are_parts_of(land: Cells, names: Register) -> None:
    """Two grids of two districts make two of each level, and the city around them."""
    kept = np.zeros(len(land.shapes), dtype=bool)
    kept[[0, -1]] = True
    found = ground.jurisdictions(land, names, kept)
    assert Counter(each.level for each in found) == {1: 1, 2: 2, 3: 2, 4: 2, 5: 2}
    areas = {each.level: 0.0 for each in found}
    for each in found:
        areas[each.level] += each.polygon.area
    assert list(areas.values()) == pytest.approx([areas[Level.CITY]] * 5)
