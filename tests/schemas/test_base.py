"""The shapes that many structs share."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.base import Instant, Lat, Lon, Path, Record, ms

CHINA = timezone(timedelta(hours=8))
instants = st.integers(0, 7_000_000_000_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


class Point(Record, frozen=True, kw_only=True):
    """A record to test with."""

    x: int = 0
    tags: list[str] = []


@pytest.mark.parametrize(
    "instant", [datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 16, tzinfo=CHINA)]
)
def test_milliseconds_are_of_the_instant_whatever_its_zone(instant: datetime) -> None:
    """Eight in the morning in Greenwich is four in the afternoon in Guangzhou."""
    assert ms(instant) == 1_795_248_000_000


@given(instant=instants)
def test_milliseconds_lead_back_to_the_instant(instant: datetime) -> None:
    """To the microsecond that a float keeps."""
    back = datetime.fromtimestamp(ms(instant) / 1000, UTC)
    assert abs(back - instant) <= timedelta(microseconds=20)


def test_an_instant_without_a_zone_is_refused() -> None:
    """Nobody knows when it was."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'"2026-11-21T08:00:00"', type=Instant)


@pytest.mark.parametrize("text", ["2026-11-21T08:00:00Z", "2026-11-21T16:00:00+08:00"])
def test_an_instant_is_the_same_in_every_zone(text: str) -> None:
    """Equal instants are equal."""
    read = msgspec.json.decode(f'"{text}"', type=Instant)
    assert read == datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        (Lon, 180, True),
        (Lon, -180, True),
        (Lon, 180.0001, False),
        (Lon, -181, False),
        (Lon, "113", False),
        (Lat, 90, True),
        (Lat, -90, True),
        (Lat, 90.0001, False),
        (Lat, None, False),
    ],
)
def test_a_degree_is_on_the_earth(kind: Any, value: object, good: bool) -> None:
    """180 east and west, 90 north and south, and a number."""
    raw = msgspec.json.encode(value)
    if good:
        assert msgspec.json.decode(raw, type=kind) == value
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=kind)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("gz", True),
        ("gz.huangpu.xiagang.c012.g0345", True),
        ("a" * 16, True),
        ("", False),
        ("gz.", False),
        (".gz", False),
        ("gz..hp", False),
        ("GZ", False),
        ("a" * 17, False),
        ("a.b.c.d.e.f", False),
        ("gz\n", False),
        ("gz hp", False),
    ],
)
def test_a_jurisdiction_is_one_to_five_labels(path: str, good: bool) -> None:
    """From city to grid, in small letters and figures."""
    raw = msgspec.json.encode(path)
    if good:
        assert msgspec.json.decode(raw, type=Path) == path
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=Path)


def test_a_record_is_made_anew_not_changed() -> None:
    """The old value stays what it was."""
    one = Point(x=1)
    assert replace(one, x=2) == Point(x=2)
    with pytest.raises(AttributeError):
        one.x = 3  # type: ignore[misc]  # frozen: that is what is tested
    assert one.x == 1


def test_a_record_is_given_by_names() -> None:
    """Positions tell nothing."""
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]  # that is what is tested


def test_records_do_not_share_an_empty_default() -> None:
    """Each has its own list."""
    one, other = Point(), Point()
    one.tags.append("a")
    assert other.tags == []
