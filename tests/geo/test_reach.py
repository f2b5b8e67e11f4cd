"""The search, against scipy on random towns and real extracts, compiled and plain."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from geo.point import Floats
from geo.reach import FEW_ROWS, Search, Settled, Target, Told
from geo.roads.classes import CLASSES
from geo.roads.closed import SHUT, Closed, Cuts
from geo.roads.graph import RoadGraph
from geo.roads.hung import Hung
from geo.roads.travel import TRAVELS
from tests.geo.net import net, node_seconds, town, unit_seconds
from tests.samples import BAYFRONT, PORTO, SPO, road_sample

TOWNS: Final = [town(seed) for seed in range(8)]
LIMIT_S: Final = 150.0
CAR: Final = TRAVELS.index("car")
STREET: Final = net(((0, 0), (1, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1)), one_way=(1,))


def factors(dice: np.random.Generator) -> Floats:
    """Return how slow each class is; nobody gets through what is shut."""
    factor = np.full(SHUT + 1, np.inf)
    factor[: len(CLASSES)] = dice.uniform(0.5, 2.0, len(CLASSES))
    return factor


def even() -> Floats:
    """Return what changes nothing."""
    return np.append(np.ones(SHUT), np.inf)


def hung(
    graph: RoadGraph,
    travel: int,
    units: list[tuple[int, float]],
    *,
    compiled: bool = True,
    off_s: float = 0.0,
    turns_s: tuple[float, float] = (0.0, 0.0),
) -> Hung:
    """Return units of a travel at places on segments, each as far off the road and as turned."""
    made = Hung(graph.segments, len(TRAVELS), compiled=compiled)
    made.make_room(len(units))
    segments = np.array([segment for segment, _ in units], np.int32)
    along = np.array([share for _, share in units])
    same = np.ones(len(units))
    rows = np.arange(len(units), dtype=np.int64)
    extra = (same * each for each in (off_s, *turns_s))
    made.hang(travel, rows, segments, along, *extra)
    return made


def told(
    graph: RoadGraph,
    units: list[tuple[int, float]],
    target: tuple[int, float],
    limit_s: float = 1000.0,
    cuts: Cuts | None = None,
    travel: int = CAR,
    **more: object,
) -> dict[int, float]:
    """Return the seconds of those found, the same compiled and plain."""
    closed = Closed(graph)
    if cuts is not None:
        closed.close(cuts)
    answers = []
    for compiled in (True, False):
        on = hung(graph, travel, units, compiled=compiled, **more)  # type: ignore[arg-type]  # a test's own
        search = Search(graph, closed, compiled=compiled)
        found, _ = search.run(travel, Target(*target), limit_s, on, even())
        answers.append(dict(zip(found.rows.tolist(), found.s.tolist(), strict=True)))
    assert answers[0] == answers[1]
    return answers[0]


def same(one: tuple[Told, Settled], other: tuple[Told, Settled]) -> None:
    """Hold two answers together, to the last bit."""
    for ours, theirs in zip(one, other, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.tolist() == b.tolist()


@settings(deadline=None)  # the first call compiles
@given(
    st.sampled_from(TOWNS),
    st.integers(0, len(TRAVELS) - 1),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_everybody_in_time_is_found_as_scipy_finds_him(
    graph: RoadGraph, travel: int, seed: int, rounding: float
) -> None:
    """In random towns, with factors and closures; compiled and plain tell the same to the bit."""
    dice = np.random.default_rng(seed)
    usable = np.flatnonzero(np.isfinite(graph.segment_s[travel]).any(axis=0))
    closed, factor = Closed(graph), factors(dice)
    shut = dice.choice(graph.segments, 3, replace=False).astype(np.int32)
    closed.close(Cuts.whole(shut))
    usable = np.setdiff1d(usable, shut)
    along = dice.random(21)
    along = np.where(dice.random(21) < 0.2, np.round(along), along) if rounding else along
    spots = list(zip(dice.choice(usable, 21).tolist(), along.tolist(), strict=True))
    target, units = spots[0], spots[1:]
    nodes = node_seconds(graph, travel, factor, closed.lane)
    expected = [unit_seconds(graph, travel, nodes, factor, unit, target) for unit in units]

    answers = []
    for compiled in (True, False):
        search = Search(graph, closed, compiled=compiled)
        on = hung(graph, travel, units, compiled=compiled)
        answers.append(search.run(travel, Target(*target), LIMIT_S, on, factor))
        same(answers[-1], search.run(travel, Target(*target), LIMIT_S, on, factor))
    same(*answers)
    found, settled = answers[0]
    got = np.full(len(units), np.inf)
    got[found.rows] = found.s
    assert got == pytest.approx(np.where(np.array(expected) <= LIMIT_S, expected, np.inf))
    assert (np.diff(settled.s) >= 0).all()


@pytest.mark.parametrize("name", [BAYFRONT, SPO, PORTO])
def test_junctions_of_a_real_city_are_as_far_as_scipy_says(name: str) -> None:
    """On foot and by car, ten minutes around; Porto by car and compiled only."""
    graph = road_sample(name)
    dice = np.random.default_rng(7)
    for travel in (CAR,) if name == PORTO else (0, CAR):
        usable = np.flatnonzero(graph.segment_main >> travel & 1)
        for segment in dice.choice(usable, 3).tolist():
            place = float(dice.random())
            expected = scipy_seconds(graph, travel, segment, place, 600.0)
            closed = Closed(graph)
            for compiled in (True,) if name == PORTO else (True, False):
                search = Search(graph, closed, compiled=compiled)
                on = hung(graph, travel, [], compiled=compiled)
                _, settled = search.run(travel, Target(segment, place), 600.0, on, even())
                got = np.full(graph.nodes, np.inf)
                got[settled.nodes] = settled.s
                assert got == pytest.approx(expected, abs=1e-6)


def scipy_seconds(
    graph: RoadGraph, travel: int, segment: int, place: float, limit_s: float
) -> Floats:
    """Return the seconds from each junction to a place, as scipy finds them, by one more node."""
    into = np.repeat(np.arange(graph.nodes), np.diff(graph.arc_first))
    s = graph.arc_s[travel].astype(np.float64)
    up, down = graph.segment_s[travel, :, segment].astype(np.float64)
    way_s = np.concatenate((s, [up * place, down * (1 - place)]))
    tails = np.concatenate((into, [graph.nodes] * 2))
    heads = np.concatenate((graph.arc_from, [graph.segment_a[segment], graph.segment_b[segment]]))
    order = np.lexsort((way_s, heads, tails))
    tails, heads, way_s = tails[order], heads[order], way_s[order]
    first = np.append(True, (np.diff(tails) > 0) | (np.diff(heads) > 0)) & np.isfinite(way_s)
    sparse = coo_matrix((way_s[first], (tails[first], heads[first])), shape=[graph.nodes + 1] * 2)
    found: Floats = dijkstra(sparse.tocsr(), indices=graph.nodes, limit=limit_s)[:-1]
    return found


def test_a_way_along_ones_own_segment_needs_no_junction() -> None:
    """The share between the two, and no more."""
    whole_s = float(STREET.segment_s[CAR, 0, 0])
    assert told(STREET, [(0, 0.25), (0, 0.75), (0, 0.5)], (0, 0.5)) == pytest.approx(
        {0: whole_s / 4, 1: whole_s / 4, 2: 0.0}
    )


def test_a_one_way_street_is_gone_along_one_way() -> None:
    """Who has passed the place does not come back; nobody else comes in from its end."""
    one_way = int(np.flatnonzero(np.isinf(STREET.segment_s[CAR, 1]))[0])
    other = 0 if one_way else 1
    assert set(told(STREET, [(one_way, 0.4), (one_way, 0.6)], (one_way, 0.5))) == {0}
    assert set(told(STREET, [(one_way, 0.4), (one_way, 1.0)], (other, 0.5))) == set()


def test_who_stands_on_a_junction_stands_there_whatever_the_street_allows() -> None:
    """At the beginning of a one-way street as at the end of any other."""
    one_way = int(np.flatnonzero(np.isinf(STREET.segment_s[CAR, 1]))[0])
    begin = STREET.segment_a[one_way]
    for segment in np.flatnonzero(np.arange(STREET.segments) != one_way).tolist():
        at = 0.0 if STREET.segment_a[segment] == begin else 1.0
        assert told(STREET, [(one_way, 0.0)], (segment, at)) == {0: 0.0}
        assert told(STREET, [(segment, at)], (one_way, 0.0)) == {0: 0.0}


def test_what_is_off_the_road_or_turned_is_added() -> None:
    """Turning round, to the side that needs it; also on the target's own segment."""
    plain = told(STREET, [(0, 0.5)], (0, 0.25))[0]
    far = told(STREET, [(0, 0.5)], (2, 0.5))[0]
    assert told(STREET, [(0, 0.5)], (0, 0.25), off_s=7.0)[0] == pytest.approx(plain + 7.0)
    assert told(STREET, [(0, 0.5)], (2, 0.5), off_s=7.0)[0] == pytest.approx(far + 7.0)
    turned = (10.0, 0.0)
    assert told(STREET, [(0, 0.5)], (0, 0.25), turns_s=turned)[0] == pytest.approx(plain + 10.0)
    assert told(STREET, [(0, 0.5)], (0, 0.75), turns_s=turned)[0] == pytest.approx(plain)
    assert told(STREET, [(0, 0.5)], (0, 0.75), turns_s=(0.0, 10.0))[0] == pytest.approx(plain + 10)


