"""How many places units reach in time, and how surely."""

from typing import Final

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.coverage import (
    MOVED_M,
    RINGS_S,
    SURE,
    Coverage,
    Covered,
    Pairs,
    Part,
    Places,
    StraightReaching,
    parts,
    uncovered,
)
from geo.eta import MOVES, StraightLine
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Flags, Floats, Point
from geo.standing import MoveCodes

HERE: Final = Point(113.27, 23.13)
EAST_M: Final = 1 / 102_400
"""A metre to the east, in degrees."""
CALM: Final = StraightLine(compiled=False)


def surely(eta_s: Floats, seconds: float) -> Floats:
    """Return the chance of somebody who arrives when expected."""
    return (eta_s <= seconds).astype(np.float64)


def units(*metres: float, move: int = 0) -> tuple[Floats, Floats, MoveCodes]:
    """Return units on foot, so far to the east."""
    lons = np.array([HERE.lon + each * EAST_M for each in metres])
    return lons, np.full(len(metres), HERE.lat), np.full(len(metres), move, np.uint8)


def coverage(*metres: float) -> Coverage:
    """Return the coverage of places so far to the east, on a plain."""
    lons, lats, _ = units(*metres)
    return Coverage(len(metres), StraightReaching(CALM, lons, lats))


def told(made: Coverage, free: Flags | None = None, rate: float = 1.0) -> list[list[int]]:
    """Return how many units are within each ring of each place, everybody searched for."""
    while made.pending:
        made.work(2)
    rows = len(made._lons)
    who = np.ones(rows, np.bool_) if free is None else free
    return [
        each.units.tolist()
        for each in made.covered(who, np.full(rows, rate), surely, np.zeros(rows))
    ]


def test_those_within_each_ring_are_counted() -> None:
    """A walker gets 161 m in 180 s and 290 m in 300 s, turnout included."""
    made = coverage(0.0, 500.0)
    made.take(*units(0, 150, 200, 280, 300))
    assert told(made) == [[2, 0], [4, 2]]


def test_who_moves_faster_reaches_more() -> None:
    """By his own way of moving."""
    made = coverage(0.0, 800.0)
    made.take(*units(0, move=MOVES.index(MOVES[3])))
    assert told(made) == [[1, 1], [1, 1]]


def test_only_those_who_are_free_count() -> None:
    """The others are searched for all the same: they may be free the next second."""
    made = coverage(0.0)
    made.take(*units(0, 10))
    assert told(made, np.array([False, True])) == [[1], [1]]
    assert told(made, np.array([True, True])) == [[2], [2]]
    assert told(made, np.array([False, False])) == [[0], [0]]


def test_the_chance_of_an_arrival_is_that_somebody_accepts_and_comes() -> None:
    """1 - prod(1 - p), of those inside the ring only."""
    made = coverage(0.0)
    made.take(*units(0, 10, 200))
    told(made)
    near, wide = made.covered(np.ones(3, np.bool_), np.array([0.4, 0.5, 0.6]), surely, np.zeros(3))
    assert near.p.tolist() == pytest.approx([1 - 0.6 * 0.5])
    assert wide.p.tolist() == pytest.approx([1 - 0.6 * 0.5 * 0.4])


def test_what_is_certain_is_no_more_than_certain() -> None:
    """A rate of one and an arrival for sure leave no chance of missing, and no infinity."""
    made = coverage(0.0, 5000.0)
    made.take(*units(0, 0))
    told(made)
    (near, _) = made.covered(np.ones(2, np.bool_), np.ones(2), surely, np.zeros(3))
    assert near.p.tolist() == pytest.approx([1.0, 0.0])
    assert (near.within.tolist(), near.sure.tolist()) == ([True, False], [True, False])


