"""The roads of the synthetic city: near everybody, over the river by its bridges only."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo.city import City
from geo.city.plane import Shapes, to_metres
from geo.city.roads import VERSION, cached_roads, roads
from geo.point import Floats, Point
from geo.roads.classes import CLASS_OF
from geo.roads.file import load
from geo.roads.graph import E7, RoadGraph
from geo.roads.travel import CAR, FOOT
from geo.roads.ways import Ways
from tests.geo.city.cities import city_of


@pytest.fixture(scope="module")
def city() -> City:
    """A part of a city on both sides of the river."""
    return city_of(1_500)


@pytest.fixture(scope="module")
def ways(city: City) -> Ways:
    """Its roads."""
    return roads(city)


@pytest.fixture(scope="module")
def graph(city: City, tmp_path_factory: pytest.TempPathFactory) -> RoadGraph:
    """Their graph."""
    return load(cached_roads(tmp_path_factory.mktemp("roads"), city))


def lines(ways: Ways) -> Shapes:
    """Every way as a line in degrees."""
    places = np.column_stack([ways.node_lon, ways.node_lat])
    return np.asarray(shapely.linestrings(places[ways.way_node].reshape(-1, 2, 2)))


def away_m(ways: Ways, places: list[Point]) -> Floats:
    """Metres from each place to the nearest road."""
    net = shapely.transform(lines(ways), to_metres)
    points = shapely.points(to_metres(np.array(places)))
    return shapely.STRtree(net).query_nearest(points, all_matches=False, return_distance=True)[1]


def test_only_bridges_cross_the_water(city: City, ways: Ways) -> None:
    """Each way that touches the river is one of its bridges, from end to end."""
    wet = np.flatnonzero(shapely.intersects(city.river.water, lines(ways)))
    nodes = ways.way_node.reshape(-1, 2)[wet]
    ends = {
        tuple(Point(float(ways.node_lon[n]), float(ways.node_lat[n])) for n in pair)
        for pair in nodes
    }
    assert ends <= {(bridge.start, bridge.end) for bridge in city.bridges}
    assert 2 <= len(ends) < len(city.bridges)


def test_without_its_bridges_the_city_falls_apart(city: City, graph: RoadGraph) -> None:
    """They are what joins the two sides: the roads in one piece lie on both."""
    main = np.flatnonzero(graph.segment_main >> CAR & 1)
    lon, lat = (each[graph.segment_a[main]] / E7 for each in (graph.node_lon, graph.node_lat))
    middle = shapely.LineString(city.river.middle)
    nearest = shapely.line_locate_point(middle, shapely.points(lon, lat))
    south = lat < shapely.get_y(shapely.line_interpolate_point(middle, nearest))
    assert 0.1 < south.mean() < 0.9


def test_every_home_is_near_a_road(city: City, ways: Ways) -> None:
    """So near that the rest is walked in a minute or so."""
    off_m = away_m(ways, [unit.home for unit in city.units])
    assert np.percentile(off_m, 99) < 120
    assert off_m.max() < 200


def test_incidents_happen_near_roads(city: City, ways: Ways) -> None:
    """Most of them within 100 m."""
    places = city.incident_places(np.random.default_rng(1), 2_000)
    off_m = away_m(ways, [place.point for place in places])
    assert (off_m < 100).mean() > 0.95
    assert (off_m < 150).mean() > 0.98


def test_the_roads_hang_together(graph: RoadGraph) -> None:
    """For everybody; one-ways leave a car a little out."""
    assert min(graph.about.main_share) > 0.9
    assert graph.about.main_share[FOOT] > 0.95


def test_gates_bar_motors_or_nobody(ways: Ways) -> None:
    """Those on foot and on bicycles always get in."""
    assert set(ways.node_barred.tolist()) == {0, 0b1100}


def test_one_ways_bind_wheels(ways: Ways) -> None:
    """Walkers go both ways everywhere."""
    closed = (ways.way_mps == 0).any(axis=1) & (ways.way_mps > 0).any(axis=1)
    assert not closed[FOOT].any()
    one_way = closed[CAR]
    assert 0.05 < one_way.mean() < 0.4
    assert (ways.way_class[one_way] == CLASS_OF["residential"]).all()
    assert {tuple(pair) for pair in (ways.way_mps[CAR][:, one_way] > 0).T.tolist()} == {
        (True, False),
        (False, True),
    }


def test_the_same_city_has_the_same_roads(city: City, ways: Ways) -> None:
    """To the last bit."""
    again = roads(city)
    for field in fields(Ways):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(ways, field.name))


@pytest.mark.parametrize("units", [1, 300])
def test_a_small_city_has_roads(units: int) -> None:
    """Some hundred junctions, and no bridge where there is none near."""
    small = city_of(units)
    found = roads(small)
    assert len(found.way_class) > 50
    assert away_m(found, [unit.home for unit in small.units]).max() < 150


def test_the_graph_is_kept_in_a_file(city: City, tmp_path: Path) -> None:
    """The second time it is only mapped."""
    path = cached_roads(tmp_path / "data", city)
    assert path == tmp_path / "data" / f"city-1-1500-{VERSION}.roads"
    written = path.stat().st_mtime_ns
    assert cached_roads(tmp_path / "data", city) == path
    assert path.stat().st_mtime_ns == written
    about = load(path).about
    assert (about.source, about.osm_timestamp) == ("city-1-1500", "")


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    """Nobody has to know that there was one."""
    small = city_of(300)
    path = tmp_path / f"city-1-300-{VERSION}.roads"
    path.write_bytes(b"something else")
    assert cached_roads(tmp_path, small) == path
    assert load(path).nodes > 0
    assert path.read_bytes().startswith(b"kapok-roads ")


def test_the_whole_city_stays_small() -> None:
    """Half of what would be too many junctions, all nine bridges, and water between the banks."""
    whole = city_of()
    found = roads(whole)
    wet = shapely.intersects(whole.river.water, lines(found))
    assert wet.sum() == len(whole.bridges)
    assert 200_000 < len(found.way_class) < 600_000
    assert np.percentile(away_m(found, [unit.home for unit in whole.units]), 99) < 100
