"""The road graph made of ways: cut, parted at gates, contracted, ordered, indexed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.point import Box
from geo.roads import cells, chains, components, pieces
from geo.roads.graph import E7, About, Numbers, RoadGraph, Singles
from geo.roads.lengths import metres
from geo.roads.pieces import Indexes, Pieces
from geo.roads.travel import TRAVELS
from geo.roads.ways import Bytes, Doubles, Ways

Flags = NDArray[np.bool_]

NOWHERE: Final = Box(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Source:
    """What the ways were read from."""

    name: str
    sha256: str = ""
    osm_timestamp: str = ""


class Segments(NamedTuple):
    """Segments between nodes as they are numbered so far, with their shapes."""

    a: Numbers
    b: Numbers
    metres: Singles
    road_class: Bytes
    seconds: Singles
    shape_first: Numbers
    shape_node: Numbers
    shape_m: Singles


def build(ways: Ways, source: Source) -> RoadGraph:
    """Return the graph of all ways that anybody may use; the same ways give the same graph.

    Raises:
        TooWideError: They spread over too much of the earth.
    """
    lon_e7, lat_e7 = _e7(ways.node_lon), _e7(ways.node_lat)
    cut = pieces.part(pieces.cut(ways), ways.node_barred)
    found = _segments(cut, lon_e7[cut.node], lat_e7[cut.node])
    node = _in_order(found, lon_e7[cut.node], lat_e7[cut.node])
    found = _renumbered(found, node, len(cut.node))
    at = cut.node[node]
    place = cut.node[found.shape_node]
    shape_lon, shape_lat = lon_e7[place], lat_e7[place]
    first, came_from, segment, arc_s = _arcs(found, len(node))
    snap = cells.index(found.shape_first, shape_lon, shape_lat)
    main = _main(found, len(node))
    return RoadGraph(
        node_lon=lon_e7[at],
        node_lat=lat_e7[at],
        segment_a=found.a,
        segment_b=found.b,
        segment_m=found.metres,
        segment_class=found.road_class,
        segment_main=main,
        segment_s=found.seconds,
        shape_first=found.shape_first,
        shape_lon=shape_lon,
        shape_lat=shape_lat,
        shape_m=found.shape_m,
        arc_first=first,
        arc_from=came_from,
        arc_segment=segment,
        arc_s=arc_s,
        cell_first=snap.first,
        cell_piece=snap.piece,
        cell_segment=snap.segment,
        grid=snap.grid,
        about=About(
            source=source.name,
            sha256=source.sha256,
            osm_timestamp=source.osm_timestamp,
            box=_box(shape_lon, shape_lat),
            ways=len(ways.way_class),
            nodes=len(ways.node_lon),
            junctions=len(node),
            segments=len(found.a),
            km=tuple(_km(found, open_to) for open_to in _open(found)),
            main_share=tuple(_shares(found, main)),
        ),
    )


def _e7(degrees: Doubles) -> Numbers:
    return np.round(degrees * E7).astype(np.int32)


def _segments(cut: Pieces, lon: Numbers, lat: Numbers) -> Segments:
    """Return a segment for each walk of the pieces, its shape as the map has it."""
    walk, first = chains.join(cut)
    piece, back = walk >> 1, walk & 1
    tail = np.where(back, cut.head[piece], cut.tail[piece])
    head = np.where(back, cut.tail[piece], cut.head[piece])
    bounds = np.append(first, len(walk))
    ends = bounds[1:]
    shape_first = (bounds + np.arange(len(bounds))).astype(np.int32)
    shape_node = np.insert(tail, ends, head[ends - 1])
    shape_m = _along(metres(lon[tail], lat[tail], lon[head], lat[head]), first, ends)
    length = shape_m[shape_first[1:] - 1]
    way = cut.way[piece[first]]
    return Segments(
        a=tail[first],
        b=head[ends - 1],
        metres=length,
        road_class=cut.way_class[way],
        seconds=_seconds(cut.way_mps[:, :, way], length, back[first].astype(bool)),
        shape_first=shape_first,
        shape_node=shape_node,
        shape_m=shape_m,
    )


def _along(piece_m: Doubles, first: Indexes, ends: Indexes) -> Singles:
    """Return the metres from its segment's start to each vertex."""
    total = np.concatenate([[0.0], np.cumsum(piece_m)])
    counts = ends - first + 1
    vertex = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    along: Singles = (total[vertex] - np.repeat(total[first], counts)).astype(np.float32)
    return along


