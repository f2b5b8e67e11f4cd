"""The river of the synthetic city, its banks and its few bridges."""

from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import numpy as np
import shapely
from numpy.random import Generator

from geo.city.plane import to_degrees, to_metres
from geo.point import Flags, Floats, Point

# Longitude, latitude and width in metres from where it comes in to where it meets the sea.
COURSE: Final = np.array(
    [
        (112.95, 23.270, 300),
        (113.13, 23.220, 300),
        (113.19, 23.165, 320),
        (113.212, 23.120, 350),
        (113.245, 23.104, 280),
        (113.290, 23.112, 240),
        (113.340, 23.106, 320),
        (113.400, 23.102, 420),
        (113.470, 23.075, 520),
        (113.530, 23.045, 800),
        (113.560, 22.970, 1_200),
        (113.575, 22.900, 1_500),
        (113.610, 22.800, 2_000),
        (113.660, 22.680, 2_800),
        (113.720, 22.420, 4_000),
    ]
)
ROUNDINGS: Final = 3
MEANDER_M: Final = 150.0
FAR_M: Final = 300_000.0
# How far down the river each bridge stands, as a share of its length.
BRIDGES: Final = (
    *(("石门大桥", 0.17), ("金沙大桥", 0.25), ("珠江大桥", 0.30), ("人民大桥", 0.36)),
    *(("海珠大桥", 0.385), ("广州大桥", 0.42), ("琶洲大桥", 0.48), ("黄埔大桥", 0.585)),
    ("虎门大桥", 0.78),
)
ABUTMENT_M: Final = 40.0


class Bridge(NamedTuple):
    """A way over the river, from land to land."""

    name: str
    start: Point
    end: Point


@dataclass(frozen=True)
class River:
    """The river: its middle downstream, its width at each point of that, and its water."""

    middle: tuple[Point, ...]
    width_m: tuple[float, ...]
    water: shapely.Polygon


@dataclass(frozen=True)
class Course:
    """The river on the plane, in metres, while the city is being drawn."""

    middle: Floats
    width_m: Floats

    def right_bank(self, places: Floats) -> Flags:
        """Tell which places lie on the right of the middle line, looking downstream."""
        (_, top), (last, _) = self.middle[0], self.middle[-1]
        corners = [(last, -FAR_M), (-FAR_M, -FAR_M), (-FAR_M, top)]
        side = shapely.Polygon([*self.middle, *corners])
        shapely.prepare(side)
        return shapely.contains_xy(side, places)

    def scaled(self, factor: float) -> "Course":
        """Return the same course on a map drawn larger; the width stays."""
        return Course(self.middle * factor, self.width_m)

    def river(self) -> River:
        """Return the river on the map."""
        discs = shapely.buffer(shapely.points(self.middle), self.width_m / 2, quad_segs=4)
        reaches = shapely.multipolygons(np.column_stack([discs[:-1], discs[1:]]))
        water = shapely.union_all(shapely.convex_hull(reaches))
        return River(
            middle=tuple(Point(*map(float, place)) for place in to_degrees(self.middle)),
            width_m=tuple(map(float, self.width_m)),
            water=cast(shapely.Polygon, shapely.transform(water, to_degrees)),
        )

    def bridges(self) -> tuple[Bridge, ...]:
        """Return the bridges, each at a right angle to the river."""
        return tuple(self._bridge(name, share) for name, share in BRIDGES)

    def _bridge(self, name: str, share: float) -> Bridge:
        line = shapely.LineString(self.middle)
        at = share * line.length
        here, ahead = (shapely.get_coordinates(line.interpolate(at + d))[0] for d in (0.0, 50.0))
        along = (ahead - here) / np.hypot(*(ahead - here))
        half = along[::-1] * (1, -1) * (self._width_at(at) / 2 + ABUTMENT_M)
        start, end = to_degrees(np.array([here - half, here + half]))
        return Bridge(name, Point(*map(float, start)), Point(*map(float, end)))

    def _width_at(self, metres: float) -> float:
        steps = np.hypot(*np.diff(self.middle, axis=0).T)
        return float(np.interp(metres, np.concatenate([[0.0], np.cumsum(steps)]), self.width_m))


def draw(rng: Generator) -> Course:
    """Return the course with bends of its own for every seed."""
    rows = np.column_stack([to_metres(COURSE[:, :2]), COURSE[:, 2]])
    rows[1:-1, :2] += rng.normal(0.0, MEANDER_M, rows[1:-1, :2].shape)
    for _ in range(ROUNDINGS):
        rows = _rounded(rows)
    return Course(rows[:, :2], rows[:, 2])


def _rounded(rows: Floats) -> Floats:
    """Return the line with its corners cut (Chaikin), its ends kept."""
    near, far = 0.75 * rows[:-1] + 0.25 * rows[1:], 0.25 * rows[:-1] + 0.75 * rows[1:]
    cut = np.stack([near, far], axis=1).reshape(-1, rows.shape[1])
    return np.concatenate([rows[:1], cut[1:-1], rows[-1:]])
