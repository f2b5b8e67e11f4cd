"""Rows on segments, against lists that are made anew each time."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.roads.hung import NOWHERE, Hung, hang

SEGMENTS = 4
moves = st.lists(
    st.dictionaries(st.integers(0, 6), st.integers(NOWHERE, SEGMENTS - 1), max_size=5), max_size=12
)


def on(made: Hung, travel: int) -> dict[int, list[int]]:
    """Return the rows of each segment, read as a search reads them."""
    head, behind, *_ = made.of(travel)
    found = defaultdict(list)
    for segment in range(SEGMENTS):
        row = head[segment]
        while row >= 0:
            found[segment].append(int(row))
            row = behind[row]
    return {segment: sorted(rows) for segment, rows in found.items()}


def hang_on(made: Hung, travel: int, where: dict[int, int], share: float = 0.5) -> None:
    """Hang rows on segments."""
    rows, segments = np.array(list(where), np.int64), np.array(list(where.values()), np.int32)
    made.hang(travel, rows, segments, *np.full((4, len(rows)), share))


@pytest.mark.parametrize("compiled", [False, True])
@settings(deadline=None)  # the first call compiles
@given(moves)
def test_each_row_hangs_where_it_was_hung_last(compiled: bool, turns: list[dict[int, int]]) -> None:
    """However it came there; on none after it was hung on none."""
    made, last = Hung(SEGMENTS, 2, compiled=compiled), dict[int, int]()
    made.make_room(7)
    for turn in turns:
        hang_on(made, 1, turn)
        last |= turn
        expected = defaultdict(list)
        for row, segment in sorted(last.items()):
            expected[segment].append(row)
        expected.pop(NOWHERE, None)
        assert on(made, 1) == expected
        assert made.travels() == ((1,) if expected else ())
    assert on(made, 0) == {}


def test_rows_of_another_travel_are_not_read() -> None:
    """A walker and a car on one street are found by two searches."""
    made = Hung(SEGMENTS, 2)
    made.make_room(2)
    hang_on(made, 0, {0: 3})
    hang_on(made, 1, {1: 3})
    assert (on(made, 0), on(made, 1)) == ({3: [0]}, {3: [1]})
    assert made.travels() == (0, 1)
    assert made.on(np.array([3], np.int32)).tolist() == [0, 1]
    assert made.on(np.array([2], np.int32)).tolist() == []


def test_rows_are_taken_from_wherever_they_hang() -> None:
    """Of any travel; one that hangs nowhere is no matter."""
    made = Hung(SEGMENTS, 2)
    made.make_room(4)
    hang_on(made, 0, {0: 3, 2: 3})
    hang_on(made, 1, {1: 3})
    made.take(np.array([0, 1, 3]))
    made.take(np.array([0, 3]))
    assert (on(made, 0), on(made, 1)) == ({3: [2]}, {})
    assert made.travels() == (0,)


def test_room_is_made_for_more_rows() -> None:
    """Those that hang stay; there is never less room."""
    made = Hung(SEGMENTS, 1)
    made.make_room(2)
    hang_on(made, 0, {0: 1, 1: 1}, 0.25)
    made.make_room(100)
    room = made.room
    made.make_room(3)
    assert made.room == room >= 100
    hang_on(made, 0, {99: 1})
    assert on(made, 0) == {1: [0, 1, 99]}
    assert made.along[[0, 1, 99]].tolist() == [0.25, 0.25, 0.5]


def test_one_text_serves_compiled_or_not() -> None:
    """The same links, whatever was hung where before."""
    links = [[np.full(9, NOWHERE, np.int32) for _ in range(4)] for _ in range(2)]
    dice = np.random.default_rng(3)
    for _ in range(20):
        rows = dice.choice(9, 4, replace=False)
        segments = dice.integers(NOWHERE, 9, 4).astype(np.int32)
        for compiled, arrays in zip((True, False), links, strict=True):
            hang.text(compiled=compiled)(rows, segments, *arrays)
        assert all((a == b).all() for a, b in zip(*links, strict=True))
