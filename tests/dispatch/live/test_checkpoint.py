"""Which positions are worth writing down."""

from typing import Final

import numpy as np
import pytest

from dispatch.live.checkpoint import KEPT_S, MOVED_M, Checkpoint
from dispatch.live.table import Stayed, Table
from geo.distance import metres
from geo.point import Point

HERE: Final = Point(113.27, 23.13)
KINDS: Final = np.dtype([("lon", "f8"), ("lat", "f8"), ("fix_s", "f8")])
START_S: Final = 1_000.0
MOST: Final = 100


def fixes(*rows: tuple[float, float]) -> Table:
    """Return fixes by longitude and instant, all on one latitude."""
    table = Table(KINDS, len(rows))
    table["lon"][:], table["fix_s"][:] = np.array(rows).T
    table["lat"][:] = HERE.lat
    return table


def kept(*rows: tuple[float, float]) -> Checkpoint:
    """Return a checkpoint at which these fixes were written down."""
    made = Checkpoint()
    made.renew(len(rows), Stayed(np.zeros(0, np.intp), np.zeros(0, np.intp)))
    for i in range(len(rows)):
        made.note(i)
    made.take(fixes(*rows), MOST)
    return made


def test_a_first_fix_is_written_down() -> None:
    """Once; a row without a new one is not looked at."""
    made = Checkpoint()
    made.grow()
    made.note(0)
    assert len(made) == 1
    assert made.take(fixes((HERE.lon, START_S)), MOST).tolist() == [0]
    assert (len(made), made.take(fixes((HERE.lon, START_S)), MOST).tolist()) == (0, [])


@pytest.mark.parametrize(("share", "rows"), [(0.99, []), (1.01, [0])])
def test_who_moved_far_enough_is_written_down(share: float, rows: list[int]) -> None:
    """More than so many metres from where it was written down last."""
    made = kept((HERE.lon, START_S))
    made.note(0)
    east = share * MOVED_M / metres(HERE, Point(HERE.lon + 1e-3, HERE.lat)) * 1e-3
    assert made.take(fixes((HERE.lon + east, START_S + 1)), MOST).tolist() == rows


@pytest.mark.parametrize(("passed_s", "rows"), [(KEPT_S - 1, []), (KEPT_S, [0])])
def test_who_was_written_down_long_ago_is_again(passed_s: float, rows: list[int]) -> None:
    """A unit that stands still is known to stand there still."""
    made = kept((HERE.lon, START_S))
    made.note(0)
    assert made.take(fixes((HERE.lon, START_S + passed_s)), MOST).tolist() == rows


def test_so_many_rows_are_looked_at_and_no_more() -> None:
    """The others wait for the next time, in their order."""
    three = fixes(*((HERE.lon, START_S) for _ in range(3)))
    made = Checkpoint()
    for i in range(3):
        made.grow()
        made.note(i)
    assert [made.take(three, 2).tolist(), len(made), made.take(three, 2).tolist()] == [
        [0, 1],
        1,
        [2],
    ]


def test_what_was_written_down_of_units_that_stayed_is_known() -> None:
    """Wherever the row is now; all of them are looked at."""
    made = kept((HERE.lon, START_S), (HERE.lon + 1, START_S))
    made.renew(2, Stayed(here=np.array([0]), there=np.array([1])))
    made.note(1)
    assert len(made) == 2
    now = fixes((HERE.lon + 1, START_S + 1), (HERE.lon, START_S + 1))
    assert made.take(now, MOST).tolist() == [1]


def test_a_place_that_is_forgotten_is_not_written_down() -> None:
    """And the next fix is as a first one."""
    made = kept((HERE.lon, START_S))
    made.note(0)
    made.forget(0)
    assert made.take(fixes((0.0, 0.0)), MOST).tolist() == []
    made.note(0)
    assert made.take(fixes((HERE.lon, START_S)), MOST).tolist() == [0]
