"""The bounds, and what counts them."""

import pytest

from dispatch.gateway.limits import Bucket, Porch, Window, later_s, spread_s
from dispatch.gateway.wheel import Wheel


@pytest.mark.parametrize(
    ("online", "seconds"), [(0, 1.0), (400, 1.0), (8_000, 20.0), (24_000, 60.0), (10**6, 60.0)]
)
def test_phones_come_back_four_hundred_a_second(online: int, seconds: float) -> None:
    """A handful at once; never slower than within a minute."""
    assert spread_s(online) == seconds


@pytest.mark.parametrize(
    ("waiting", "seconds"), [(0, 5.0), (250, 5.0), (1_000, 20.0), (3_000, 60.0), (10**6, 60.0)]
)
def test_who_is_turned_away_has_the_longer_the_more_wait(waiting: int, seconds: float) -> None:
    """Five seconds at the least, a minute at the most."""
    assert later_s(waiting) == seconds


def test_a_bucket_fills_up_to_its_burst() -> None:
    """Silence is not saved up for ever."""
    bucket = Bucket(2.0, 1.0, 0.0)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]
    assert bucket.wait_ms() == 1000


def test_a_window_counts_what_is_recent() -> None:
    """The third within ten seconds fills it; older ones do not count."""
    window = Window(3, 10.0)
    assert [window.full(at) for at in (0.0, 9.0, 10.0, 11.0)] == [False, False, False, True]


def test_a_porch_holds_so_many_of_each_address() -> None:
    """One crowd keeps nobody else out, and whoever goes in makes room."""
    porch = Porch(2)
    assert [porch.enter("a"), porch.enter("a"), porch.enter("a"), porch.enter("b")] == [
        True,
        True,
        False,
        True,
    ]
    porch.leave("a")
    assert porch.enter("a")
    porch.leave("a")
    porch.leave("a")
    assert [porch.enter("a"), porch.enter("a"), porch.enter("a")] == [True, True, False]


def test_the_wheel_hands_each_back_once_when_it_is_due() -> None:
    """Never before its time, and within a slot after it."""
    wheel: Wheel[str] = Wheel()
    for item, at in (("b", 2.5), ("a", 1.0), ("c", 70.0)):
        wheel.add(item, at)
    assert wheel.due(1.0) == []
    assert wheel.due(2.0) == ["a"]
    assert wheel.due(69.0) == ["b"]
    assert wheel.due(1000.0) == ["c"]
    assert wheel.due(1000.0) == []
