"""A place on the earth in GeoJSON order, and a box of such places."""

import math
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# The smallest WGS-84 radii of curvature: a box drawn with them never cuts its circle.
LEAST_MERIDIAN_RADIUS_M: Final = 6_335_439.0
LEAST_PARALLEL_RADIUS_M: Final = 6_378_137.0


class Point(NamedTuple):
    """A place in degrees, WGS-84 unless a datum is named beside it."""

    lon: float
    lat: float

    @property
    def on_earth(self) -> bool:
        """Tell whether both are numbers a map has: NaN, infinity and 200° are not."""
        return EARTH.contains(self)


class Box(NamedTuple):
    """Everything between two meridians and two parallels, borders included.

    A box whose west is greater than its east crosses the 180th meridian (RFC 7946, 5.2).
    """

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, point: Point, radius_m: float) -> Self:
        """Return a box that holds every place within `radius_m`, and a little more."""
        reach = math.degrees(radius_m / LEAST_MERIDIAN_RADIUS_M)
        south, north = point.lat - reach, point.lat + reach
        if south <= -90.0 or north >= 90.0:
            return cls(-180.0, max(south, -90.0), 180.0, min(north, 90.0))
        narrowest = math.cos(math.radians(max(abs(south), abs(north))))
        aside = math.degrees(radius_m / (LEAST_PARALLEL_RADIUS_M * narrowest))
        if aside >= 180.0:
            return cls(-180.0, south, 180.0, north)
        return cls(_wrapped(point.lon - aside), south, _wrapped(point.lon + aside), north)

    @property
    def crosses_antimeridian(self) -> bool:
        """Tell whether the box runs over the 180th meridian."""
        return self.west > self.east

    def contains(self, point: Point) -> bool:
        """Tell whether the point lies inside or on the border; NaN never does."""
        if not self.south <= point.lat <= self.north:
            return False
        if self.crosses_antimeridian:
            return point.lon >= self.west or point.lon <= self.east
        return self.west <= point.lon <= self.east

    def contains_many(self, lons: Floats, lats: Floats) -> Flags:
        """Answer `contains` for each pair, in their order."""
        inside = (lats >= self.south) & (lats <= self.north)
        if self.crosses_antimeridian:
            return inside & ((lons >= self.west) | (lons <= self.east))
        return inside & (lons >= self.west) & (lons <= self.east)


EARTH: Final = Box(west=-180.0, south=-90.0, east=180.0, north=90.0)


def _wrapped(lon: float) -> float:
    """Return the same meridian between -180 and 180 degrees."""
    if -180.0 <= lon <= 180.0:
        return lon
    return math.remainder(lon, 360.0)
