"""Datums of phones and maps in China: WGS-84, GCJ-02 and BD-09, one place or many.

WGS-84 is what satellites tell, GCJ-02 what maps in China show, BD-09 what Baidu makes of that.
Forward conversions are exact; inverse ones solve the forward formula by fixed-point steps, to
less than a millimetre. The usual conventions hold: outside the China box GCJ-02 is WGS-84, and
BD-09 is GCJ-02 turned and moved everywhere. A GCJ-02 place that a place inside the box can have
been shifted to is read as that, so all of China comes back, and some 500 m beyond it may not.
What is no place on the earth (NaN, infinity, 200°) is handed back as it came.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from geo.point import EARTH, Box, Flags, Floats, Point

Number = TypeVar("Number", float, Floats)
Scalars = tuple[float, float]
Arrays = tuple[Floats, Floats]

# The ellipsoid of the shift (Krasovsky 1940), as every published form of it has it.
SEMI_MAJOR_M: Final = 6_378_245.0
ECCENTRICITY_SQ: Final = 0.006_693_421_622_965_943
BAIDU_TURN: Final = math.pi * 3000.0 / 180.0

CHINA: Final = Box(west=72.004, south=0.8293, east=137.8347, north=55.8271)
# CHINA and a tenth of a millimetre, which is more than the way back leaves.
BACK_IN_CHINA: Final = Box(
    west=72.004 - 1e-9, south=0.8293 - 1e-9, east=137.8347 + 1e-9, north=55.8271 + 1e-9
)
# No place in China is shifted out of this one.
AROUND_CHINA: Final = Box(west=71.9, south=0.7, east=137.95, north=55.95)
# Each step leaves at most a fiftieth of the error, which begins below 2 km.
STEPS: Final = 4


class Datum(StrEnum):
    """What a pair of coordinates is measured from."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class _Maths(NamedTuple, Generic[Number]):
    """The functions the formulas need, for one number or for arrays of them."""

    sin: Callable[[Number], Number]
    cos: Callable[[Number], Number]
    sqrt: Callable[[Number], Number]
    atan2: Callable[[Number, Number], Number]


_ONE: Final[_Maths[float]] = _Maths(math.sin, math.cos, math.sqrt, math.atan2)
_MANY: Final[_Maths[Floats]] = _Maths(np.sin, np.cos, np.sqrt, np.arctan2)


def point_from_wgs84(point: Point, datum: Datum) -> Point:
    """Return the same place in `datum`."""
    if datum is Datum.WGS84:
        return point
    shifted = _shifted_one(point.lon, point.lat)
    return Point(*shifted) if datum is Datum.GCJ02 else Point(*_baidu_one(*shifted))


def point_to_wgs84(point: Point, datum: Datum) -> Point:
    """Return the same place in WGS-84, when `point` is measured in `datum`."""
    if datum is Datum.WGS84:
        return point
    shifted = point if datum is Datum.GCJ02 else _unbaidu_one(point.lon, point.lat)
    return Point(*_unshifted_one(*shifted))


def from_wgs84(lon: Floats, lat: Floats, datum: Datum) -> Arrays:
    """Return the same places in `datum`, in their order, as new arrays."""
    if datum is Datum.WGS84:
        return lon.copy(), lat.copy()
    shifted = _where(CHINA.contains_many(lon, lat), lon, lat, _shifted)
    if datum is Datum.GCJ02:
        return shifted
    return _where(EARTH.contains_many(*shifted), *shifted, _baidu)


def to_wgs84(lon: Floats, lat: Floats, datum: Datum) -> Arrays:
    """Return the same places in WGS-84, when they are measured in `datum`, as new arrays."""
    if datum is Datum.WGS84:
        return lon.copy(), lat.copy()
    if datum is Datum.BD09:
        lon, lat = _where(EARTH.contains_many(lon, lat), lon, lat, _unbaidu)
    back = _where(AROUND_CHINA.contains_many(lon, lat), lon, lat, _unshifted)
    inside = BACK_IN_CHINA.contains_many(*back)
    return np.where(inside, back[0], lon), np.where(inside, back[1], lat)


