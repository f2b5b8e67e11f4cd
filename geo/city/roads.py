"""The roads of the synthetic city: its streets, the bridges over its river, gates of compounds."""

from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.city.city import City
from geo.city.plane import RADII_M, to_degrees, to_metres
from geo.city.streets import (
    BARRED,
    BARRED_GATES_SHARE,
    Codes,
    Lattice,
    Streets,
    dice,
    lattice,
    streets,
)
from geo.point import Floats
from geo.roads import file as road_file
from geo.roads.build import Source, build
from geo.roads.classes import CLASS_OF, usual_mps
from geo.roads.file import BadRoadsError
from geo.roads.travel import BICYCLE, CAR, MOTORBIKE
from geo.roads.ways import Ways

# It rises with every change of what `roads` makes of a city.
VERSION: Final = 1
BRIDGE_WAYS: Final = 2
"""So many streets lead to each end of a bridge."""
BRIDGE_REACH_M: Final = 2_000.0
NO_MOTORS: Final = (1 << MOTORBIKE) | (1 << CAR)


class Net(NamedTuple):
    """Roads between two nodes each."""

    places: Floats
    """Rows of lon, lat: the nodes."""
    barred: NDArray[np.uint8]
    start: Codes
    end: Codes
    road_class: Codes
    one_way: Codes


def roads(city: City) -> Ways:
    """Return the roads of a city: the same for the same city, and of a part as in the whole."""
    net = lattice(city)
    found = streets(net, city.river.water)
    return _ways(_bridged(_gated(net, found), city))


def cached_roads(folder: Path, city: City) -> Path:
    """Return the file of a city's roads, made where the folder has none of them."""
    name = f"city-{city.seed}-{len(city.units)}"
    path = folder / f"{name}-{VERSION}.roads"
    try:
        road_file.load(path)
    except (FileNotFoundError, BadRoadsError):
        folder.mkdir(parents=True, exist_ok=True)
        road_file.save(build(roads(city), Source(name)), path)
    return path


def _gated(net: Lattice, found: Streets) -> Net:
    """Return the streets with a node for each gate, in the middle of its street."""
    places = net.places.reshape(-1, 2)
    start, end = found.start[found.gate], found.end[found.gate]
    gates = to_degrees(to_metres((places[start] + places[end]) / 2))
    node = len(places) + np.arange(len(start))
    barred = np.zeros(len(places) + len(start), dtype=np.uint8)
    column, row = (line.ravel()[start] for line in net.lines())
    barred[node[dice(net.seed, BARRED, column, row) < BARRED_GATES_SHARE]] = NO_MOTORS
    halves, first_end = found.road_class[found.gate], found.end.copy()
    first_end[found.gate] = node
    return Net(
        places=np.concatenate([places, gates]),
        barred=barred,
        start=np.concatenate([found.start, node]),
        end=np.concatenate([first_end, end]),
        road_class=np.concatenate([found.road_class, halves]),
        one_way=np.concatenate([found.one_way, np.zeros(len(node), dtype=np.intp)]),
    )


def _bridged(net: Net, city: City) -> Net:
    """Return the net with the bridges that have streets near both ends."""
    for bridge in city.bridges:
        ends = np.array([bridge.start, bridge.end])
        near = [_corners_near(net, end, city.river.water) for end in ends]
        if all(map(len, near)):
            net = _with_bridge(net, ends, near)
    return net


def _corners_near(net: Net, end: Floats, water: shapely.Polygon) -> Codes:
    """Return the nearest corners that a dry street leads to from the end of a bridge."""
    is_used = np.zeros(len(net.places), dtype=bool)
    is_used[net.start] = is_used[net.end] = True
    used = np.flatnonzero(is_used)
    away_m = np.hypot(*(np.radians(net.places[used] - end) * RADII_M).T)
    used = used[np.argsort(away_m, kind="stable")[: np.count_nonzero(away_m < BRIDGE_REACH_M)]]
    dry = (n for n in used if not water.intersects(shapely.LineString([end, net.places[n]])))
    return np.fromiter(islice(dry, BRIDGE_WAYS), dtype=np.intp)


def _with_bridge(net: Net, ends: Floats, near: list[Codes]) -> Net:
    here, there = node = len(net.places) + np.arange(2)
    count = 1 + sum(map(len, near))
    return Net(
        places=np.concatenate([net.places, ends]),
        barred=np.concatenate([net.barred, np.zeros(2, dtype=np.uint8)]),
        start=np.concatenate([net.start, [here], np.repeat(node, [len(each) for each in near])]),
        end=np.concatenate([net.end, [there], *near]),
        road_class=np.concatenate([net.road_class, np.full(count, CLASS_OF["primary"])]),
        one_way=np.concatenate([net.one_way, np.zeros(count, dtype=np.intp)]),
    )


def _ways(net: Net) -> Ways:
    """Return the net as ways of one piece each; one-ways bind wheels."""
    mps = np.repeat(usual_mps()[:, None, net.road_class], 2, axis=1)
    mps[BICYCLE:, 1, net.one_way > 0] = 0.0
    mps[BICYCLE:, 0, net.one_way < 0] = 0.0
    return Ways(
        node_lon=np.ascontiguousarray(net.places[:, 0]),
        node_lat=np.ascontiguousarray(net.places[:, 1]),
        node_barred=net.barred,
        way_first=np.arange(0, 2 * len(net.start) + 1, 2, dtype=np.int32),
        way_node=np.column_stack([net.start, net.end]).astype(np.int32).ravel(),
        way_class=net.road_class.astype(np.uint8),
        way_mps=mps,
    )
