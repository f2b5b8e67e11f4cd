"""The client's side of what outlasts a call: tokens, and what the system lets an app do."""

import pytest
from msgspec.structs import replace

from dispatch.phone.news import Done, TokenFetched
from dispatch.phone.session import FETCH_BEFORE_MS, Card, Memory, Session
from schemas.unit import Duty
from schemas.wire import (
    Activity,
    Cadence,
    Err,
    ErrorCode,
    FixRow,
    Locate,
    Ok,
    Policy,
    PushAddress,
    PushKind,
    Refresh,
    Welcome,
)
from tests.dispatch.phone.script import NOW_MS, POLICY, said, text, welcome

CARD = Card(tok="kd_x", inst="run-1")
ID = "019ab000-0000-7000-8000-000000000001"
SOON_MS = NOW_MS + FETCH_BEFORE_MS


def known(session: Session | None = None, told: Welcome | None = None) -> Session:
    """Return a session that the centre has welcomed, with nothing left to write."""
    session = session or Session(CARD)
    session.opened(NOW_MS)
    session.hear(text(told or welcome()), NOW_MS)
    session.outgoing(NOW_MS)
    return session


# Tokens. -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exp", "wanted"), [(None, False), (SOON_MS + 1, False), (SOON_MS, True), (NOW_MS, True)]
)
def test_a_new_token_is_wanted_two_weeks_before_the_old_one_ends(
    exp: float | None, wanted: bool
) -> None:
    """The centre says when; a token that never ends is kept."""
    session = known(told=replace(welcome(), exp=exp))
    assert session.wants_token(NOW_MS) is wanted


def test_a_fetched_token_goes_into_the_next_hello() -> None:
    """It is in the memory before the app is told, and survives a kill."""
    session = known(told=replace(welcome(), exp=NOW_MS))
    session.send(Refresh(id=ID), NOW_MS)
    assert not session.wants_token(NOW_MS)
    assert said(session.outgoing(NOW_MS)) == [{"t": "refresh", "id": ID}]
    result = {"tok": "kd_new", "exp": SOON_MS, "till": NOW_MS}
    news = session.hear(text(Ok(re=ID, result=result)), NOW_MS)
    assert news == [TokenFetched("kd_new"), Done(ID, result)]
    assert not session.wants_token(NOW_MS)
    assert session.memory.tok == "kd_new"
    session.closed(None, "", NOW_MS, 0.0)
    for started in (session, Session(CARD, session.memory)):
        started.opened(NOW_MS)
        assert said(started.outgoing(NOW_MS))[0]["tok"] == "kd_new"


def test_a_token_that_could_not_be_fetched_is_wanted_again() -> None:
    """A temporary refusal is tried again by itself, another at the next look."""
    session = known(told=replace(welcome(), exp=NOW_MS))
    session.send(Refresh(id=ID), NOW_MS)
    session.hear(text(Err(re=ID, code=ErrorCode.OVERLOADED, msg="", retry_ms=10)), NOW_MS)
    assert not session.wants_token(NOW_MS)
    session.hear(text(Err(re=ID, code=ErrorCode.FORBIDDEN, msg="")), NOW_MS)
    assert session.wants_token(NOW_MS)
    assert session.memory == Memory(epoch="e1")


def test_what_only_looks_like_a_token_is_none() -> None:
    """Another command's result, or a result without one."""
    session = known(told=replace(welcome(), exp=NOW_MS))
    session.send(Refresh(id=ID), NOW_MS)
    assert session.hear(text(Ok(re=ID, result={"tok": 7})), NOW_MS) == [Done(ID, {"tok": 7})]
    assert session.memory.tok is None


def test_hello_tells_where_to_wake_the_phone() -> None:
    """When the card has an address."""
    session = Session(replace(CARD, push=PushAddress(k=PushKind.HOOK, a="vendor:1")))
    session.opened(NOW_MS)
    assert said(session.outgoing(NOW_MS))[0]["push"] == {"k": "hook", "a": "vendor:1"}


# What the system lets it do. ---------------------------------------------------------------------


def test_an_app_tells_when_it_goes_to_the_background() -> None:
    """And keeps the heartbeat that it promised."""
    session = known(told=welcome(duty=Duty.ON))
    session.be(Activity.BACKGROUND, hb=200)
    assert session.background
    assert said(session.outgoing(NOW_MS)) == [{"t": "mode", "m": "bg", "hb": 200}]
    assert session.due_ms == NOW_MS + 200_000
    session.be(Activity.FOREGROUND)
    assert said(session.outgoing(NOW_MS)) == [{"t": "mode", "m": "fg"}]
    assert session.due_ms == NOW_MS + 30_000


def test_an_app_in_the_background_says_so_on_every_connection() -> None:
    """A new one begins in the foreground."""
    session = Session(CARD)
    session.be(Activity.SLEEP)
    session.opened(NOW_MS)
    session.outgoing(NOW_MS)
    session.hear(text(welcome()), NOW_MS)
    assert {"t": "mode", "m": "sleep"} in said(session.outgoing(NOW_MS))


@pytest.mark.parametrize(
    ("told", "every_s"),
    [
        ("engaged", 3),
        ("on_scene", 15),
        ("available", 60),
        ("ring", 10),
        ("dancing", 60),
        (None, 60),
    ],
)
def test_the_centre_may_know_of_more_than_we_do_yet(told: str | None, every_s: int) -> None:
    """The shorter heartbeat counts, and a ring we stand in; what we do not know is not followed."""
    session = known(told=welcome(duty=Duty.ON))
    session.hear(text(replace(POLICY, s=told)), NOW_MS)
    assert session.cadence.every_s == every_s


def test_a_situation_is_over_with_the_next_policy() -> None:
    """The latest counts, and a welcome begins anew."""
    session = known(told=welcome(duty=Duty.ON))
    session.hear(text(replace(POLICY, s="engaged")), NOW_MS)
    session.hear(text(Policy(state={"available": Cadence(7, 7, 30)}, s="available")), NOW_MS)
    assert session.cadence.every_s == 7


def test_a_ring_means_nothing_to_who_is_not_free() -> None:
    """Off duty a phone reports nothing, whatever the centre thinks."""
    session = known(told=welcome(duty=Duty.OFF))
    session.hear(text(replace(POLICY, s="ring")), NOW_MS)
    assert session.cadence.every_s == 0


def test_the_centre_asks_where_a_phone_is_until_it_says_so() -> None:
    """On this connection; a new one begins without the question."""
    session = known(told=welcome(duty=Duty.ON))
    asked = []
    session.hear(text(Locate()), NOW_MS)
    asked.append(session.asked_where)
    session.locate(FixRow(NOW_MS, 113.3, 23.1, 5.0), NOW_MS)
    asked.append(session.asked_where)
    session.hear(text(Locate()), NOW_MS)
    session.closed(None, "", NOW_MS, 0.0)
    asked.append(session.asked_where)
    assert asked == [True, False, False]


def test_an_app_that_comes_to_the_front_dials_within_a_second() -> None:
    """And begins its back-off anew."""
    session = Session(CARD)
    waits = [session.closed(None, "", NOW_MS, 0.5) for _ in range(5)]
    assert waits == [0.5, 1, 2, 4, 8]
    assert session.woken(0.5) == 0.5
    assert session.closed(None, "", NOW_MS, 0.5) == 0.5
