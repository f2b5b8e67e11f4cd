"""Counts of what is there."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dispatch.live.times import Times


@given(st.text("abc"), st.text("abcd"))
def test_what_is_counted_no_more_is_gone(more: str, less: str) -> None:
    """Against counts that are kept the plain way; nothing is there less than no times."""
    times = Times(more)
    times.less(less)
    assert times == Counter(more) - Counter(less)
    assert all(times.values())
