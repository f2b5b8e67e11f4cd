"""Which places units reach by road: as the search from each place finds them."""

from typing import Final

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage import RINGS_S, Coverage
from geo.eta import MOVES, Quality
from geo.point import Floats, Point
from geo.road_coverage import RoadReaching, turned
from geo.road_eta import RoadNetwork
from geo.roads.classes import CLASSES
from geo.roads.travel import TRAVELS
from geo.standing import MoveCodes
from tests.geo.net import CORNER, STEP, Spot, at, net, node_seconds, town

LIMIT_S: Final = RINGS_S[-1]
Units = tuple[Floats, Floats, MoveCodes]


def scattered(seed: int, count: int) -> Units:
    """Return units all over a town of six by six, and a little around it."""
    dice = np.random.default_rng(seed)
    lons = CORNER.lon + dice.uniform(-0.5, 5.5, count) * STEP
    lats = CORNER.lat + dice.uniform(-0.5, 5.5, count) * STEP
    return lons, lats, dice.integers(0, len(MOVES), count).astype(np.uint8)


def reached(network: RoadNetwork, places: Units, units: Units) -> dict[tuple[int, int], float]:
    """Return who reaches which place and when, searched for from the units."""
    made = RoadReaching(network, *places[:2], compiled=False)
    pairs = made.pairs(*units, LIMIT_S)
    rows = zip(*(each.tolist() for each in pairs), strict=True)
    return {(unit, place): eta_s for unit, place, eta_s in rows}


def expected(network: RoadNetwork, places: Units, units: Units) -> dict[tuple[int, int], float]:
    """Return the same, as the network answers for each place."""
    standings = network.standings()
    for row, unit in enumerate(zip(*(each.tolist() for each in units), strict=True)):
        standings.put(row, *unit)
    found = {}
    for place, here in enumerate(zip(*(each.tolist() for each in places[:2]), strict=True)):
        rows, reach = standings.reach(Point(*here), LIMIT_S)
        for row, eta_s in zip(rows.tolist(), reach.eta_s.tolist(), strict=True):
            found[row, place] = eta_s
    return found


def require_same(network: RoadNetwork, places: Units, units: Units) -> int:
    """Hold both against each other; return how many pairs there are."""
    mine, theirs = reached(network, places, units), expected(network, places, units)
    close = {pair for pair, eta_s in {**mine, **theirs}.items() if eta_s > LIMIT_S - 1e-3}
    assert mine.keys() - close == theirs.keys() - close
    assert all(mine[pair] == pytest.approx(theirs[pair], abs=1e-3) for pair in mine.keys() - close)
    return len(mine)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_what_the_network_says_of_each_place(seed: int) -> None:
    """One search a unit finds what one search a place does: one-ways, closed ways and all."""
    network = RoadNetwork(town(seed), compiled=False)
    dice = np.random.default_rng(seed)
    network.set_factors(dice.uniform(0.5, 2.0, (len(TRAVELS), len(CLASSES))))
    if seed % 2:
        x, y = (CORNER[i] + dice.uniform(1, 4) * STEP for i in (0, 1))
        network.close(network.cuts(shapely.box(x, y, x + STEP, y + STEP)))
    assert require_same(network, scattered(seed, 15), scattered(seed + 1, 15)) > 0


def test_the_kernel_finds_the_same_compiled() -> None:
    """Or plain, where there is no numba."""
    network = RoadNetwork(town(3), compiled=False)
    units, places = scattered(1, 20), scattered(2, 20)
    pairs = RoadReaching(network, *places[:2]).pairs(*units, LIMIT_S)
    plain = RoadReaching(network, *places[:2], compiled=False).pairs(*units, LIMIT_S)
    mine, theirs = (
        dict(zip(zip(p[0], p[1], strict=True), p[2], strict=True)) for p in (pairs, plain)
    )
    assert mine == pytest.approx(theirs)
    assert mine


def test_the_turned_map_is_the_map_seen_from_the_other_side() -> None:
    """From here to there on one is from there to here on the other."""
    graph = town(5)
    factor = np.ones(256)
    for travel in range(len(TRAVELS)):
        there = node_seconds(graph, travel, factor)
        assert np.array_equal(node_seconds(turned(graph), travel, factor), there.T)


def one(spot: Spot, move: int = 3) -> Units:
    """Return one place, or a unit on a motorbike."""
    point = at(spot)
    return np.array([point.lon]), np.array([point.lat]), np.array([move], np.uint8)


def together(*units: Units) -> Units:
    """Return all of them."""
    lons, lats, moves = zip(*units, strict=True)
    return np.concatenate(lons), np.concatenate(lats), np.concatenate(moves)


LOOP: Final = (((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0)))


@pytest.mark.parametrize("walkers", [True, False])
@pytest.mark.parametrize("spot", [(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0)])
def test_a_place_at_the_end_of_a_one_way_street_is_reached_from_every_side(
    spot: Spot, *, walkers: bool
) -> None:
    """Whichever of the streets that meet there it is counted to; some let no walkers back."""
    cross = tuple((corner, (corner[0] * 3 - 1, corner[1] * 3 - 1)) for (corner, _) in LOOP)
    loop = (0, 1, 2, 3)
    graph = net(*LOOP, *cross, one_way=loop, motors_one_way=() if walkers else loop)
    network = RoadNetwork(graph, compiled=False)
    stands = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0.5), (-1, -1), (2, 2), (2, -1)]
    units = together(*(one(stand) for stand in stands))
    assert require_same(network, one(spot), units) == len(stands)


def test_a_place_without_a_road_is_told_as_the_crow_flies() -> None:
    """By those who are near it, and it says so."""
    network = RoadNetwork(net(((0, 0), (1, 0))), compiled=False)
    far = (25.0, 0.0)
    reaching = RoadReaching(network, *together(one((0.5, 0)), one(far))[:2], compiled=False)
    assert reaching.far.tolist() == [False, True]
    pairs = reaching.pairs(*together(one((0, 0)), one((24.5, 0))), LIMIT_S)
    assert sorted(zip(pairs.units.tolist(), pairs.places.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert expected(network, one(far), one((24.5, 0)))
    assert network.standings().reach(at(far), 1.0)[1].quality is Quality.STRAIGHT_LINE


def test_a_closure_takes_effect_when_places_are_looked_at_anew() -> None:
    """And its end too."""
    network = RoadNetwork(net(((0, 0), (3, 0)), ((0, 1), (0, 0)), ((3, 0), (3, 1))), compiled=False)
    places, units = one((3, 1)), one((0, 1))
    made = Coverage(1, RoadReaching(network, *places[:2], compiled=False))
    made.take(*units)

    def told() -> list[int]:
        made.work(1)
        covered = made.covered(
            np.ones(1, np.bool_), np.ones(1), lambda eta_s, _: eta_s * 0, np.zeros(1)
        )
        return [int(each.units[0]) for each in covered]

    assert told() == [1, 1]
    shut = network.cuts(shapely.Point(at((1.5, 0))).buffer(STEP / 10))
    network.close(shut)
    made.again()
    assert told() == [0, 0]
    network.reopen(shut)
    made.again()
    assert told() == [1, 1]


def test_who_is_nowhere_reaches_nothing() -> None:
    """Nor does anybody on an empty map of places."""
    network = RoadNetwork(net(((0, 0), (1, 0))), compiled=False)
    nan = np.array([np.nan])
    assert reached(network, one((0, 0)), (nan, nan, np.array([0], np.uint8))) == {}
    none = np.zeros(0)
    assert reached(network, (none, none, none.astype(np.uint8)), one((0, 0))) == {}
