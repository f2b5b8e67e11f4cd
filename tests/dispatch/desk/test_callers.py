"""How often one phone may call for help."""

import pytest

from dispatch.desk.callers import CALLS_MOST, Callers, TooManyCalls
from schemas.base import DeviceId

ONE, OTHER = DeviceId("d1"), DeviceId("d2")


def test_the_seventh_call_of_a_minute_is_told_to_wait() -> None:
    """Until the first of them is a minute old; another phone is not meant."""
    callers = Callers()
    for n in range(CALLS_MOST):
        callers.take(ONE, f"c{n}", n * 1.0)
    with pytest.raises(TooManyCalls) as refused:
        callers.take(ONE, "one more", 10.0)
    assert refused.value.retry_ms == 50_000
    callers.take(OTHER, "mine", 10.0)
    callers.take(ONE, "one more", 60.0)


def test_the_same_call_sent_again_counts_once() -> None:
    """A phone repeats it until it is answered."""
    callers = Callers()
    for n in range(20):
        callers.take(ONE, "the same", n * 1.0)
    callers.take(ONE, "another", 20.0)
    assert len(callers) == 1


def test_a_phone_that_calls_no_more_is_forgotten() -> None:
    """Memory is bounded by a minute of calls."""
    callers = Callers()
    callers.take(ONE, "c1", 0.0)
    callers.take(OTHER, "c2", 61.0)
    assert len(callers) == 1
