"""What is closed on the map at the moment: segments, each with the stretch of it that is shut."""

from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.roads.graph import CELL_E7, E7, Numbers, RoadGraph

SHUT: Final = 255
"""What stands in place of the class of a segment that is closed."""

Shares = NDArray[np.float64]


class Cuts(NamedTuple):
    """Segments, each once, and from where to where they are shut: shares of the way, 0 to 1."""

    segments: Numbers
    first: Shares
    last: Shares

    @classmethod
    def whole(cls, segments: NDArray[Any]) -> "Cuts":
        """Return segments shut all along."""
        each = np.unique(np.asarray(segments, np.int32))
        return cls(each, np.zeros(len(each)), np.ones(len(each)))


class Closed:
    """Closures over a graph. They may overlap: a segment opens when its last closure goes."""

    def __init__(self, graph: RoadGraph) -> None:
        """Begin with everything open."""
        self._class = graph.segment_class
        self.lane = np.array(graph.segment_class)
        self.first = np.zeros(graph.segments)
        self.last = np.zeros(graph.segments)
        self._of: dict[int, list[tuple[float, float]]] = {}

    @property
    def arrays(self) -> tuple[NDArray[np.uint8], Shares, Shares]:
        """By segment: its class or `SHUT`, and from where to where it is shut."""
        return self.lane, self.first, self.last

    def __len__(self) -> int:
        """Return how many segments are closed."""
        return len(self._of)

    def close(self, cuts: Cuts) -> None:
        """Close segments once more."""
        for segment, *stretch in zip(*(each.tolist() for each in cuts), strict=True):
            self._of.setdefault(segment, []).append((stretch[0], stretch[1]))
            self._write(segment)

    def reopen(self, cuts: Cuts) -> None:
        """Take one closure back; raise KeyError where it is none."""
        for segment, *stretch in zip(*(each.tolist() for each in cuts), strict=True):
            held = self._of.get(segment, [])
            if (stretch[0], stretch[1]) not in held:
                raise KeyError(f"segment {segment} is not closed from {stretch[0]} to {stretch[1]}")
            held.remove((stretch[0], stretch[1]))
            self._write(segment)

    def _write(self, segment: int) -> None:
        held = self._of[segment]
        if not held:
            del self._of[segment]
            self.lane[segment] = self._class[segment]
            return
        self.lane[segment] = SHUT
        self.first[segment] = min(first for first, _ in held)
        self.last[segment] = max(last for _, last in held)


def cuts(graph: RoadGraph, area: BaseGeometry) -> Cuts:
    """Return the segments that run through an area (WGS-84, lon lat), and where in it."""
    shapely.prepare(area)
    found = []
    for segment in _near(graph, area).tolist():
        line = shapely.LineString(_shape(graph, segment))
        if area.intersects(line):
            found.append((segment, *_stretch(graph, segment, line.intersection(area))))
    segments, first, last = np.array(found, np.float64).reshape(-1, 3).T
    return Cuts(segments.astype(np.int32), first, last)


def _near(graph: RoadGraph, area: BaseGeometry) -> Numbers:
    """Return the segments of all cells that the area's box touches."""
    if area.is_empty:
        return np.zeros(0, np.int32)
    west, south, east, north = (round(each * E7) for each in area.bounds)
    grid = graph.grid
    columns = _cells(west - grid.west_e7, east - grid.west_e7, grid.columns)
    found = [np.zeros(0, np.int32)]
    for row in _cells(south - grid.south_e7, north - grid.south_e7, grid.rows):
        first = row * grid.columns
        if len(columns):
            begin, end = (
                graph.cell_first[first + columns.start],
                graph.cell_first[first + columns.stop],
            )
            found.append(graph.cell_segment[begin:end])
    return np.unique(np.concatenate(found))


def _cells(low: int, high: int, most: int) -> range:
    return range(max(low // CELL_E7, 0), min(high // CELL_E7 + 1, most))


def _shape(graph: RoadGraph, segment: int) -> Shares:
    part = slice(graph.shape_first[segment], graph.shape_first[segment + 1])
    return np.column_stack((graph.shape_lon[part], graph.shape_lat[part])) / E7


def _stretch(graph: RoadGraph, segment: int, inside: BaseGeometry) -> tuple[float, float]:
    """Return from where to where a segment is inside, from what of its line is."""
    shares = shares_at(graph, segment, shapely.get_coordinates(inside))
    return float(shares.min()), float(shares.max())


def shares_at(graph: RoadGraph, segment: int, places: Shares) -> Shares:
    """Return how far along a segment places of its line are, 0 to 1."""
    shape, metres = _shape(graph, segment), graph.shape_m
    first = graph.shape_first[segment]
    flat = np.array([np.cos(np.radians(shape[0, 1])), 1.0])
    line = shapely.LineString(shape * flat)
    ways = shapely.line_locate_point(line, shapely.points(places * flat))
    vertices = shapely.line_locate_point(line, shapely.points(shape * flat))
    m = metres[first : first + len(shape)].astype(np.float64)
    return np.interp(ways, vertices, m / m[-1]) if m[-1] > 0.0 else np.zeros(len(places))
