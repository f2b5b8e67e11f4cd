"""One heap for all deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone.timers import NEVER, Timers


class Waiter:
    """Somebody with a deadline."""

    def __init__(self) -> None:
        self.armed_ms = NEVER


def test_who_is_due_is_woken_once_the_longest_due_first() -> None:
    """And is disarmed."""
    timers: Timers[Waiter] = Timers()
    a, b, c = Waiter(), Waiter(), Waiter()
    for waiter, at_ms in ((a, 30.0), (b, 10.0), (c, 50.0)):
        timers.wake(waiter, at_ms)
    assert timers.due(5.0) == []
    assert timers.due(40.0) == [b, a]
    assert timers.due(40.0) == []
    assert a.armed_ms == NEVER


def test_a_nearer_deadline_takes_the_place_of_a_later_one() -> None:
    """The later one is forgotten, not fired."""
    timers: Timers[Waiter] = Timers()
    one = Waiter()
    timers.wake(one, 30.0)
    timers.wake(one, 10.0)
    timers.wake(one, 20.0)
    assert timers.due(15.0) == [one]
    assert timers.due(99.0) == []
    assert len(timers) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50))))
def test_everybody_is_woken_by_the_nearest_deadline_set(wishes: list[tuple[int, int]]) -> None:
    """Oracle: the least of each waiter's wishes."""
    timers: Timers[Waiter] = Timers()
    waiters = [Waiter() for _ in range(5)]
    for who, at_ms in wishes:
        timers.wake(waiters[who], float(at_ms))
    least = {w: min(at for who, at in wishes if who == w) for w, _ in wishes}
    woken = timers.due(50.0)
    assert sorted(waiters.index(one) for one in woken) == sorted(least)
    assert [least[waiters.index(one)] for one in woken] == sorted(least.values())
