"""What time the service goes by: steady whatever the database's clock is set to, alike for all."""

from datetime import timedelta
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from dispatch.core.service_time import SLEW, STEP_S, Offset, Reading, nearer
from dispatch.ports import LIVE_S
from schemas.base import Instant
from tests.fakes import START

HOUR: Final = 3600.0
DAYS: Final = st.floats(-100_000, 100_000)
STEPS: Final = st.lists(DAYS, min_size=1, max_size=8)
PASSES: Final = st.lists(st.floats(0, 5000), min_size=2, max_size=30)
EXACT: Final = timedelta(microseconds=2)


def later(seconds: float) -> Instant:
    """Return an instant some seconds after the start."""
    return START + timedelta(seconds=seconds)


def test_without_a_step_the_service_goes_by_the_database() -> None:
    """To the microsecond; nothing is left of anything."""
    assert Offset().time(START) == START
    assert Offset().left_s(START) == 0


def test_an_hour_is_absorbed_in_twenty() -> None:
    """A twentieth of what passes, in either direction; then nothing is left for ever."""
    for side in (1, -1):
        offset = Offset(seconds=side * HOUR, since=START)
        assert offset.left_s(START) == side * HOUR
        assert offset.left_s(later(10 * HOUR)) == side * HOUR / 2
        assert offset.left_s(later(20 * HOUR)) == offset.left_s(later(99 * HOUR)) == 0
        assert offset.time(later(20 * HOUR)) == later(20 * HOUR)


@given(DAYS, PASSES)
@example(-HOUR, [0, 72_000, 1])
def test_time_never_goes_back_and_is_never_hurried(seconds: float, passes: list[float]) -> None:
    """However much is absorbed: between any two instants it is off by a twentieth at most."""
    offset, at = Offset(seconds=seconds, since=START), START
    for passed in passes:
        then = at + timedelta(seconds=passed)
        gone_s = (offset.time(then) - offset.time(at)).total_seconds()
        assert abs(gone_s - passed) <= SLEW * passed + 1e-5
        assert offset.time(then) >= offset.time(at)
        at = then


@given(STEPS, PASSES)
def test_no_row_of_steps_moves_the_services_time(steps: list[float], passes: list[float]) -> None:
    """The hands of a process and what is written down agree at every step; versions count them."""
    offset, at = Offset(), START
    for n, (step, passed) in enumerate(zip(steps, passes, strict=False), 1):
        at += timedelta(seconds=passed)
        time, at = offset.time(at), at + timedelta(seconds=step)
        offset = offset.keeping(time, at)
        assert abs(offset.time(at) - time) <= EXACT
        assert offset.version == n


def test_before_it_was_noticed_a_step_is_whole() -> None:
    """A clock that was set back shows instants from before: nothing of it is absorbed then."""
    assert Offset(seconds=HOUR, since=START).left_s(later(-HOUR)) == HOUR


# What a process makes of it. ---------------------------------------------------------------------


def reading(*claims: float, left_s: float = 0.0, reached_s: float = -HOUR) -> Reading:
    """Return a reading at the start, by whose offset so many seconds are left."""
    return Reading(
        at=START,
        offset=Offset(seconds=left_s, since=START),
        reached=later(reached_s),
        claims=claims,
    )


def test_a_claim_in_a_reading_is_younger_than_the_step_it_tells_of() -> None:
    """One from before a step is not among those of the living any more."""
    assert STEP_S > LIVE_S


def test_what_is_written_down_holds_while_one_process_goes_by_it() -> None:
    """Within what is no step; whatever the others say, and nobody at all confirms nothing."""
    assert not reading().confirmed
    assert reading(HOUR, STEP_S).confirmed
    assert reading(HOUR - STEP_S, left_s=HOUR).confirmed
    assert not reading(HOUR, -HOUR).confirmed
    assert reading(left_s=HOUR).time == later(HOUR)
    assert reading(left_s=HOUR).left_s == HOUR


def test_who_starts_takes_the_time_of_the_living() -> None:
    """What is written down where one of them goes by it, else the one in their middle."""
    assert reading(2.0, HOUR).first == START
    assert reading(-HOUR, -HOUR - 1, -HOUR - 2).first == later(-HOUR - 1)


def test_who_starts_alone_does_not_begin_before_the_last_has_ended() -> None:
    """A clock that was set back while nobody lived stops nothing; one set forward is believed."""
    assert reading(reached_s=HOUR).first == later(HOUR)
    assert reading().first == START
    assert reading(0.0, reached_s=HOUR).first == START


def test_an_instant_of_another_clock_is_taken_by_the_nearer_reckoning() -> None:
    """That clock may be as the database's was before the step, or as it is now."""
    assert nearer(later(-5), START, 0) == later(-5)
    assert nearer(later(-5), START, HOUR) == later(-5)
    assert nearer(later(-HOUR - 5), START, HOUR) == later(-5)
    assert nearer(later(HOUR - 5), START, -HOUR) == later(-5)
