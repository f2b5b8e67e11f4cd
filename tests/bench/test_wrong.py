"""The report on straight lines: what is counted, and a small run of it on real roads."""

import numpy as np
import pytest

from bench import wrong
from bench.harness.homes import OFF_M, area_km2, homes
from bench.harness.result import NOT_RUN
from geo.eta import MOVES, Moves
from geo.point import Point
from geo.road_eta import RoadNetwork
from tests.samples import BAYFRONT, osm_sample, road_sample


def test_a_small_run_tells_all_ways_of_moving() -> None:
    """Shares are shares, and whoever loses three minutes has lost one."""
    osm_sample(BAYFRONT)
    found = wrong.measure(0.02)
    values = {row.what: row.median for row in found.rows if row.median is not None}
    assert values.pop(f"{BAYFRONT}: units, spread {wrong.FLEETS} times") == 6
    shares = [row.median for row in found.rows if row.unit.startswith("of ")]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    for moves in wrong.WAYS:
        of = f"{BAYFRONT}, {moves}: "
        wrong_share = values[f"{of}the nearest by straight line is not the first there"]
        assert wrong_share >= values[f"{of}60 s lost and more"]
        assert values[f"{of}60 s lost and more"] >= values[f"{of}180 s lost and more"]


def test_without_an_extract_it_reads_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of failing, or of telling nothing."""
    monkeypatch.setenv("KAPOK_OSM_SAMPLES", "/nowhere")
    found = wrong.measure(1.0)
    assert [row.unit for row in found.rows] == [NOT_RUN] * len(wrong.EXTRACTS)


def test_late_is_who_is_inside_the_circle_and_not_there_in_time() -> None:
    """Whoever is outside is nobody's mistake."""
    straight_m, eta_s = (
        np.array([100.0, 150.0, 350.0, 900.0]),
        np.array([120.0, 200.0, 250.0, 600.0]),
    )
    counts = wrong.claimed(straight_m, eta_s, [200.0, 400.0])
    assert counts.tolist() == [[2, 1], [3, 0]]


def test_the_nearest_is_looked_for_until_it_is_found() -> None:
    """Beyond the first limit too; who is never found counts as the last one."""
    network = RoadNetwork(road_sample(BAYFRONT), turnout_s=wrong.NEAR_S)
    standings = network.standings()
    west, south, east, north = network.graph.about.box
    place = Point((west + east) / 2, (south + north) / 2)
    standings.put(0, *place, MOVES.index(Moves.FOOT))
    standings.put(1, 0.0, 0.0, MOVES.index(Moves.FOOT))
    standings.put(2, west, south, MOVES.index(Moves.FOOT))
    etas = wrong.etas_s(standings, place, 2, 3)
    assert wrong.NEAR_S < etas[2] < wrong.FAR_S
    assert etas[1] == wrong.FAR_S


def test_homes_lie_beside_roads_everywhere() -> None:
    """As far off as they are meant to be, and the same for the same dice."""
    graph = road_sample(BAYFRONT)
    places, again = (homes(graph, 500, np.random.default_rng(3)) for _ in range(2))
    assert (places == again).all()
    snaps = RoadNetwork(graph).snapper.snap(np.zeros(500, np.uint8), places[:, 0], places[:, 1])
    assert 0 < np.median(snaps.off_m) < 2 * OFF_M
    assert len(np.unique(snaps.segment)) > 100
    assert 1.5 < area_km2(graph) < 2.5
