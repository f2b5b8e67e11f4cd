"""The plane the synthetic city is drawn on: metres east and north of its centre."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.distance import ECCENTRICITY_SQ, SEMI_MAJOR_M
from geo.point import Floats, Point

CENTRE: Final = Point(lon=113.27, lat=23.13)
# 1e-7 degrees is a centimetre.
DECIMALS: Final = 7

Shapes = NDArray[np.object_]


def _radii_m(lat: Floats | float) -> tuple[Floats, Floats]:
    """Return the metres of a radian of longitude and of latitude there."""
    flat = 1.0 - ECCENTRICITY_SQ * np.sin(np.radians(lat)) ** 2
    across = SEMI_MAJOR_M / np.sqrt(flat)
    return across * np.cos(np.radians(lat)), across * (1.0 - ECCENTRICITY_SQ) / flat


RADII_M: Final = np.array(_radii_m(CENTRE.lat))


def to_metres(degrees: Floats) -> Floats:
    """Return rows of lon, lat as metres east and north of the centre."""
    return np.radians(degrees - CENTRE) * RADII_M


def to_degrees(metres: Floats) -> Floats:
    """Return rows of metres as lon, lat, rounded to a centimetre."""
    return np.round(np.degrees(metres / RADII_M) + CENTRE, DECIMALS)


def area_km2(shapes: Shapes) -> float:
    """Return the ground that small shapes in degrees cover together."""
    east_m, north_m = _radii_m(shapely.get_y(shapely.centroid(shapes)))
    return float((shapely.area(shapes) * np.radians(1.0) ** 2 * east_m * north_m).sum() / 1e6)
