"""What an answer of the webhook means for a push."""

from datetime import timedelta

import pytest

from dispatch.ports import PushState, Settled
from dispatch.push import verdict
from dispatch.push.verdict import Heard, pause_s, settle
from tests.dispatch.push.letters import claimed
from tests.fakes import START


def no_dice(most_s: float) -> float:
    """Throw nothing."""
    return 0.0


def all_dice(most_s: float) -> float:
    """Throw the most."""
    return most_s


def settled(status: int | None, *, tries: int = 1, lives_s: float = 300.0) -> Settled:
    """Return what becomes of a push that was answered like this."""
    heard = Heard(status=status, note=str(status))
    return settle(claimed(tries=tries, lives_s=lives_s), heard, START, no_dice)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, PushState.SENT),
        (202, PushState.SENT),
        (204, PushState.SENT),
        (301, PushState.REFUSED),
        (400, PushState.REFUSED),
        (404, PushState.REFUSED),
        (410, PushState.GONE),
        (408, PushState.WAITING),
        (425, PushState.WAITING),
        (429, PushState.WAITING),
        (500, PushState.WAITING),
        (503, PushState.WAITING),
        (None, PushState.WAITING),
    ],
)
def test_a_status_is_a_yes_a_no_or_a_later(status: int | None, state: PushState) -> None:
    """Only a 2xx is a yes; only what is about the moment is tried again."""
    found = settled(status)
    assert found.state is state
    assert (found.next_at is not None) is (state is PushState.WAITING)
    assert found.note == str(status)


def test_pauses_double_up_to_a_minute() -> None:
    """Their upper half is thrown, so that many do not come back at once."""
    least = [pause_s(n, 0.0, no_dice) for n in range(1, 9)]
    most = [pause_s(n, 0.0, all_dice) for n in range(1, 9)]
    assert least == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert most == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_longer_pause_that_is_asked_for_is_kept_within_a_minute() -> None:
    """Whoever says Retry-After: 86400 does not silence a life."""
    assert pause_s(1, 7.0, no_dice) == 7.0
    assert pause_s(1, 86_400.0, no_dice) == verdict.BACK_OFF_MOST_S


def test_the_next_try_comes_after_its_pause() -> None:
    """Reckoned from the answer."""
    assert settled(503, tries=3).next_at == START + timedelta(seconds=2)


def test_a_try_past_the_end_is_not_made() -> None:
    """The offer's end is nearer than the next try."""
    assert settled(503, lives_s=0.5).state is PushState.EXPIRED


def test_tries_end() -> None:
    """After the last of them it has failed, whatever time is left."""
    assert settled(503, tries=verdict.TRIES_MOST - 1).state is PushState.WAITING
    assert settled(503, tries=verdict.TRIES_MOST).state is PushState.FAILED
