"""Small road nets for tests: drawn by hand, or at random; and what a look at everything finds."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from geo.point import Floats, Point
from geo.roads.build import Source, build
from geo.roads.classes import CLASS_OF
from geo.roads.closed import SHUT
from geo.roads.graph import RoadGraph
from geo.roads.travel import TRAVELS
from geo.roads.ways import Ways

CORNER: Final = Point(113.27, 23.13)
STEP: Final = 0.002
"""About 205 m to the east, 221 m to the north."""
MPS: Final = (1.4, 4.5, 8.0, 10.0)
ONE_WAY: Final = (1.4, 1.4), (4.5, 0.0), (8.0, 0.0), (10.0, 0.0)
MOTORS_ONE_WAY: Final = (0.0, 0.0), (0.0, 0.0), (8.0, 0.0), (10.0, 0.0)
BOTH_WAYS: Final = tuple((mps, mps) for mps in MPS)

Spot = tuple[float, float]
Seconds = NDArray[np.float64]


def at(spot: Spot) -> Point:
    """Return the place so many steps east and north of the corner."""
    return Point(CORNER.lon + spot[0] * STEP, CORNER.lat + spot[1] * STEP)


def net(
    *ways: tuple[Spot, ...],
    one_way: tuple[int, ...] = (),
    motors_one_way: tuple[int, ...] = (),
    classes: dict[int, str] | None = None,
) -> RoadGraph:
    """Return the net of some ways; a way is its spots, and ways meet at spots they share."""
    spots = sorted({spot for way in ways for spot in way})
    number = {spot: n for n, spot in enumerate(spots)}
    mps = [
        MOTORS_ONE_WAY if n in motors_one_way else ONE_WAY if n in one_way else BOTH_WAYS
        for n in range(len(ways))
    ]
    names = [(classes or {}).get(n, "residential") for n in range(len(ways))]
    counts = [len(way) for way in ways]
    raw = Ways(
        node_lon=np.array([at(spot).lon for spot in spots]),
        node_lat=np.array([at(spot).lat for spot in spots]),
        node_barred=np.zeros(len(spots), np.uint8),
        way_first=np.cumsum([0, *counts]).astype(np.int32),
        way_node=np.array([number[spot] for way in ways for spot in way], np.int32),
        way_class=np.array([CLASS_OF[name] for name in names], np.uint8),
        way_mps=np.array(mps, np.float32).transpose(1, 2, 0),
    )
    return build(raw, Source("by hand"))


def town(seed: int, side: int = 6) -> RoadGraph:
    """Return a random town: a grid with streets missing, bent, one-way, closed to some."""
    dice = np.random.default_rng(seed)
    shift = dice.uniform(-0.3, 0.3, (side, side, 2))
    lon = CORNER.lon + (np.arange(side)[:, None] + shift[:, :, 0]) * STEP
    lat = CORNER.lat + (np.arange(side)[None, :] + shift[:, :, 1]) * STEP
    number = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate(
        (
            np.column_stack((number[:-1].ravel(), number[1:].ravel())),
            np.column_stack((number[:, :-1].ravel(), number[:, 1:].ravel())),
        )
    )
    pairs = pairs[dice.random(len(pairs)) < 0.85]
    bends = pairs.mean(axis=1)
    mps = np.array(MPS)[:, None, None] * dice.uniform(0.5, 1.0, (1, 1, len(pairs)))
    open_to = dice.random((len(TRAVELS), 2, len(pairs))) < 0.85
    open_to[0] = True
    lons, lats = lon.ravel(), lat.ravel()
    middle_lon = lons[pairs].mean(axis=1) + dice.uniform(-0.2, 0.2, len(bends)) * STEP
    middle_lat = lats[pairs].mean(axis=1) + dice.uniform(-0.2, 0.2, len(bends)) * STEP
    middle = side * side + np.arange(len(pairs))
    raw = Ways(
        node_lon=np.append(lons, middle_lon),
        node_lat=np.append(lats, middle_lat),
        node_barred=np.zeros(side * side + len(pairs), np.uint8),
        way_first=(np.arange(len(pairs) + 1) * 3).astype(np.int32),
        way_node=np.column_stack((pairs[:, 0], middle, pairs[:, 1])).ravel().astype(np.int32),
        way_class=dice.integers(0, 12, len(pairs)).astype(np.uint8),
        way_mps=(mps * open_to).astype(np.float32),
    )
    return build(raw, Source(f"town {seed}"))


def node_seconds(
    graph: RoadGraph, travel: int, factor: Floats, lane: NDArray[np.uint8] | None = None
) -> Seconds:
    """Return the seconds from each junction to each, as scipy finds them; inf where no way is."""
    way = np.where((graph.segment_class if lane is None else lane) == SHUT, np.inf, 1.0)
    s = graph.segment_s[travel].astype(np.float64) * factor[graph.segment_class] * way
    tails = np.concatenate((graph.segment_a, graph.segment_b))
    heads = np.concatenate((graph.segment_b, graph.segment_a))
    best = np.full((graph.nodes, graph.nodes), np.inf)
    np.minimum.at(best, (tails, heads), s.ravel())
    rows, columns = np.nonzero(np.isfinite(best))
    sparse = coo_matrix((best[rows, columns], (rows, columns)), shape=best.shape)
    found: Seconds = dijkstra(sparse.tocsr(), directed=True)
    return found


def unit_seconds(
    graph: RoadGraph,
    travel: int,
    nodes: Seconds,
    factor: Floats,
    start: tuple[int, float],
    target: tuple[int, float],
) -> float:
    """Return the seconds from a place on a segment to another: by both ends, or directly."""
    (mine, along), (there, place) = start, target
    up, down = graph.segment_s[travel, :, mine] * factor[graph.segment_class[mine]]
    t_up, t_down = graph.segment_s[travel, :, there] * factor[graph.segment_class[there]]
    leave = {graph.segment_a[mine]: part(along, down), graph.segment_b[mine]: part(1 - along, up)}
    arrive = {
        graph.segment_a[there]: part(place, t_up),
        graph.segment_b[there]: part(1 - place, t_down),
    }
    ways = [out + nodes[a, b] + in_ for a, out in leave.items() for b, in_ in arrive.items()]
    if mine == there:
        ways.append(part(place - along, up) if place >= along else part(along - place, down))
    return float(min(ways))


def part(share: float, seconds: float) -> float:
    """Return the seconds of a share of a way; none for none of it, be it closed."""
    return share * float(seconds) if share > 0 else 0.0
