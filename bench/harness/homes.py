"""Where units stand and incidents happen: beside roads, as houses are."""

from math import cos, radians
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.distance import metres
from geo.point import Point
from geo.roads.graph import E7, RoadGraph
from geo.roads.travel import FOOT

UNITS_KM2: Final = 3.1
"""As many as Guangzhou has."""
OFF_M: Final = 20.0
"""How far from the middle of the road, east and north each (one sigma)."""
DEGREE_M: Final = 111_320.0

Places = NDArray[np.float64]


def homes(graph: RoadGraph, count: int, dice: np.random.Generator) -> Places:
    """Return lon and lat of places beside what walkers use, every metre of it as likely."""
    walked = np.flatnonzero(graph.segment_main >> FOOT & 1)
    long_m = graph.segment_m[walked].astype(np.float64)
    chosen = dice.choice(walked, count, p=long_m / long_m.sum())
    at_m = dice.random(count) * graph.segment_m[chosen]
    on_road = [_at(graph, segment, m) for segment, m in zip(chosen.tolist(), at_m, strict=True)]
    middle = cos(radians((graph.about.box.south + graph.about.box.north) / 2))
    off = dice.normal(0.0, OFF_M / DEGREE_M, (count, 2)) / (middle, 1.0)
    places: Places = np.array(on_road) + off
    return places


def _at(graph: RoadGraph, segment: int, at_m: float) -> tuple[float, float]:
    shape = slice(graph.shape_first[segment], graph.shape_first[segment + 1])
    along = graph.shape_m[shape]
    lon, lat = (np.interp(at_m, along, each[shape]) for each in (graph.shape_lon, graph.shape_lat))
    return float(lon) / E7, float(lat) / E7


def area_km2(graph: RoadGraph) -> float:
    """Return the square kilometres of the box that holds all roads."""
    west, south, east, north = graph.about.box
    middle = (south + north) / 2
    wide = metres(Point(west, middle), Point(east, middle))
    return wide * metres(Point(west, south), Point(west, north)) / 1e6
