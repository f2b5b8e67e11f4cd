"""Which position reports count: one row at a time, so that a bad one never loses its neighbours.

The age of a row is the phone's own arithmetic, ts - t on its clock (protocol, section 8): a wrong
clock harms nobody.
"""

from enum import StrEnum
from typing import Final

import msgspec

from geo.datum import Datum, point_to_wgs84
from geo.distance import metres
from geo.point import Point
from schemas.base import Record
from schemas.wire import FixRow

ACC_MAX_M: Final = 200.0
OLD_S: Final = 420.0
"""max(300 s, 2 x 180 s + 60 s): the slowest policy of a unit on duty reports every 180 s."""
EARLY_S: Final = 5.0
SPEED_MAX_MPS: Final = 60.0

_row: Final = msgspec.json.Decoder(FixRow)


class Flaw(StrEnum):
    """Why a row is no position."""

    INVALID = "invalid"
    INACCURATE = "inaccurate"
    OLD = "old"
    FUTURE = "future"
    OVERTAKEN = "overtaken"
    TOO_FAST = "too_fast"


class Fix(Record, frozen=True, kw_only=True):
    """One accepted position, WGS-84; `at_s` is seconds since the epoch on our clock."""

    lon: float
    lat: float
    acc_m: float
    at_s: float


def judge(
    raw: msgspec.Raw, datum: Datum, ts_ms: float, now_s: float, last: Fix | None
) -> Fix | Flaw:
    """Return the fix a row holds, or its flaw; `last` is the same phone's last good one."""
    try:
        row = _row.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Flaw.INVALID
    age_s = (ts_ms - row.t_ms) / 1000
    if row.acc_m > ACC_MAX_M:
        return Flaw.INACCURATE
    if age_s < -EARLY_S:
        return Flaw.FUTURE
    if age_s > OLD_S:
        return Flaw.OLD
    place = point_to_wgs84(Point(row.lon, row.lat), datum)
    fix = Fix(lon=place.lon, lat=place.lat, acc_m=max(row.acc_m, 0.0), at_s=now_s - max(age_s, 0.0))
    return _after(last, fix) or fix


def _after(last: Fix | None, fix: Fix) -> Flaw | None:
    """Say what is wrong with a fix that follows another of the same phone."""
    if last is None:
        return None
    if fix.at_s <= last.at_s:
        return Flaw.OVERTAKEN
    moved_m = metres(Point(last.lon, last.lat), Point(fix.lon, fix.lat)) - last.acc_m - fix.acc_m
    return Flaw.TOO_FAST if moved_m > SPEED_MAX_MPS * (fix.at_s - last.at_s) else None
