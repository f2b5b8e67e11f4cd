"""Metres between places: a plane with the ellipsoid's radii of curvature at mid-latitude.

Within 5 km of each other and below 80° of latitude two places are told to a centimetre of the
geodesic; at 50 km in Guangzhou to a quarter of a metre.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from geo.point import Floats, Point

# WGS-84 (NIMA TR8350.2): semi-major axis and first eccentricity squared.
SEMI_MAJOR_M: Final = 6_378_137.0
ECCENTRICITY_SQ: Final = 6.694_379_990_141_316e-3


def metres(a: Point, b: Point) -> float:
    """Return the distance on the ellipsoid; NaN when a coordinate is."""
    middle = math.radians((a.lat + b.lat) / 2)
    flat = 1.0 - ECCENTRICITY_SQ * math.sin(middle) ** 2
    across = SEMI_MAJOR_M / math.sqrt(flat)
    along = across * (1.0 - ECCENTRICITY_SQ) / flat
    east = math.radians(math.remainder(b.lon - a.lon, 360.0)) * across * math.cos(middle)
    north = math.radians(b.lat - a.lat) * along
    return math.hypot(east, north)


def metres_many(origin: Point, lons: Floats, lats: Floats) -> Floats:
    """Return the distance from `origin` to each pair, in their order."""
    return metres_between(origin.lon, origin.lat, lons, lats)


def metres_between(
    lons: Floats | float, lats: Floats | float, other_lons: Floats, other_lats: Floats
) -> Floats:
    """Return the distance from each pair to the one in its place, or from one pair to each."""
    middle = np.radians((other_lats + lats) / 2)
    flat = 1.0 - ECCENTRICITY_SQ * np.sin(middle) ** 2
    across = SEMI_MAJOR_M / np.sqrt(flat)
    along = across * (1.0 - ECCENTRICITY_SQ) / flat
    turn = other_lons - lons
    east = np.radians(turn - 360.0 * np.round(turn / 360.0)) * across * np.cos(middle)
    north = np.radians(other_lats - lats) * along
    return np.hypot(east, north)


NEAR_M: Final = 10_000.0
"""How far `metres_near` is exact to a centimetre of `metres_many`."""


class Plane(NamedTuple):
    """Metres to the east and the north of an origin, from degrees of longitude and latitude.

    `dlon * (east - east_bend * dlat)` and `dlat * (north + north_bend * dlat)`: the radii at
    mid-latitude are taken as straight lines through those at the origin.
    """

    east: float
    east_bend: float
    north: float
    north_bend: float


def plane_near(origin: Point) -> Plane:
    """Return the plane of an origin; the origin keeps 1° away from the 180th meridian."""
    middle = math.radians(origin.lat)
    flat = 1.0 - ECCENTRICITY_SQ * math.sin(middle) ** 2
    across = SEMI_MAJOR_M / math.sqrt(flat)
    along = across * (1.0 - ECCENTRICITY_SQ) / flat
    bend = 3.0 * along * ECCENTRICITY_SQ * math.sin(middle) * math.cos(middle) / flat
    degree = math.radians(1.0)
    return Plane(
        east=degree * across * math.cos(middle),
        east_bend=degree**2 * along * math.sin(middle) / 2,
        north=degree * along,
        north_bend=degree**2 * bend / 2,
    )


def metres_near(origin: Point, lons: Floats, lats: Floats) -> Floats:
    """Return what `metres_many` does, for places within `NEAR_M`; cheaper by all trigonometry.

    What is farther is told wrong, but never as near.
    """
    plane = plane_near(origin)
    east, north = lons - origin.lon, lats - origin.lat
    east *= plane.east - north * plane.east_bend
    north *= plane.north + north * plane.north_bend
    east *= east
    north *= north
    east += north
    return np.sqrt(east, out=east)
