"""The time, ids and tokens of a process."""

import re
from datetime import UTC, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.clock import SystemClock, jitter, new_token
from dispatch.trace import trace_of, traceparent
from tests.fakes import START


def test_the_time_has_a_zone_and_never_goes_back() -> None:
    """UTC."""
    clock = SystemClock()
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)
    assert times[0].tzinfo is UTC


def test_the_clock_takes_the_databases_time() -> None:
    """Read half a round trip ago; it tells how far it was off."""
    clock = SystemClock()
    before = clock.now()
    off = clock.set(START, round_trip_s=2.0)
    assert clock.now() >= START + timedelta(seconds=1)
    assert clock.now() < START + timedelta(seconds=60)
    assert abs(off - (START + timedelta(seconds=1) - before)) < timedelta(seconds=30)


def test_ids_are_uuids_of_version_7() -> None:
    """Their first 48 bits are the milliseconds of the clock."""
    clock = SystemClock()
    clock.set(START)
    made = UUID(clock.new_id())
    assert (made.version, made.variant) == (7, UUID(int=2 << 62).variant)
    assert 0 <= (made.int >> 80) - int(START.timestamp() * 1000) < 60_000
    assert str(made) == str(made).lower()


def test_ids_of_a_process_are_in_order() -> None:
    """More of them in a millisecond than the counter counts, and when the clock is set back."""
    clock = SystemClock()
    ids = [clock.new_id() for _ in range(10_000)]
    clock.set(START - timedelta(days=365))
    ids += [clock.new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_trace_ids_are_never_the_same() -> None:
    """128 bits, as the header that hands them on demands."""
    clock = SystemClock()
    traces = {clock.new_trace() for _ in range(100)}
    assert len(traces) == 100
    assert {trace_of(traceparent(trace)) for trace in traces} == traces


def test_tokens_say_what_they_open_and_are_never_the_same() -> None:
    """256 bits behind a prefix, in characters that need no quoting."""
    tokens = {new_token("kd") for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"kd_[A-Za-z0-9_-]{43}", token) for token in tokens)


@given(st.floats(0, 1e6))
def test_jitter_is_at_most_what_was_asked(most_s: float) -> None:
    """And never negative."""
    assert 0 <= jitter(most_s) <= most_s
