"""Who is alive and heard, and whose words were missed."""

from datetime import UTC, datetime

from dispatch.live.neighbours import SILENT_S, Heard, Neighbours
from dispatch.ports import LIVE_S, Node, NodeId

A = NodeId("a")


def node(node_id: NodeId = A) -> Node:
    """Return a process."""
    return Node(id=node_id, host="h", pid=1, started_at=datetime(2026, 11, 1, tzinfo=UTC))


def test_the_first_word_tells_of_somebody_new() -> None:
    """Whatever its number: what came before it was read."""
    neighbours = Neighbours()
    assert neighbours.hear(A, 7, 0.0) is Heard.NEW
    assert neighbours.hear(A, 8, 0.1) is Heard.NEXT


def test_a_gap_between_two_words_is_missed() -> None:
    """And is told once."""
    neighbours = Neighbours()
    neighbours.hear(A, 1, 0.0)
    assert neighbours.hear(A, 3, 0.1) is Heard.MISSED
    assert neighbours.hear(A, 4, 0.2) is Heard.NEXT


def test_a_word_that_comes_late_is_no_gap() -> None:
    """The number expected next stays the highest."""
    neighbours = Neighbours()
    neighbours.hear(A, 5, 0.0)
    assert neighbours.hear(A, 4, 0.1) is Heard.NEXT
    assert neighbours.hear(A, 6, 0.2) is Heard.NEXT


def test_a_pulse_shows_that_the_last_word_was_missed() -> None:
    """One that says nothing new is only a sign of life."""
    neighbours = Neighbours()
    assert neighbours.pulse(A, 0, 0.0) is Heard.NEW
    assert neighbours.pulse(A, 0, 0.5) is Heard.NEXT
    assert neighbours.pulse(A, 1, 1.0) is Heard.MISSED
    assert neighbours.hear(A, 2, 1.1) is Heard.NEXT


def test_who_is_listed_is_alive_before_it_was_heard() -> None:
    """And new when it is."""
    neighbours = Neighbours()
    assert neighbours.listed([node()], 0.0) == []
    assert neighbours.alive() == [A]
    assert neighbours.hear(A, 3, 0.1) is Heard.NEW


def test_who_is_neither_listed_nor_heard_has_ended() -> None:
    """It is told once, and forgotten."""
    neighbours = Neighbours()
    neighbours.listed([node()], 0.0)
    assert neighbours.listed([], LIVE_S) == []
    assert neighbours.listed([], LIVE_S + 0.1) == [A]
    assert neighbours.listed([], LIVE_S + 0.2) == []


def test_who_is_heard_lives_though_the_list_is_empty() -> None:
    """A store that has just come back knows nobody for a moment."""
    neighbours = Neighbours()
    neighbours.pulse(A, 0, 10.0)
    assert neighbours.listed([], 12.0) == []
    assert neighbours.alive() == []
    neighbours.listed([node()], 12.5)
    assert neighbours.alive() == [A]


def test_who_is_listed_and_not_heard_for_long_is_silent() -> None:
    """That is no death, but a split."""
    neighbours = Neighbours()
    neighbours.pulse(A, 0, 0.0)
    neighbours.listed([node()], SILENT_S)
    assert neighbours.silent(SILENT_S) == []
    assert neighbours.silent(SILENT_S + 0.1) == [A]
    neighbours.pulse(A, 0, SILENT_S + 0.2)
    assert neighbours.silent(SILENT_S + 0.3) == []


def test_one_for_whom_nobody_answers_is_gone_until_it_is_heard() -> None:
    """It is told once; its end later is no news."""
    neighbours = Neighbours()
    assert not neighbours.gone(A)
    neighbours.pulse(A, 4, 0.0)
    neighbours.listed([node()], 0.0)
    assert neighbours.gone(A)
    assert not neighbours.gone(A)
    assert neighbours.alive() == []
    assert neighbours.pulse(A, 9, 1.0) is Heard.NEW
    assert neighbours.alive() == [A]
    neighbours.gone(A)
    assert neighbours.listed([], 1.1) == []
