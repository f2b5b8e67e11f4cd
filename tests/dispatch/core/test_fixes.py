"""Which position reports count."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.core.fixes import ACC_MAX_M, EARLY_S, OLD_S, SPEED_MAX_MPS, Fix, Flaw, judge
from geo.datum import Datum, point_from_wgs84
from geo.distance import metres
from geo.point import Point

NOW_S = 1_800_000_000.0
PHONE_MS = 1_500_000_000_000.0
"""The phone's own clock: years behind, which harms nobody."""
HERE = Point(113.45, 23.1)


def judged(
    row: Any, *, datum: Datum = Datum.WGS84, last: Fix | None = None, now_s: float = NOW_S
) -> Fix | Flaw:
    """Judge a row that was written just now by the phone's clock."""
    raw = row if isinstance(row, bytes) else json.dumps(row).encode()
    return judge(msgspec.Raw(raw), datum, PHONE_MS, now_s, last)


def row(age_s: float = 0, acc_m: float = 10, lon: float = HERE.lon, lat: float = HERE.lat) -> Any:
    """Return a row as a phone sends it."""
    return [PHONE_MS - age_s * 1000, lon, lat, acc_m]


def fix(age_s: float = 60, acc_m: float = 0, place: Point = HERE) -> Fix:
    """Return the last good fix of the same phone."""
    return Fix(lon=place.lon, lat=place.lat, acc_m=acc_m, at_s=NOW_S - age_s)


def north(distance_m: float) -> Point:
    """Return the place so many metres north of here."""
    degrees = distance_m / metres(HERE, Point(HERE.lon, HERE.lat + 1))
    return Point(HERE.lon, HERE.lat + degrees)


def test_a_row_becomes_a_fix_on_our_clock() -> None:
    """Its age is the phone's own arithmetic, ts - t, so a wrong clock harms nobody."""
    assert judged(row(age_s=7)) == Fix(lon=113.45, lat=23.1, acc_m=10, at_s=NOW_S - 7)


@pytest.mark.parametrize("datum", Datum)
def test_a_row_is_turned_to_wgs84(datum: Datum) -> None:
    """From whatever datum its frame names, to less than a metre."""
    sent = point_from_wgs84(HERE, datum)
    found = judged(row(lon=sent.lon, lat=sent.lat), datum=datum)
    assert isinstance(found, Fix)
    assert metres(Point(found.lon, found.lat), HERE) < 0.01


def test_an_unknown_accuracy_counts_as_none() -> None:
    """Below 0 means unknown (protocol, section 1)."""
    found = judged(row(acc_m=-1))
    assert isinstance(found, Fix)
    assert found.acc_m == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"[1500000000000,113.45,23.1]",
        b'["1500000000000",113.45,23.1,10]',
        b"[1500000000000,180.1,23.1,10]",
        b"[1500000000000,113.45,-90.1,10]",
        b"[1500000000000,113.45,23.1,null]",
        b"[1500000000000,113.45,23.1,NaN]",
        b"[1500000000000,113.45,23.1,Infinity]",
        b"[1500000000000,113.45,23.1,1e999]",
        b"[-1,113.45,23.1,10]",
        b"[1e15,113.45,23.1,10]",
        b'[1500000000000,113.45,23.1,10,0,0,"\xff"]',
        b"[" * 5000,
    ],
)
def test_what_is_no_row_is_invalid(raw: bytes) -> None:
    """Whatever came: wrong shape, wrong type, out of range, no JSON."""
    assert judged(raw) is Flaw.INVALID


@given(raw=st.binary(max_size=60))
def test_no_bytes_do_harm(raw: bytes) -> None:
    """Any bytes are a fix or a flaw."""
    assert isinstance(judged(raw), Fix | Flaw)


def test_columns_of_a_later_version_are_skipped() -> None:
    """Columns may be added at the end of a row."""
    assert isinstance(judged([*row(), 1.5, 90, "gps", "new", 7]), Fix)


@pytest.mark.parametrize(
    ("row", "flaw"),
    [
        (row(acc_m=ACC_MAX_M), None),
        (row(acc_m=ACC_MAX_M + 0.1), Flaw.INACCURATE),
        (row(age_s=OLD_S), None),
        (row(age_s=OLD_S + 0.1), Flaw.OLD),
        (row(age_s=-EARLY_S), None),
        (row(age_s=-EARLY_S - 0.1), Flaw.FUTURE),
    ],
)
def test_a_bound_is_still_good_and_beyond_it_is_not(row: Any, flaw: Flaw | None) -> None:
    """200 m, 420 s of age, 5 s ahead."""
    found = judged(row)
    assert found is flaw if flaw else isinstance(found, Fix)


def test_a_row_from_the_near_future_is_from_now() -> None:
    """No fix is younger than the moment it came in."""
    found = judged(row(age_s=-3))
    assert isinstance(found, Fix)
    assert found.at_s == NOW_S


@pytest.mark.parametrize("age_s", [60, 61, 400])
def test_a_row_not_newer_than_the_last_is_overtaken(age_s: float) -> None:
    """It may extend a track; it moves nobody."""
    assert judged(row(age_s=age_s), last=fix(age_s=60)) is Flaw.OVERTAKEN


@pytest.mark.parametrize(
    ("moved_m", "last_acc_m", "acc_m", "flaw"),
    [
        (590, 0, 0, None),
        (610, 0, 0, Flaw.TOO_FAST),
        (610, 20, 0, None),
        (610, 0, 20, None),
        (650, 20, 20, Flaw.TOO_FAST),
    ],
)
def test_nobody_moves_faster_than_sixty_metres_a_second(
    moved_m: float, last_acc_m: float, acc_m: float, flaw: Flaw | None
) -> None:
    """Ten seconds after its last good one, what the two accuracies explain taken off."""
    place = north(moved_m)
    found = judged(
        row(lon=place.lon, lat=place.lat, acc_m=acc_m), last=fix(age_s=10, acc_m=last_acc_m)
    )
    assert found is flaw if flaw else isinstance(found, Fix)


@given(
    age_s=st.floats(-10, 500),
    acc_m=st.floats(-5, 400),
    lon=st.floats(-180, 180),
    lat=st.floats(-90, 90),
    last=st.none() | st.builds(fix, age_s=st.floats(0, 500), acc_m=st.floats(0, 200)),
)
def test_a_fix_that_counts_is_fresh_exact_and_reachable(
    age_s: float, acc_m: float, lon: float, lat: float, last: Fix | None
) -> None:
    """Whatever rows come, what is taken keeps all the bounds."""
    found = judged(row(age_s, acc_m, lon, lat), last=last)
    if isinstance(found, Flaw):
        return
    assert 0 <= found.acc_m <= ACC_MAX_M
    assert NOW_S - OLD_S - 1e-3 <= found.at_s <= NOW_S
    assert math.isclose(found.lon, lon)
    if last:
        slack_m = found.acc_m + last.acc_m
        moved_m = metres(Point(last.lon, last.lat), Point(found.lon, found.lat))
        assert found.at_s > last.at_s
        assert moved_m - slack_m <= SPEED_MAX_MPS * (found.at_s - last.at_s)
