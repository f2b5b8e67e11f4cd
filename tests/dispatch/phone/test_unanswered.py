"""Commands without an answer."""

import pytest

from dispatch.phone import heard
from dispatch.phone.news import UNKNOWN, AskAgain, Refused
from dispatch.phone.unanswered import (
    NEVER,
    PENDING_MAX,
    REPLY_FRESH_MS,
    RETRY_MS,
    TooManyPending,
    Unanswered,
)
from schemas.wire import TEMPORARY, Answer, OfferReply, OfferSeen


def seen(n: int) -> OfferSeen:
    """Return a command with an id of its own."""
    return OfferSeen(id=f"{n:032d}", oid="o1")


def test_no_more_than_the_bound_wait() -> None:
    """The seventeenth is refused before anything is sent."""
    unanswered = Unanswered()
    for n in range(PENDING_MAX):
        unanswered.add(seen(n), 0.0)
    assert not unanswered.has_room
    with pytest.raises(TooManyPending):
        unanswered.add(seen(99), 0.0)


def test_they_are_sent_again_in_their_order() -> None:
    """As they were given."""
    unanswered = Unanswered()
    frames = [unanswered.add(seen(n), 0.0) for n in range(3)]
    unanswered.ok(heard.Ok(re=seen(1).id))
    assert unanswered.after_welcome(1.0) == ([frames[0], frames[2]], [])


@pytest.mark.parametrize("code", sorted(TEMPORARY))
def test_every_temporary_code_is_tried_again_not_before_a_second(code: str) -> None:
    """Once per answer."""
    unanswered = Unanswered()
    frame = unanswered.add(seen(1), 0.0)
    assert unanswered.err(heard.Err(code=code, re=seen(1).id), 0.0) is None
    assert unanswered.due_ms == RETRY_MS
    assert unanswered.again(RETRY_MS) == ([frame], [])
    assert unanswered.again(RETRY_MS) == ([], [])
    assert unanswered.due_ms == NEVER


def test_a_refusal_for_good_ends_the_command() -> None:
    """An unknown code is for good."""
    unanswered = Unanswered()
    unanswered.add(seen(1), 0.0)
    refused = unanswered.err(heard.Err(code="moonlight", re=seen(1).id), 0.0)
    assert refused is not None
    assert unanswered.after_welcome(0.0) == ([], [])


def accept(n: int) -> OfferReply:
    """Return a tap on yes."""
    return OfferReply(id=f"{n:032d}", oid=f"o{n}", rev=1, at=0, r=Answer.ACCEPT)


def test_an_old_answer_is_asked_about_and_not_sent_again() -> None:
    """On a line that stands as after one that was lost; a second later it may be no life's word."""
    unanswered = Unanswered()
    frame = unanswered.add(accept(1), 0.0)
    unanswered.err(heard.Err(code="overloaded", re=accept(1).id), REPLY_FRESH_MS - RETRY_MS)
    assert unanswered.again(REPLY_FRESH_MS) == ([frame], [])
    unanswered.err(heard.Err(code="overloaded", re=accept(1).id), REPLY_FRESH_MS)
    assert unanswered.again(REPLY_FRESH_MS + RETRY_MS) == ([], [AskAgain("o1")])
    assert unanswered.after_welcome(REPLY_FRESH_MS + RETRY_MS) == ([], [])


def test_what_was_meant_for_another_history_is_void() -> None:
    """The app is told of each, and none is sent."""
    unanswered = Unanswered()
    unanswered.add(seen(1), 0.0)
    unanswered.add(accept(2), 0.0)
    assert unanswered.void() == [Refused(seen(1).id, UNKNOWN), Refused(accept(2).id, UNKNOWN)]
    assert unanswered.after_welcome(0.0) == ([], [])
    assert unanswered.has_room