def test_nobody_beyond_the_limit_is_told() -> None:
    """Those on it are."""
    whole_s = float(STREET.segment_s[CAR, 0, 0])
    assert set(told(STREET, [(0, 0.25), (0, 0.2)], (0, 0.5), whole_s / 4)) == {0}
    assert told(STREET, [(0, 0.25)], (0, 0.5), -1.0) == {}


def test_what_is_shut_leads_nobody_through() -> None:
    """Each side of it is reached from its own side only; there may be another way round."""
    road = net(((0, 0), (1, 0)), ((0, 0), (0, 1), (1, 1), (1, 0)))
    straight = int(np.argmin(road.segment_m))
    around = 1 - straight
    shut = Cuts(np.array([straight], np.int32), np.array([0.4]), np.array([0.6]))
    whole_s, around_s = (float(road.segment_s[CAR, 0, s]) for s in (straight, around))
    near, far = (straight, 0.3), (straight, 0.7)
    assert told(road, [near], far)[0] == pytest.approx(0.4 * whole_s)
    assert told(road, [near], far, cuts=shut)[0] == pytest.approx(0.6 * whole_s + around_s)
    assert told(road, [far], near, cuts=shut)[0] == pytest.approx(0.6 * whole_s + around_s)
    assert told(road, [near], (straight, 0.1), cuts=shut)[0] == pytest.approx(0.2 * whole_s)
    assert told(road, [near, far], (around, 0.5), cuts=shut) == pytest.approx(
        {0: 0.3 * whole_s + around_s / 2, 1: 0.3 * whole_s + around_s / 2}
    )


def test_more_units_than_ever_before_are_no_matter() -> None:
    """Room is made for them."""
    crowd = [(0, 0.5)] * (FEW_ROWS + 1)
    assert len(told(STREET, crowd, (0, 0.5))) == len(crowd)


def test_metres_go_with_the_seconds() -> None:
    """Of the way that is the fastest."""
    road = net(((0, 0), (1, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1)))
    on = hung(road, CAR, [(0, 0.25)])
    found, _ = Search(road, Closed(road)).run(CAR, Target(1, 0.5), 1000.0, on, even())
    mps = float(road.segment_m[0] / road.segment_s[CAR, 0, 0])
    assert found.m[0] == pytest.approx(found.s[0] * mps, rel=1e-5)
