"""The model with roads: closures, hours, rings, and where no road is."""

import gc
from typing import Final

import numpy as np
import pytest
import shapely

from geo.eta import MOVES, EtaModel, Moves, StraightLine
from geo.point import Point
from geo.road_eta import RoadNetwork, ring_around
from geo.roads.classes import CLASS_OF, CLASSES
from geo.roads.closed import Cuts
from geo.roads.travel import TRAVELS
from geo.standing import Quality
from tests.geo.net import CORNER, STEP, at, net, town

# Two banks and two bridges: the near one is a primary road, the far one is not.
RIVER: Final = net(
    ((0, 0), (10, 0)),
    ((0, 4), (10, 4)),
    ((0, 0), (0, 4)),
    ((10, 0), (10, 4)),
    classes={2: "primary", 3: "tertiary"},
)
NEAR_BRIDGE: Final = shapely.box(*at((-0.5, 1)), *at((0.5, 3)))
HERE, THERE = at((1, 0)), at((1, 4))
CAR: Final = MOVES.index(Moves.CAR)
EVEN: Final = np.ones((len(TRAVELS), len(CLASSES)))


@pytest.fixture(params=[True, False])
def network(request: pytest.FixtureRequest) -> RoadNetwork:
    """Return the river city, compiled and plain."""
    return RoadNetwork(RIVER, compiled=request.param)


def eta_s(network: RoadNetwork, moves: int = CAR) -> float:
    """Return the ETA over the river."""
    lons, lats = np.array([[THERE.lon], [THERE.lat]])
    reach = network.etas(HERE, lons, lats, np.array([moves], np.uint8), 3_000.0)
    assert reach.quality is Quality.NETWORK
    return float(reach.eta_s[0])


def test_it_is_a_model_like_the_one_without_roads(network: RoadNetwork) -> None:
    """Its answers say that roads were asked; those of units out of reach are inf."""
    model: EtaModel = network
    assert model.quality is Quality.NETWORK
    lons, lats = np.array([HERE, THERE, at((100, 0))]).T
    moves = np.full(3, CAR, np.uint8)
    reach = model.etas(HERE, lons, lats, moves, 100.0)
    assert np.isfinite(reach.eta_s).tolist() == [True, False, False]
    assert reach.eta_s[0] == pytest.approx(30.0, abs=0.1)
    assert np.isfinite(reach.distance_m).tolist() == [True, False, False]


def test_a_place_off_the_net_is_the_fallbacks(network: RoadNetwork) -> None:
    """As a whole, and flagged."""
    beyond = at((50, 50))
    lons, lats = np.array([beyond, HERE]).T
    reach = network.etas(beyond, lons, lats, np.full(2, CAR, np.uint8), 1_200.0)
    assert reach.quality is Quality.STRAIGHT_LINE
    assert reach.eta_s.tolist() == [30.0, np.inf]


def test_the_turnout_is_the_models_own() -> None:
    """On roads and off them; a fallback may be another."""
    quick = RoadNetwork(RIVER, turnout_s=10.0)
    slow = RoadNetwork(RIVER, StraightLine(60.0))
    assert eta_s(slow) - eta_s(quick) == pytest.approx(20.0)
    beyond = at((50, 50))
    for network, turnout_s in ((quick, 10.0), (slow, 60.0)):
        lons, lats = np.array([[beyond.lon], [beyond.lat]])
        reach = network.etas(beyond, lons, lats, np.zeros(1, np.uint8), 300.0)
        assert reach.eta_s.tolist() == [turnout_s]


def test_it_can_be_warmed(network: RoadNetwork) -> None:
    """So that the first search of a service is as quick as any; answers stay what they are."""
    before = eta_s(network)
    network.warm()
    assert eta_s(network) == before


def test_a_closed_bridge_sends_everybody_around(network: RoadNetwork) -> None:
    """At once, those who are known already too; and it is over as soon as it is taken back."""
    standings = network.standings()
    standings.put(0, *THERE, CAR)
    open_s = float(standings.reach(HERE, 3_000.0)[1].eta_s[0])
    shut = network.cuts(NEAR_BRIDGE)
    assert network.segments_in(NEAR_BRIDGE).tolist() == shut.segments.tolist()
    assert len(shut.segments) == 1
    network.close(shut)
    shut_s = float(standings.reach(HERE, 3_000.0)[1].eta_s[0])
    assert shut_s > 2 * open_s
    assert eta_s(network) == pytest.approx(shut_s)
    network.reopen(shut)
    assert float(standings.reach(HERE, 3_000.0)[1].eta_s[0]) == open_s


