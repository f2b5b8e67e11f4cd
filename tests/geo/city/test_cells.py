"""The grids of the synthetic city."""

import numpy as np
import pytest
import shapely

from geo.city import cells, river
from geo.city.cells import Cells
from geo.city.names import DISTRICTS
from geo.city.plane import area_km2


def draw(seed: int) -> Cells:
    """Return the cells of a city."""
    course = river.draw(np.random.default_rng(seed))
    return cells.draw(course, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def drawn() -> Cells:
    """Return the cells of one city."""
    return draw(1)


def test_the_city_has_its_figures(drawn: Cells) -> None:
    """20,849 grids, about 2,800 villages, 176 streets, 11 districts, 7,434 km²."""
    assert len(drawn.shapes) == len(drawn.seeds) == 20_849
    assert 2_700 <= len(set(drawn.village.tolist())) <= 2_900
    assert len(set(drawn.street.tolist())) == 176
    assert len(set(drawn.district.tolist())) == 11
    assert area_km2(drawn.shapes) == pytest.approx(7_434, abs=0.5)


def test_every_level_is_part_of_the_one_above(drawn: Cells) -> None:
    """A village lies in one street, a street in one district, all numbered in order."""
    for upper, lower in ((drawn.district, drawn.street), (drawn.street, drawn.village)):
        pairs = set(zip(lower.tolist(), upper.tolist(), strict=True))
        assert len(pairs) == len(set(lower.tolist()))
        assert (np.diff(upper) >= 0).all()
        assert (np.diff(lower) >= 0).all()


def test_every_district_has_its_streets(drawn: Cells) -> None:
    """As many as the table says."""
    for number, district in enumerate(DISTRICTS):
        streets = set(drawn.street[drawn.district == number].tolist())
        assert len(streets) == district.streets


def test_the_grids_cover_the_city_without_gap_or_overlap(drawn: Cells) -> None:
    """Each is a valid polygon, and together they are one."""
    assert shapely.is_valid(drawn.shapes).all()
    assert shapely.coverage_is_valid(drawn.shapes)
    whole = shapely.coverage_union_all(drawn.shapes)
    assert isinstance(whole, shapely.Polygon)
    assert whole.area == pytest.approx(shapely.area(drawn.shapes).sum())


def test_grids_are_smaller_where_people_live(drawn: Cells) -> None:
    """The old town's are a tenth of the countryside's, and less."""
    yuexiu, conghua = (
        np.median(shapely.area(drawn.shapes[drawn.district == number])) for number in (0, 9)
    )
    assert yuexiu < conghua / 10


def test_the_river_parts_the_middle_of_the_city(drawn: Cells) -> None:
    """Haizhu lies south of it, Yuexiu north."""
    middles = {
        DISTRICTS[number].label: drawn.seeds[drawn.district == number].mean(axis=0)
        for number in (0, 2)
    }
    assert middles["haizhu"][1] < 23.11 < middles["yuexiu"][1]


def test_the_same_dice_draw_the_same_cells(drawn: Cells) -> None:
    """To the last digit, and others draw others."""
    assert shapely.to_wkb(draw(1).shapes).tolist() == shapely.to_wkb(drawn.shapes).tolist()
    assert shapely.to_wkb(draw(2).shapes).tolist() != shapely.to_wkb(drawn.shapes).tolist()


def test_any_seed_makes_a_city() -> None:
    """The outline may differ; it never falls apart."""
    for seed in (3, 4, 5):
        other = draw(seed)
        assert isinstance(shapely.coverage_union_all(other.shapes), shapely.Polygon)
        assert len(set(other.street.tolist())) == 176