def _seconds(mps: Singles, length: Singles, back: Flags) -> Singles:
    """Return the seconds of each segment by travel and direction; inf where closed."""
    mps = np.where(back, mps[:, ::-1], mps)
    seconds = np.full(mps.shape, np.inf, dtype=np.float32)
    np.divide(length, mps, out=seconds, where=mps > 0)
    return seconds


def _in_order(found: Segments, lon: Numbers, lat: Numbers) -> Indexes:
    """Return the junctions along a curve that keeps neighbours together (Morton's).

    A search touches what lies around one place, and so few pages of a mapped file.
    """
    used = np.zeros(len(lon), dtype=bool)
    used[found.a] = used[found.b] = True
    node = np.flatnonzero(used)
    code = _spread(lon[node]) | (_spread(lat[node]) << np.uint64(1))
    return node[np.argsort(code, kind="stable")]


def _spread(values: Numbers) -> NDArray[np.uint64]:
    """Return the bits of each value with a gap before each of them."""
    bits = (values.astype(np.int64) + (1 << 31)).astype(np.uint64)
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
    return bits


def _renumbered(found: Segments, node: Indexes, count: int) -> Segments:
    """Return the segments with nodes numbered in the order given, sorted by where they begin."""
    number = np.empty(count, dtype=np.int32)
    number[node] = np.arange(len(node), dtype=np.int32)
    a, b = number[found.a], number[found.b]
    order = np.lexsort((b, a))
    counts = np.diff(found.shape_first)[order]
    shape_first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    vertex = np.repeat(found.shape_first[:-1][order] - shape_first[:-1], counts)
    vertex += np.arange(len(vertex), dtype=np.int32)
    return Segments(
        a=a[order],
        b=b[order],
        metres=found.metres[order],
        road_class=found.road_class[order],
        seconds=found.seconds[:, :, order],
        shape_first=shape_first,
        shape_node=found.shape_node[vertex],
        shape_m=found.shape_m[vertex],
    )


def _arcs(found: Segments, nodes: int) -> tuple[Numbers, Numbers, Numbers, Singles]:
    """Return the ways into each node: where they begin, from where, on what, in what time."""
    segments = np.arange(len(found.a), dtype=np.int32)
    open_to = np.logical_or.reduce(np.isfinite(found.seconds)).ravel()
    into = np.concatenate([found.b, found.a])[open_to]
    order = np.argsort(into, kind="stable")
    first = np.zeros(nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(into, minlength=nodes), out=first[1:])
    chosen = np.flatnonzero(open_to)[order]
    came_from = np.concatenate([found.a, found.b])[chosen]
    arc_s = found.seconds.reshape(len(TRAVELS), -1)[:, chosen]
    return first, came_from, np.concatenate([segments, segments])[chosen], arc_s


def _main(found: Segments, nodes: int) -> Bytes:
    """Return for each segment a mask of the travels that get to it from all around and back."""
    mask = np.zeros(len(found.a), dtype=np.uint8)
    for travel in range(len(TRAVELS)):
        along, against = np.isfinite(found.seconds[travel])
        tails = np.concatenate([found.a[along], found.b[against]])
        heads = np.concatenate([found.b[along], found.a[against]])
        member = components.largest(tails, heads, nodes)
        main = (along | against) & member[found.a] & member[found.b]
        mask |= main.astype(np.uint8) << np.uint8(travel)
    return mask


def _open(found: Segments) -> Flags:
    """Tell for each travel which segments it may use, one way or the other."""
    return np.isfinite(found.seconds[:, 0]) | np.isfinite(found.seconds[:, 1])


def _km(found: Segments, chosen: Flags) -> float:
    return round(float(found.metres[chosen].sum(dtype=np.float64)) / 1_000, 3)


def _shares(found: Segments, main: Bytes) -> Iterator[float]:
    """Go through the travels: what share of its kilometres hangs together."""
    for travel, mine in enumerate(_open(found)):
        km = _km(found, mine)
        yield round(_km(found, (main >> travel & 1).astype(bool)) / km, 4) if km else 0.0


def _box(lon: Numbers, lat: Numbers) -> Box:
    if not len(lon):
        return NOWHERE
    return Box(*(float(each) / E7 for each in (lon.min(), lat.min(), lon.max(), lat.max())))
