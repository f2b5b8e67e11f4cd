"""Seqs as ranges, and how little room they take."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone import seqs as module
from dispatch.phone.seqs import Seqs


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_exactly_what_was_added(seqs: list[int]) -> None:
    """Oracle: a set. Ranges are in order, and never touch."""
    ranges = Seqs()
    for seq in seqs:
        ranges.add(seq)
    held = [seq for first, last in ranges.ranges for seq in range(first, last + 1)]
    assert held == sorted(set(seqs))
    assert all(a[1] + 1 < b[0] for a, b in zip(ranges.ranges, ranges.ranges[1:], strict=False))
    assert {seq for seq in range(61) if seq in ranges} == set(seqs)


def test_too_many_ranges_lose_the_lowest_and_say_so() -> None:
    """Nothing is claimed to be seen that was not."""
    ranges = Seqs()
    for seq in range(0, 2 * module.RANGES_MAX + 4, 2):
        ranges.add(seq)
    assert len(ranges.ranges) == module.RANGES_MAX
    assert ranges.cut == 2
    assert ranges.ranges[0] == [4, 4]