def test_who_stands_on_a_closed_road_is_put_on_another(network: RoadNetwork) -> None:
    """And back on it when it opens."""
    standings = network.standings()
    standings.put(0, *at((0, 2)), CAR)
    target = at((0, 1))
    open_s = float(standings.reach(target, 3_000.0)[1].eta_s[0])
    shut = Cuts.whole(network.segments_in(NEAR_BRIDGE))
    network.close(shut)
    assert float(standings.reach(target, 3_000.0)[1].eta_s[0]) > open_s
    network.reopen(shut)
    assert float(standings.reach(target, 3_000.0)[1].eta_s[0]) == pytest.approx(open_s)


def test_standings_that_are_dropped_are_forgotten(network: RoadNetwork) -> None:
    """A fleet that is read anew leaves nothing behind."""
    kept, dropped = network.standings(), network.standings()
    assert len(network._standings) == 2
    del dropped
    gc.collect()
    assert list(network._standings) == [kept]


def test_the_hour_slows_a_class_of_road_down(network: RoadNetwork) -> None:
    """For the travels it is said of."""
    free_s, on_foot_s = eta_s(network), eta_s(network, 0)
    rush = EVEN.copy()
    rush[TRAVELS.index("car"), CLASS_OF["primary"]] = 2.0
    network.set_factors(rush)
    bridge = int(np.flatnonzero(RIVER.segment_class == CLASS_OF["primary"])[0])
    assert eta_s(network) == pytest.approx(free_s + float(RIVER.segment_s[3, 0, bridge]))
    assert eta_s(network, 0) == pytest.approx(on_foot_s)
    network.set_factors(EVEN.astype(np.float32))
    assert eta_s(network) == pytest.approx(free_s)


@pytest.mark.parametrize("bad", [EVEN[:2], EVEN[:, :3], EVEN * 0, EVEN * np.nan, -EVEN])
def test_factors_are_one_for_each_travel_and_class(network: RoadNetwork, bad: np.ndarray) -> None:
    """Above nothing: what is closed is closed by a closure."""
    with pytest.raises(ValueError, match="factors above 0 for 4 travels"):
        network.set_factors(bad)


def test_a_ring_is_drawn_on_roads(network: RoadNetwork) -> None:
    """Lines one comes from in time, and an area around them."""
    ring = ring_around(network, HERE, Moves.CAR, 60.0)
    assert ring.quality is Quality.NETWORK
    assert ring.lines.length > 0
    assert ring.area.covers(ring.lines)
    assert not ring.area.covers(shapely.Point(THERE))


def test_a_ring_is_a_circle_where_no_roads_are(network: RoadNetwork) -> None:
    """Off the net, and where none are loaded; it says so."""
    beyond = at((50, 50))
    assert network.edges(beyond, Moves.CAR, 180.0) is None
    for model in (network, StraightLine()):
        ring = ring_around(model, beyond, Moves.CAR, 180.0)
        assert ring.quality is Quality.STRAIGHT_LINE
        assert ring.lines.is_empty
        assert ring.area.contains(shapely.Point(beyond))


def test_a_rings_edge_is_where_the_eta_is_its_limit() -> None:
    """Whoever stands on what is drawn is in time; a step beyond its ends nobody is."""
    network = RoadNetwork(town(3))
    target = Point(CORNER.lon + 2.3 * STEP, CORNER.lat + 2.1 * STEP)
    edges = network.edges(target, Moves.EBIKE, 100.0)
    assert edges is not None
    lines = ring_around(network, target, Moves.EBIKE, 100.0).lines
    inside = np.array([line.interpolate(0.5, normalized=True).coords[0] for line in lines.geoms])
    moves = np.full(len(inside), MOVES.index(Moves.EBIKE), np.uint8)
    lons, lats = inside.T
    reach = network.etas(target, lons, lats, moves, 101.0)
    on_main = network.graph.segment_main[edges.segments] >> TRAVELS.index("bicycle") & 1
    assert np.isfinite(reach.eta_s[on_main.astype(bool)]).all()
