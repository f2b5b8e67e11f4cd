"""So many a second, evenly, and never a great many at once."""

from dispatch.phone.pace import Pace


def test_what_is_due_adds_up_to_the_rate() -> None:
    """Whatever the ticks are."""
    pace = Pace(7.0)
    due = [pace.due(float(ms)) for ms in range(0, 10_001, 20)]
    assert sum(due) == 70
    assert max(due) == 1


def test_what_came_by_itself_is_not_due_again() -> None:
    """A policy that asks for more than the rate leaves nothing to add."""
    pace = Pace(10.0)
    pace.due(0.0)
    assert pace.due(1_000.0, done=4) == 6
    assert pace.due(2_000.0, done=30) == 0
    assert pace.due(3_000.0) == 0
    assert pace.due(4_000.0) == 10


def test_a_long_pause_is_not_made_up_for() -> None:
    """One second of it at most."""
    pace = Pace(5.0)
    pace.due(0.0)
    assert pace.due(3_600_000.0) == 5
    assert Pace(0.0).due(1_000.0) == 0


def test_a_rate_below_one_a_second_comes_all_the_same() -> None:
    """Six a minute are one each ten seconds."""
    pace = Pace(0.1)
    assert sum(pace.due(float(ms)) for ms in range(0, 60_001, 500)) == 6