class Counting:
    """Reaches every place from everywhere, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.anew = 0
        self.far = np.zeros(1, np.bool_)

    def again(self) -> None:
        """Count."""
        self.anew += 1

    def pairs(self, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float) -> Pairs:
        """Return everybody at the one place, in a minute; the last first."""
        self.asked.append(len(lons))
        everybody = np.arange(len(lons))[::-1]
        return Pairs(everybody, np.zeros(len(lons), np.int64), np.full(len(lons), 60.0))


STAY: Final = units(0, 10, 20)


@pytest.mark.parametrize(
    ("then", "again"),
    [
        pytest.param(STAY, 0, id="nobody moves"),
        pytest.param(units(MOVED_M - 1, 10, 20), 0, id="a step"),
        pytest.param(units(MOVED_M + 1, 10, 20), 1, id="a move"),
        pytest.param(units(0, 10, float("nan")), 1, id="one is nowhere"),
        pytest.param(units(0, 10, 20, move=1), 3, id="all ride"),
        pytest.param(units(0, 10, 20, 30), 1, id="one is new"),
        pytest.param(units(0, 10), 0, id="one is gone"),
    ],
)
def test_only_those_who_moved_are_searched_for_again(
    then: tuple[Floats, Floats, MoveCodes], again: int
) -> None:
    """Farther than a fix is kept for, or by another way of moving."""
    made = Coverage(1, Counting())
    made.take(*STAY)
    made.work(100)
    made.take(*then)
    assert made.pending == again


def test_many_small_steps_are_a_move() -> None:
    """What counts is how far a unit is from where it was searched for."""
    made = Coverage(1, Counting())
    for step in range(4):
        made.take(*units(step * MOVED_M * 0.4))
        made.work(1)
    assert made._reaching.asked == [1, 0, 0, 1]  # type: ignore[attr-defined]  # it counts


def test_the_work_is_done_in_parts() -> None:
    """Till it is, a unit counts as it stood."""
    made = Coverage(1, Counting())
    made.take(*units(0, 10, 20))
    assert (made.work(2), made.pending) == (2, 1)
    covered = made.covered(np.ones(3, np.bool_), np.ones(3), surely, np.zeros(3))
    assert [each.units.tolist() for each in covered] == [[2], [2]]
    assert (made.work(2), made.work(2), made.pending) == (1, 0, 0)


def test_what_changed_on_roads_is_looked_at_anew() -> None:
    """Once, before everybody is searched for."""
    reaching = Counting()
    made = Coverage(1, reaching)
    made.take(*STAY)
    made.work(100)
    made.again()
    assert (reaching.anew, made.pending, made.far.tolist()) == (1, 3, [False])


def test_on_a_plain_everything_is_told_as_the_crow_flies() -> None:
    """And nothing changes on it; who is nowhere reaches nothing."""
    made = coverage(0.0, 1.0)
    assert made.far.tolist() == [True, True]
    made.take(*units(0, float("nan")))
    assert told(made) == [[1, 1], [1, 1]]
    made.again()
    assert told(made) == [[1, 1], [1, 1]]


@given(
    st.lists(st.tuples(st.floats(-800, 800), st.sampled_from(range(5))), max_size=12),
    st.lists(st.floats(-800, 800), min_size=1, max_size=6),
)
def test_it_is_what_the_model_says_of_each_place(
    standing: list[tuple[float, int]], places: list[float]
) -> None:
    """One search a unit finds what one search a place does."""
    lons = np.array([HERE.lon + metres * EAST_M for metres, _ in standing])
    lats, moves = np.full(len(lons), HERE.lat), np.array([m for _, m in standing], np.uint8)
    made = coverage(*places)
    made.take(lons, lats, moves)
    counts = told(made)
    for place, metres in enumerate(places):
        target = Point(HERE.lon + metres * EAST_M, HERE.lat)
        for ring, ring_s in enumerate(RINGS_S):
            etas = [
                CALM.etas(target, lons, lats, moves, s).eta_s
                for s in (ring_s - 1e-3, ring_s + 1e-3)
            ]
            least, most = (int(np.isfinite(each).sum()) for each in etas)
            assert least <= counts[ring][place] <= most


def tree() -> JurisdictionIndex:
    """Return a city of two streets, one of them with two villages."""
    boxes = {
        "gz": (0, 0, 4, 2),
        "gz.a": (0, 0, 2, 2),
        "gz.a.x": (0, 0, 2, 1),
        "gz.a.y": (0, 1, 2, 2),
        "gz.b": (2, 0, 4, 2),
    }
    return JurisdictionIndex(Jurisdiction(p, p, shapely.box(*box)) for p, box in boxes.items())


def test_a_place_stands_for_each_of_the_deepest_jurisdictions() -> None:
    """Inside it, by path."""
    index = tree()
    places = Places.of(index)
    assert places.paths == ("gz.a.x", "gz.a.y", "gz.b")
    assert index.deepest_many(places.lons, places.lats) == list(places.paths)
    assert len(Places.of(JurisdictionIndex(())).paths) == 0


def test_places_are_the_same_where_nothing_of_them_changed() -> None:
    """Paths and where they lie."""
    places = Places.of(tree())
    assert places.same(Places.of(tree()))
    for other in (
        places._replace(paths=("gz.a.x", "gz.a.z", "gz.b")),
        places._replace(lons=places.lons + 1),
        places._replace(lats=places.lats + 1),
    ):
        assert not places.same(other)


NEAR: Final = Covered(np.array([1, 0, 0], np.int32), np.array([SURE, 0.0, 0.0]))
WIDE: Final = Covered(np.array([2, 1, 0], np.int32), np.array([0.99, 0.4, 0.0]))
PATHS: Final = ("gz.a.x", "gz.a.y", "gz.b")


def test_sums_are_told_by_jurisdiction() -> None:
    """By path; what lies less deep counts for itself."""
    weights = np.array([1.0, 2.0, 4.0])
    assert parts(PATHS, weights, (NEAR, WIDE), 1) == [
        Part("gz", 3, 7.0, within=(1.0, 3.0), sure=(1.0, 1.0))
    ]
    assert [part.path for part in parts(PATHS, weights, (NEAR, WIDE), 2)] == ["gz.a", "gz.b"]
    assert [part.path for part in parts(PATHS, weights, (NEAR, WIDE), 5)] == list(PATHS)
    assert parts((), np.zeros(0), (), 2) == []


def test_bare_places_are_told_by_weight() -> None:
    """Those that count most first, the rest in order."""
    assert uncovered(np.array([9.0, 1.0, 1.0]), NEAR).tolist() == [1, 2]
    assert uncovered(np.array([9.0, 1.0, 3.0]), NEAR).tolist() == [2, 1]
    assert uncovered(np.ones(3), WIDE).tolist() == [2]


def test_who_sets_out_later_arrives_later() -> None:
    """By so much, and perhaps outside the ring."""
    made = Coverage(1, Counting())
    made.take(*units(0, 10, 20))
    made.work(3)
    usual = made.covered(np.ones(3, np.bool_), np.ones(3), surely, np.zeros(3))
    later = made.covered(np.ones(3, np.bool_), np.ones(3), surely, np.array([0.0, 1e6, 1e6]))
    assert [each.units.tolist() for each in usual] == [[3], [3]]
    assert [each.units.tolist() for each in later] == [[1], [1]]
