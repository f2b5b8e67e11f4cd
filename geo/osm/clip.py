"""What was read of the ways, as `Ways`: cut at a box and where the map has no place for a node."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.point import Box
from geo.roads.graph import E7
from geo.roads.ways import Bytes, Numbers, Singles, Ways

Ids = NDArray[np.int64]
UNKNOWN_E7 = np.iinfo(np.int32).max
"""The place of a node that the extract does not hold."""


class Raw(NamedTuple):
    """The ways of an extract, one after the other: the ids and places of their nodes."""

    node: Ids
    lon_e7: Numbers
    lat_e7: Numbers
    first: Numbers
    """W + 1 indexes."""
    way_class: Bytes
    way_mps: Singles
    barred_node: Ids
    """In ascending order, with the mask of each below."""
    barred: Bytes


def clip(raw: Raw, box: Box | None) -> Ways:
    """Return the ways with every piece that has an end in the box; all without one.

    A way that leaves the box and comes back becomes several.
    """
    way = np.repeat(np.arange(len(raw.way_class), dtype=np.int32), np.diff(raw.first))
    kept = _kept_pieces(raw, way, box)
    begins = np.flatnonzero(kept & ~np.concatenate([[False], kept[:-1]]))
    used = kept.copy()
    used[1:] |= kept[:-1]
    return _ways(raw, way, used, begins)


def _kept_pieces(raw: Raw, way: Numbers, box: Box | None) -> NDArray[np.bool_]:
    """Tell for each node whether the piece from it to the next stays."""
    known = raw.lon_e7 != UNKNOWN_E7
    inside = known
    if box is not None:
        inside = known & box.contains_many(raw.lon_e7 / E7, raw.lat_e7 / E7)
    kept = np.zeros(len(way), dtype=bool)
    kept[:-1] = (way[:-1] == way[1:]) & known[:-1] & known[1:] & (inside[:-1] | inside[1:])
    return kept


def _ways(raw: Raw, way: Numbers, used: NDArray[np.bool_], begins: NDArray[np.intp]) -> Ways:
    place = np.cumsum(used) - 1
    ids, at, node = np.unique(raw.node[used], return_index=True, return_inverse=True)
    source = way[begins]
    return Ways(
        node_lon=raw.lon_e7[used][at] / E7,
        node_lat=raw.lat_e7[used][at] / E7,
        node_barred=_masks(raw, ids),
        way_first=np.append(place[begins], used.sum()).astype(np.int32),
        way_node=node.astype(np.int32),
        way_class=raw.way_class[source],
        way_mps=raw.way_mps[:, :, source],
    )


def _masks(raw: Raw, ids: Ids) -> Bytes:
    """Return the mask of each node, 0 for those that nobody bars."""
    if not len(raw.barred_node):
        return np.zeros(len(ids), dtype=np.uint8)
    at = np.searchsorted(raw.barred_node, ids).clip(max=len(raw.barred_node) - 1)
    return np.where(raw.barred_node[at] == ids, raw.barred[at], 0).astype(np.uint8)
