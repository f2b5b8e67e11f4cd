"""What a fleet remembers, and how little room it takes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone import diary
from dispatch.phone.diary import Pushes, Quantiles, Seqs


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_exactly_what_was_added(seqs: list[int]) -> None:
    """Oracle: a set. Ranges are in order, and never touch."""
    ranges = Seqs()
    for seq in seqs:
        ranges.add(seq)
    held = [seq for first, last in ranges.ranges for seq in range(first, last + 1)]
    assert held == sorted(set(seqs))
    assert all(a[1] + 1 < b[0] for a, b in zip(ranges.ranges, ranges.ranges[1:], strict=False))


def test_too_many_ranges_lose_the_lowest_and_say_so() -> None:
    """Nothing is claimed to be seen that was not."""
    ranges = Seqs()
    for seq in range(0, 2 * diary.RANGES_MAX + 4, 2):
        ranges.add(seq)
    assert len(ranges.ranges) == diary.RANGES_MAX
    assert ranges.cut == 2
    assert ranges.ranges[0] == [4, 4]


def test_no_pushes_have_no_latency() -> None:
    """Zeros, and n tells why."""
    assert Pushes(np.random.default_rng(1)).quantiles() == Quantiles()


def test_quantiles_are_exact_up_to_the_bound() -> None:
    """Every value counts."""
    pushes = Pushes(np.random.default_rng(1))
    for ms in range(1, 102):
        pushes.add(float(ms))
    assert pushes.quantiles() == Quantiles(n=101, p50=51.0, p99=100.0, max=101.0)


def test_quantiles_beyond_the_bound_are_of_a_fair_sample() -> None:
    """The largest is known all the same."""
    pushes = Pushes(np.random.default_rng(1), most=500)
    for ms in range(10_000):
        pushes.add(float(ms))
    found = pushes.quantiles()
    assert found.n == 10_000
    assert found.max == 9_999.0
    assert 4_000 < found.p50 < 6_000
