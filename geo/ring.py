"""A ring to be drawn: the stretches of road one gets to a place from in time, and their hull.

Who is in a ring is told by ETAs only, never by whether he lies in what is drawn here.
"""

from math import cos, radians
from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiLineString
from shapely.geometry.base import BaseGeometry

from geo.distance import SEMI_MAJOR_M
from geo.point import Floats, Point
from geo.reach import Settled, Target
from geo.roads.closed import SHUT, Closed
from geo.roads.graph import E7, Numbers, RoadGraph
from geo.standing import Quality

HULL_RATIO: Final = 0.1
"""How closely the hull follows the roads: 0 as closely as can be, 1 is the convex hull."""
MARGIN_M: Final = 25.0
"""So far beyond the roads the area is drawn: where houses stand."""
METRE_DEGREES: Final = 1.0 / (radians(1.0) * SEMI_MAJOR_M)
CORNERS: Final = 16
"""Corners of a quarter of a circle."""


class Edges(NamedTuple):
    """Stretches of segments, from a share of the way to another; none overlaps another."""

    segments: Numbers
    first: Floats
    last: Floats


class Ring(NamedTuple):
    """What is within some seconds of a place: roads, and an area to be drawn around them."""

    quality: Quality
    lines: MultiLineString
    area: BaseGeometry


def covered(
    graph: RoadGraph,
    closed: Closed,
    travel: int,
    factor: Floats,
    target: Target,
    settled: Settled,
    limit_s: float,
) -> Edges:
    """Return where one may start and be at the target within the limit, exactly.

    What is shut leads nobody through; `factor` is what the seconds of a class are multiplied with.
    """
    seconds = graph.segment_s[travel]
    nodes, arcs = _arcs(graph, settled.nodes)
    each = graph.arc_segment[arcs]
    to_b = graph.segment_b[each] == settled.nodes[nodes]
    way_s = np.where(to_b, seconds[0, each], seconds[1, each]) * factor[graph.segment_class[each]]
    share = _share(limit_s - settled.s[nodes], way_s)
    clear = np.where(to_b, 1.0 - closed.last[each], closed.first[each])
    share = np.where(closed.lane[each] == SHUT, np.minimum(share, clear), share)
    segments, of = np.unique(each, return_inverse=True)
    upto, since = np.zeros(len(segments)), np.ones(len(segments))
    np.maximum.at(upto, of[~to_b], share[~to_b])
    np.minimum.at(since, of[to_b], 1.0 - share[to_b])
    own_s = seconds[:, target.segment] * factor[graph.segment_class[target.segment]]
    return _joined(segments, upto, since, target.segment, _own(closed, target, own_s, limit_s))


def _arcs(graph: RoadGraph, nodes: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the arcs into some nodes, and before them the place of each one's node in `nodes`."""
    first = graph.arc_first[nodes].astype(np.int64)
    count = graph.arc_first[nodes + 1] - first
    of = np.repeat(np.arange(len(nodes)), count)
    return of, np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count) + first[of]


def _share(left_s: Floats, way_s: Floats) -> Floats:
    """Return what share of a way the seconds that are left allow."""
    share = np.ones(len(way_s))
    np.divide(left_s, way_s, out=share, where=way_s > left_s)
    return share


def _own(closed: Closed, target: Target, way_s: Floats, limit_s: float) -> tuple[float, float]:
    """Return from where to where the target's own segment leads to it directly in time."""
    segment, place = target
    before, after = _share(np.full(2, limit_s), way_s).tolist()
    low, high = max(place - before, 0.0), min(place + after, 1.0)
    if closed.lane[segment] != SHUT:
        return low, high
    if place < closed.first[segment]:
        return low, min(high, float(closed.first[segment]))
    return max(low, float(closed.last[segment])), high


def _joined(
    segments: Numbers, upto: Floats, since: Floats, own: int, direct: tuple[float, float]
) -> Edges:
    """Return the stretches of all: from a on, up to b, and around the target on its own."""
    found: list[tuple[int, float, float]] = []
    at = np.flatnonzero(segments == own)
    ends = [(0.0, float(upto[i])) for i in at] + [(float(since[i]), 1.0) for i in at]
    for first, last in sorted([direct, *ends]):
        if found and first <= found[-1][2]:
            found[-1] = (own, found[-1][1], max(last, found[-1][2]))
        elif first < last:
            found.append((own, first, last))
    whole = upto >= since
    others = segments != own
    parts = (
        (whole, np.zeros(len(segments)), np.ones(len(segments))),
        (~whole & (upto > 0.0), np.zeros(len(segments)), upto),
        (~whole & (since < 1.0), since, np.ones(len(segments))),
    )
    columns = [np.array(found, np.float64).reshape(-1, 3)]
    for which, since_, upto_ in parts:
        rows = np.flatnonzero(which & others)
        columns.append(
            np.column_stack((segments[rows].astype(np.float64), since_[rows], upto_[rows]))
        )
    joined = np.concatenate(columns)
    return Edges(joined[:, 0].astype(np.int32), joined[:, 1], joined[:, 2])


def lines(graph: RoadGraph, edges: Edges) -> MultiLineString:
    """Return the stretches as lines in degrees, lon lat, each cut exactly where it ends."""
    coordinates, of = [np.zeros((0, 2))], [np.zeros(0, np.int64)]
    for number, stretch in enumerate(zip(*(each.tolist() for each in edges), strict=True)):
        line = _line(graph, *stretch)
        coordinates.append(line)
        of.append(np.full(len(line), number))
    each = shapely.linestrings(np.concatenate(coordinates), indices=np.concatenate(of))
    return MultiLineString(list(np.atleast_1d(np.asarray(each))))


def _line(graph: RoadGraph, segment: int, first: float, last: float) -> Floats:
    """Return the vertices of a stretch, with its two ends."""
    part = slice(graph.shape_first[segment], graph.shape_first[segment + 1])
    lon, lat, metres = graph.shape_lon[part], graph.shape_lat[part], graph.shape_m[part]
    ends = np.array([first, last]) * float(graph.segment_m[segment])
    inside = metres[(metres > ends[0]) & (metres < ends[1])]
    m = np.concatenate((ends[:1], inside, ends[1:]))
    return np.column_stack((np.interp(m, metres, lon), np.interp(m, metres, lat))) / E7


def area(drawn: MultiLineString) -> BaseGeometry:
    """Return an area around lines, for the eye: their hull, a few metres wider."""
    if drawn.is_empty:
        return drawn.buffer(0.0)
    narrow = cos(radians(drawn.centroid.y))
    flat = shapely.transform(drawn, lambda places: places * (narrow, 1.0))
    hull = shapely.concave_hull(flat, ratio=HULL_RATIO).buffer(MARGIN_M * METRE_DEGREES)
    return shapely.transform(hull.simplify(METRE_DEGREES), lambda places: places / (narrow, 1.0))


def circle(place: Point, radius_m: float) -> Ring:
    """Return what is drawn where no roads are known: everything within so many metres."""
    narrow = cos(radians(place.lat))
    flat = shapely.Point(place.lon * narrow, place.lat).buffer(radius_m * METRE_DEGREES, CORNERS)
    wide = shapely.transform(flat, lambda places: places / (narrow, 1.0))
    return Ring(Quality.STRAIGHT_LINE, MultiLineString(), wide)


def ring(graph: RoadGraph, edges: Edges) -> Ring:
    """Return the ring of some stretches."""
    drawn = lines(graph, edges)
    return Ring(Quality.NETWORK, drawn, area(drawn))
