"""Rows by cell of a grid, against a look at everybody."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.cells import Cells
from geo.point import Box, Point

SCENE = Point(113.27, 23.13)
ELSEWHERE = Point(113.97, 23.13)

near = st.builds(Point, st.floats(113.2, 113.4), st.floats(23.0, 23.2))
anywhere = st.builds(Point, st.floats(-180, 180), st.floats(-90, 90))


def cells(*places: Point) -> Cells:
    """Return the cells of rows 0, 1, 2 ... at some places."""
    made = Cells()
    for row, place in enumerate(places):
        made.put(row, *place)
    return made


def found(made: Cells, place: Point = SCENE, radius_m: float = 100.0) -> set[int]:
    """Return the rows found around a place."""
    rows = made.near(Box.around(place, radius_m)).tolist()
    assert len(rows) == len(set(rows))
    return set(rows)


@given(st.lists(near | anywhere, max_size=30), near | anywhere, st.floats(0, 300_000))
def test_nobody_in_the_box_is_missed(places: list[Point], place: Point, radius_m: float) -> None:
    """Whoever stands in it is found, once; wherever on the earth it lies."""
    box = Box.around(place, radius_m)
    expected = {row for row, at in enumerate(places) if box.contains(at)}
    assert expected <= found(cells(*places), place, radius_m)


def test_those_far_away_are_not_looked_at() -> None:
    """In a small box as in one that holds more cells than there are."""
    crowd = [Point(SCENE.lon + 0.02 * n, SCENE.lat) for n in range(40)]
    assert found(cells(*crowd)) == {0}
    assert found(cells(SCENE, ELSEWHERE), radius_m=9_000.0) == {0}


@given(st.lists(st.tuples(st.integers(0, 5), near), max_size=40))
def test_a_row_is_found_where_it_was_put_last(moves: list[tuple[int, Point]]) -> None:
    """However it came there, and nowhere else."""
    made, last = Cells(), dict[int, Point]()
    for row, place in moves:
        made.put(row, *place)
        last[row] = place
    for row, place in last.items():
        assert row in found(made, place)
    assert found(made, SCENE, 100_000.0) == set(last)


def test_both_sides_of_the_180th_meridian_are_near() -> None:
    """A box over it is two."""
    made = cells(Point(179.999, 10.0), Point(-179.999, 10.0), Point(180.0, 10.0), Point(0.0, 10.0))
    assert found(made, Point(179.9995, 10.0), 1_000.0) == {0, 1, 2}


def test_a_row_that_is_removed_is_found_nowhere() -> None:
    """The other one of its cell is; removing twice is removing once."""
    made = cells(SCENE, SCENE)
    made.remove(0)
    made.remove(0)
    assert found(made) == {1}


def test_a_place_that_is_none_is_found_nowhere() -> None:
    """NaN takes a row away from where it was."""
    made = cells(SCENE)
    made.put(0, math.nan, SCENE.lat)
    assert found(made) == set()


def test_rows_come_as_numpy_wants_them() -> None:
    """To index arrays with; of an empty grid too."""
    for made in (cells(), cells(SCENE)):
        assert made.near(Box.around(SCENE, 1.0)).dtype == np.int64
