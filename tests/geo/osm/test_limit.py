"""Speed limits, from the many ways of writing them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.osm.limit import LEAST_KMH, MOST_KMH, kmh, limits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50", 50),
        (" 50 ", 50),
        ("50 km/h", 50),
        ("40kmh", 40),
        ("30 mph", 48.28032),
        ("10 knots", 18.52),
        ("27.5", 27.5),
        ("50;70", 50),
        ("CN:urban", 50),
        ("DE:rural", 80),
        ("PT:motorway", 120),
        ("BR:trunk", 90),
        ("walk", 7),
        ("DE:living_street", 20),
        ("zone:30", 30),
        ("DE:zone:30", 30),
        ("DE:zone30", 30),
        ("none", 120),
        ("1", LEAST_KMH),
        ("300", MOST_KMH),
        ("0", None),
        ("", None),
        ("signals", None),
        ("fast", None),
        ("50 furlongs", None),
        ("5000", None),
        ("-50", None),
        ("CN:", None),
    ],
)
def test_a_limit_is_read(text: str, expected: float | None) -> None:
    """None where no sense can be made of it."""
    assert kmh(text) == (None if expected is None else pytest.approx(expected))


@given(st.text(max_size=20))
def test_whatever_is_written_gives_a_limit_or_none(text: str) -> None:
    """And a limit that somebody may have meant."""
    found = kmh(text)
    assert found is None or LEAST_KMH <= found <= MOST_KMH


def test_each_direction_may_have_its_own() -> None:
    """It comes before that of both."""
    assert limits({"maxspeed": "50"}) == (50, 50)
    assert limits({"maxspeed": "50", "maxspeed:backward": "30"}) == (50, 30)
    assert limits({"maxspeed:forward": "60"}) == (60, None)
    assert limits({}) == (None, None)
