"""The nearest road of each place: by travel, exactly, in batches.

Cells of the index are looked through ring by ring around a place, until all that is left lies
farther than what was found. Metres are those of a plane with WGS-84's radii of curvature at the
place itself: within `SNAP_MOST_M` that is a centimetre.
"""

from math import cos, floor, inf, radians, sin, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import COMPILED, Array, compiled, handed, read_only
from geo.distance import ECCENTRICITY_SQ, SEMI_MAJOR_M
from geo.point import Floats, Point
from geo.roads.closed import SHUT, Closed
from geo.roads.graph import CELL_E7, E7, RoadGraph
from geo.standing import MoveCodes

SNAP_MOST_M: Final = 2_000.0
"""Who is farther from any road is out of reach by road."""
OFF: Final = -1
"""The segment of a place that has no road near it."""
METRE_OF_E7: Final = radians(1.0) / E7 * SEMI_MAJOR_M
"""Metres of 1e-7 degrees on a sphere as large as the equator."""


class Snap(NamedTuple):
    """Where a place meets the road: the segment, how far along it (0 to 1), and the way there."""

    segment: int
    along: float
    off_m: float
    lon: float
    lat: float


class Snaps(NamedTuple):
    """The same of many places, in their order; `segment` is `OFF` where no road is near.

    `east` and `north` point along the segment there, from its start on; together one metre.
    """

    segment: NDArray[np.int32]
    along: Floats
    off_m: Floats
    lon: Floats
    lat: Floats
    east: Floats
    north: Floats


@compiled
def nearest(  # noqa: PLR0912, PLR0915 - a call for each place would take 16 % longer
    cell_first: Array,
    cell_piece: Array,
    cell_segment: Array,
    shape_lon: Array,
    shape_lat: Array,
    shape_m: Array,
    segment_m: Array,
    segment_main: Array,
    lane: Array,
    shut_first: Array,
    shut_last: Array,
    west_e7: int,
    south_e7: int,
    columns: int,
    rows: int,
    masks: Array,
    lons: Array,
    lats: Array,
    segments: Array,
    along: Array,
    off_m: Array,
    at_lon: Array,
    at_lat: Array,
    east: Array,
    north: Array,
) -> None:
    """Write for each place the nearest point of a segment whose mask has a bit of the place's."""
    for i in range(len(lons)):
        segments[i] = OFF
        along[i] = 0.0
        off_m[i] = inf
        at_lon[i] = lons[i]
        at_lat[i] = lats[i]
        east[i] = 0.0
        north[i] = 0.0

        # A plane around the place, in metres; nobody is looked for far off the map.
        x = lons[i] * E7 - west_e7
        y = lats[i] * E7 - south_e7
        middle = radians(lats[i])
        flat = 1.0 - ECCENTRICITY_SQ * sin(middle) ** 2
        m_east = METRE_OF_E7 / sqrt(flat) * cos(middle)
        m_north = METRE_OF_E7 / sqrt(flat) * (1.0 - ECCENTRICITY_SQ) / flat
        if not m_east * CELL_E7 > 1.0:
            continue  # at a pole, or no place at all
        beyond = SNAP_MOST_M / m_east + CELL_E7
        if not (-beyond < x < columns * CELL_E7 + beyond):
            continue
        beyond = SNAP_MOST_M / m_north + CELL_E7
        if not (-beyond < y < rows * CELL_E7 + beyond):
            continue

        # Ring by ring, until all of the next is farther than the nearest so far.
        column = floor(x / CELL_E7)
        row = floor(y / CELL_E7)
        in_x = x - column * CELL_E7
        in_y = y - row * CELL_E7
        to_side = min(
            min(in_x, CELL_E7 - in_x) * m_east,
            min(in_y, CELL_E7 - in_y) * m_north,
        )
        side = min(m_east, m_north) * CELL_E7
        best = SNAP_MOST_M * SNAP_MOST_M
        ring = 0
        while True:
            if ring > 0:
                least = (ring - 1) * side + to_side
                if least * least > best:
                    break
            for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                step = 1
                if ring > 0 and row - ring < r < row + ring:
                    step = 2 * ring  # between the first and the last row only the two sides
                for c in range(column - ring, column + ring + 1, step):
                    if c < 0 or c >= columns:
                        continue
                    cell = r * columns + c
                    for at in range(cell_first[cell], cell_first[cell + 1]):
                        segment = cell_segment[at]
                        if segment_main[segment] & masks[i] == 0:
                            continue

                        # The nearest point of a piece of road, unless it is shut there.
                        piece = cell_piece[at]
                        ax = (shape_lon[piece] - west_e7 - x) * m_east
                        ay = (shape_lat[piece] - south_e7 - y) * m_north
                        dx = (shape_lon[piece + 1] - shape_lon[piece]) * m_east
                        dy = (shape_lat[piece + 1] - shape_lat[piece]) * m_north
                        square = dx * dx + dy * dy
                        share = min(max(-(ax * dx + ay * dy) / square, 0.0), 1.0)
                        px = ax + share * dx
                        py = ay + share * dy
                        away = px * px + py * py
                        if away >= best:
                            continue
                        m = (1.0 - share) * shape_m[piece] + share * shape_m[piece + 1]
                        part = min(m / segment_m[segment], 1.0)
                        if (
                            lane[segment] == SHUT
                            and shut_first[segment] <= part <= shut_last[segment]
                        ):
                            continue
                        best = away
                        segments[i] = segment
                        along[i] = part
                        off_m[i] = sqrt(away)
                        at_lon[i] = lons[i] + px / m_east / E7
                        at_lat[i] = lats[i] + py / m_north / E7
                        length = sqrt(square)
                        east[i] = dx / length
                        north[i] = dy / length
            ring += 1


