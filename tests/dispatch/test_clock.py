"""The time, ids and tokens of a process."""

import re
from datetime import UTC, timedelta
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.clock import SystemClock, jitter, new_token
from dispatch.core.service_time import Offset
from dispatch.trace import trace_of, traceparent
from tests.fakes import START

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


def test_the_time_has_a_zone_and_never_goes_back() -> None:
    """UTC."""
    clock = SystemClock()
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)
    assert times[0].tzinfo is UTC


def test_the_clock_takes_the_databases_time() -> None:
    """Earlier or later at once, and by how much the service is ahead of it."""
    clock = SystemClock()
    clock.jump(START, Offset())
    assert START <= clock.now() < START + MINUTE
    clock.jump(START, Offset(seconds=3600, since=START))
    assert START + HOUR <= clock.now() < START + HOUR + MINUTE
    clock.jump(START - HOUR, Offset())
    assert START - HOUR <= clock.now() < START - HOUR + MINUTE


def test_the_clock_that_follows_never_goes_back() -> None:
    """Where the database's time is earlier it stands until that has come; later is taken."""
    clock = SystemClock()
    clock.jump(START, Offset())
    stood_at = clock.now()
    clock.follow(START - MINUTE, Offset())
    assert clock.now() == stood_at
    clock.follow(START + HOUR, Offset())
    assert clock.now() >= START + HOUR


def test_what_has_passed_is_counted_whatever_the_clock_is_set_to() -> None:
    """In seconds, and never backwards."""
    clock = SystemClock()
    before = clock.elapsed_s()
    clock.jump(START - HOUR, Offset())
    assert clock.elapsed_s() >= before > 0


def test_ids_are_uuids_of_version_7() -> None:
    """Their first 48 bits are the milliseconds of the clock."""
    clock = SystemClock()
    clock.jump(START, Offset())
    made = UUID(clock.new_id())
    assert (made.version, made.variant) == (7, UUID(int=2 << 62).variant)
    assert 0 <= (made.int >> 80) - int(START.timestamp() * 1000) < 60_000
    assert str(made) == str(made).lower()


def test_ids_of_a_process_are_in_order() -> None:
    """More of them in a millisecond than the counter counts, and when the clock is set back."""
    clock = SystemClock()
    ids = [clock.new_id() for _ in range(10_000)]
    clock.jump(START - timedelta(days=365), Offset())
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
