"""Whose clock is ahead, and by how much."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone.skew import Skew


def test_nothing_is_known_at_first_nor_from_one_side() -> None:
    """Then both clocks are taken to agree."""
    skew = Skew()
    assert skew.ms == 0.0
    skew.said(5.0, 3.0)
    assert skew.ms == 0.0


@given(
    st.floats(-1e4, 1e4),
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)), min_size=1),
)
def test_the_truth_is_within_half_the_fastest_round_trip(
    ahead_ms: float, trips: list[tuple[float, float]]
) -> None:
    """Whatever the share of the way there and the way back."""
    skew = Skew()
    for n, (there_ms, back_ms) in enumerate(trips):
        asked_ms = 1000.0 * n
        said_ms = asked_ms + there_ms + ahead_ms
        skew.said(said_ms, asked_ms + there_ms + back_ms)
        skew.answered(asked_ms, said_ms)
    fastest_ms = min(there + back for there, back in trips)
    assert abs(skew.ms - ahead_ms) <= fastest_ms / 2 + 1e-6


def test_a_clock_that_is_set_is_followed() -> None:
    """Forward and back."""
    skew = Skew()
    for ahead_ms in (0.0, 100.0, -50.0):
        skew.said(10.0 + ahead_ms, 11.0)
        skew.answered(9.0, 10.0 + ahead_ms)
        assert abs(skew.ms - ahead_ms) <= 2.0