class Snapper:
    """The snap index of a graph, made ready."""

    def __init__(self, graph: RoadGraph, closed: Closed, *, compiled: bool = COMPILED) -> None:
        """Take the map and what is closed on it; nobody is snapped onto what is shut."""
        self._compiled = compiled
        self._kernel = nearest.text(compiled=compiled)
        index = (
            *(graph.cell_first, graph.cell_piece, graph.cell_segment),
            *(graph.shape_lon, graph.shape_lat, graph.shape_m),
            *(graph.segment_m, graph.segment_main),
        )
        grid = graph.grid
        self._index = [handed(read_only(a), compiled=compiled) for a in index]
        self._index += [handed(a, compiled=compiled) for a in closed.arrays]
        self._grid = tuple(int(each) for each in grid)

    def snap(self, travels: MoveCodes, lons: Floats, lats: Floats) -> Snaps:
        """Return the nearest segment its travel gets to and away from, for each place."""
        count = len(lons)
        found = Snaps(np.zeros(count, np.int32), *np.zeros((6, count)))
        masks = np.left_shift(1, travels, dtype=np.uint8)
        places = (masks, np.ascontiguousarray(lons), np.ascontiguousarray(lats))
        handed_on = [handed(a, compiled=self._compiled) for a in (*places, *found)]
        self._kernel(*self._index, *self._grid, *handed_on)
        return found

    def each(self, travels: tuple[int, ...], place: Point) -> list[Snap | None]:
        """Return where one place meets the road by each travel; None where no road is near."""
        count = len(travels)
        numbers, segments = np.empty((8, count)), np.empty(count, np.int32)
        numbers[0], numbers[1] = place
        masks = np.array([1 << travel for travel in travels], np.uint8)
        lines = [handed(line, compiled=self._compiled) for line in (masks, *numbers[:2], segments)]
        rest = [handed(line, compiled=self._compiled) for line in numbers[2:]]
        self._kernel(*self._index, *self._grid, *lines, *rest)
        told = zip(segments.tolist(), *numbers[2:6].tolist(), strict=True)
        return [None if snap[0] == OFF else Snap(*snap) for snap in told]