def _shifted_one(lon: float, lat: float) -> Scalars:
    return _shift(lon, lat, _ONE) if CHINA.contains(Point(lon, lat)) else (lon, lat)


def _unshifted_one(lon: float, lat: float) -> Scalars:
    if not AROUND_CHINA.contains(Point(lon, lat)):
        return lon, lat
    back = Point(*_solved(lon, lat, _shift, _ONE))
    return back if BACK_IN_CHINA.contains(back) else (lon, lat)


def _baidu_one(lon: float, lat: float) -> Scalars:
    return _turn(lon, lat, _ONE) if EARTH.contains(Point(lon, lat)) else (lon, lat)


def _unbaidu_one(lon: float, lat: float) -> Scalars:
    return _solved(lon, lat, _turn, _ONE) if EARTH.contains(Point(lon, lat)) else (lon, lat)


def _shifted(lon: Floats, lat: Floats) -> Arrays:
    return _shift(lon, lat, _MANY)


def _unshifted(lon: Floats, lat: Floats) -> Arrays:
    return _solved(lon, lat, _shift, _MANY)


def _baidu(lon: Floats, lat: Floats) -> Arrays:
    return _turn(lon, lat, _MANY)


def _unbaidu(lon: Floats, lat: Floats) -> Arrays:
    return _solved(lon, lat, _turn, _MANY)


def _where(
    chosen: Flags, lon: Floats, lat: Floats, convert: Callable[[Floats, Floats], Arrays]
) -> Arrays:
    """Return copies in which the chosen pairs are converted."""
    lon, lat = lon.copy(), lat.copy()
    lon[chosen], lat[chosen] = convert(lon[chosen], lat[chosen])
    return lon, lat


def _solved(
    lon: Number,
    lat: Number,
    forward: Callable[[Number, Number, _Maths[Number]], tuple[Number, Number]],
    maths: _Maths[Number],
) -> tuple[Number, Number]:
    """Return the pair that `forward` makes (lon, lat) of."""
    x, y = lon, lat
    for _ in range(STEPS):
        there_x, there_y = forward(x, y, maths)
        x, y = x + (lon - there_x), y + (lat - there_y)
    return x, y


def _shift(lon: Number, lat: Number, maths: _Maths[Number]) -> tuple[Number, Number]:
    """Return GCJ-02 of a WGS-84 place, wherever it lies."""
    x, y = lon - 105.0, lat - 35.0
    sin, pi = maths.sin, math.pi
    root, both = maths.sqrt(abs(x)), 20.0 * sin(6.0 * pi * x) + 20.0 * sin(2.0 * pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north = north + (both + 20.0 * sin(pi * y) + 40.0 * sin(pi / 3.0 * y)) * 2.0 / 3.0
    north = north + (160.0 * sin(pi / 12.0 * y) + 320.0 * sin(pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east = east + (both + 20.0 * sin(pi * x) + 40.0 * sin(pi / 3.0 * x)) * 2.0 / 3.0
    east = east + (150.0 * sin(pi / 12.0 * x) + 300.0 * sin(pi / 30.0 * x)) * 2.0 / 3.0
    phi = lat * (pi / 180.0)
    flat = 1.0 - ECCENTRICITY_SQ * sin(phi) ** 2
    across = SEMI_MAJOR_M / maths.sqrt(flat)
    along = across * (1.0 - ECCENTRICITY_SQ) / flat
    degree = 180.0 / pi
    return lon + east * degree / (across * maths.cos(phi)), lat + north * degree / along


def _turn(lon: Number, lat: Number, maths: _Maths[Number]) -> tuple[Number, Number]:
    """Return BD-09 of a GCJ-02 place."""
    reach = maths.sqrt(lon * lon + lat * lat) + 0.000_02 * maths.sin(lat * BAIDU_TURN)
    angle = maths.atan2(lat, lon) + 0.000_003 * maths.cos(lon * BAIDU_TURN)
    return reach * maths.cos(angle) + 0.0065, reach * maths.sin(angle) + 0.006
