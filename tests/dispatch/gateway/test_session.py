"""One phone's conversation, decided without a socket."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.core.errors import NotOnDuty, Overloaded
from dispatch.gateway.limits import (
    ERRORS_MAX,
    ERRORS_WITHIN_S,
    FLOOD_MAX,
    IN_FLIGHT_MAX,
    LOC_BURST,
    RATE_BURST,
    SILENT_AFTER_S,
)
from dispatch.gateway.session import (
    Acked,
    Actions,
    Do,
    Identify,
    Moded,
    Part,
    Phase,
    Quiet,
    Send,
    Session,
    Store,
)
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas import wire
from schemas.base import ms
from schemas.wire import Close, Err, ErrorCode
from tests.fakes import CADENCES, START
from tests.memory_phones import MemoryPhones, offer, phone

HELLO = {"t": "hello", "tok": "d1", "datum": "gcj02", "ts": 1, "inst": "run-1"}
PING = {"t": "ping", "ts": 1}
LOC = {"t": "loc", "d": "wgs84", "ts": 1, "f": [[1, 113.4, 23.1, 5]]}
SEEN = {"t": "offer.seen", "id": "0123456789abcdef", "oid": "o1"}
LATER_S = 1000.0


def text(frame: object) -> str:
    """Return a frame as a phone writes it."""
    return msgspec.json.encode(frame).decode()


def say(session: Session, frame: object, now: float = 0.0) -> Actions:
    """Let the phone say something."""
    return session.receive(text(frame), now)


def error(actions: Actions) -> Err:
    """Return the error that is the first thing sent."""
    first = actions[0]
    assert isinstance(first, Send)
    assert isinstance(first.frame, Err)
    return first.frame


def welcomed(**hello: Any) -> tuple[Session, Actions]:
    """Return a session past its welcome, and what the welcome said; the stream stands at 7."""
    session = Session(0.0)
    (identify,) = say(session, HELLO | hello)
    assert isinstance(identify, Identify)
    phones = MemoryPhones([phone()])
    phones.seal("d1", offer())
    state = phones.state(phone())
    return session, session.welcome(
        identify.hello, phone(), epoch="e", head=7, state=state, online=8000
    )


def ready() -> Session:
    """Return a session past its welcome."""
    return welcomed()[0]


def welcome(actions: Actions) -> wire.Welcome:
    """Return the welcome that is the first thing sent."""
    first = actions[0]
    assert isinstance(first, Send)
    assert isinstance(first.frame, wire.Welcome)
    return first.frame


# Hello and welcome. ------------------------------------------------------------------------------


def test_the_first_frame_says_who_is_there() -> None:
    """The shell looks the token up; the session waits for that."""
    session = Session(0.0)
    (identify,) = say(session, HELLO)
    assert isinstance(identify, Identify)
    assert identify.hello.tok == "d1"
    assert session.phase is Phase.CHECKING


@pytest.mark.parametrize("frame", [PING, LOC, SEEN, {"t": "ack", "ack": 3}])
@pytest.mark.parametrize("asked", [False, True])
def test_nothing_is_done_before_the_welcome(frame: dict[str, Any], asked: bool) -> None:
    """`not_ready`, worth another try, with the command's id where there is one."""
    session = Session(0.0)
    if asked:
        say(session, HELLO)
    refused = error(say(session, frame))
    assert refused.code is ErrorCode.NOT_READY
    assert refused.retry_ms
    assert refused.re == frame.get("id")


@pytest.mark.parametrize("session", [Session(0.0), ready()])
def test_hello_comes_once(session: Session) -> None:
    """A second one changes nothing, and is told so."""
    say(session, HELLO)
    refused = error(say(session, HELLO))
    assert (refused.code, refused.path) == (ErrorCode.INVALID, "t")


def test_the_welcome_is_the_whole_truth_in_the_phones_own_datum() -> None:
    """A position that is not turned is half a kilometre off."""
    frame = welcome(welcomed()[1])
    (shown,) = frame.state.offers
    there = point_from_wgs84(Point(offer().inc.lon, offer().inc.lat), Datum.GCJ02)
    assert shown.d is Datum.GCJ02
    assert (shown.inc.lon, shown.inc.lat) == pytest.approx(there, abs=1e-7)
    assert (frame.head, frame.unit, frame.member, frame.juris) == (7, "u1", "m1", "gz.huangpu")
    assert frame.spread == 20.0


@pytest.mark.parametrize(
    ("hello", "recovered", "acked"),
    [
        ({}, False, ()),
        ({"ack": 3}, False, ()),
        ({"epoch": "other", "ack": 3}, False, ()),
        ({"epoch": "e"}, True, ()),
        ({"epoch": "e", "ack": 0}, True, ()),
        ({"epoch": "e", "ack": 7}, True, (Acked(7),)),
        ({"epoch": "e", "ack": 8}, False, ()),
    ],
)
def test_a_stream_is_recovered_only_in_its_epoch(
    hello: dict[str, Any], recovered: bool, acked: Actions
) -> None:
    """An acknowledgement means nothing in another life of the store, nor above its head."""
    actions = welcomed(**hello)[1]
    assert welcome(actions).rec is recovered
    assert actions[1:] == acked


# Errors. -----------------------------------------------------------------------------------------

WRONG: list[tuple[str, ErrorCode, str | None, str | None]] = [
    ("", ErrorCode.BAD_FRAME, None, None),
    ("{", ErrorCode.BAD_FRAME, None, None),
    ("nonsense", ErrorCode.BAD_FRAME, None, None),
    ('{"t":"ping","ts":NaN}', ErrorCode.BAD_FRAME, None, None),
    ('{"t":"zzz", nonsense', ErrorCode.BAD_FRAME, None, None),
    ('{"t":' + "[" * 16_000, ErrorCode.BAD_FRAME, None, None),
    ("[" * 16_000, ErrorCode.INVALID, None, None),
    ('{"t":"ping","ts":1,"x":' + "[" * 16_000, ErrorCode.BAD_FRAME, None, None),
    ('{"t":"\udc80"}', ErrorCode.BAD_FRAME, None, None),
    ("[]", ErrorCode.INVALID, None, None),
    ("7", ErrorCode.INVALID, None, None),
    ("{}", ErrorCode.INVALID, "t", None),
    ('{"t":5}', ErrorCode.INVALID, "t", None),
    ('{"t":""}', ErrorCode.INVALID, "t", None),
    ('{"t":"ping"}', ErrorCode.INVALID, "ts", None),
    ('{"t":"ping","ts":-1}', ErrorCode.INVALID, "ts", None),
    ('{"t":"ping","ts":1e400}', ErrorCode.INVALID, "ts", None),
    ('{"t":"ping","ts":1,"ack":9007199254740993}', ErrorCode.INVALID, "ack", None),
    ('{"t":"loc","d":"mars","ts":1,"f":[[]]}', ErrorCode.INVALID, "d", None),
    ('{"t":"loc","d":"wgs84","ts":1,"f":[]}', ErrorCode.INVALID, "f", None),
    ('{"t":"offer.seen","id":"short","oid":"o"}', ErrorCode.INVALID, "id", "short"),
    ('{"t":"offer.seen","id":"0123456789abcdef"}', ErrorCode.INVALID, "oid", "0123456789abcdef"),
    (
        '{"t":"offer.seen","id":"0123456789abcdef","oid":"\\u0000"}',
        ErrorCode.INVALID,
        None,
        "0123456789abcdef",
    ),
    ('{"t":"ping","ts":1,"x":"\\u0000"}', ErrorCode.INVALID, None, None),
    ('{"t":"dance"}', ErrorCode.UNKNOWN_TYPE, None, None),
    ('{"t":"dance","id":"x1"}', ErrorCode.UNKNOWN_TYPE, None, "x1"),
    ('{"t":"dance","id":7}', ErrorCode.UNKNOWN_TYPE, None, None),
    ('{"t":"dance","id":""}', ErrorCode.UNKNOWN_TYPE, None, None),
    ('{"t":"dance","id":"' + "x" * 37 + '"}', ErrorCode.UNKNOWN_TYPE, None, None),
    ('{"t":"ping","ts":1,"x":"' + "x" * 16_384 + '"}', ErrorCode.TOO_LARGE, None, None),
    ('{"t":"ping","ts":1,"x":"' + "木" * 5_500 + '"}', ErrorCode.TOO_LARGE, None, None),
]


@pytest.mark.parametrize(("frame", "code", "path", "re"), WRONG)
def test_a_frame_that_is_no_message_gets_its_error(
    frame: str, code: ErrorCode, path: str | None, re: str | None
) -> None:
    """The code says what is wrong, `path` where, `re` which command it was."""
    refused = error(ready().receive(frame, 0.0))
    assert (refused.code, refused.path, refused.re) == (code, path, re)
    assert len(refused.msg) <= 200


def test_what_is_not_known_is_skipped() -> None:
    """An app that is newer than the server goes on working."""
    (pong,) = say(ready(), PING | {"mood": {"deep": [1]}, "木": None})
    assert pong == Send(wire.Pong(now=0.0))


def test_text_is_the_only_kind_of_frame() -> None:
    """Anything else is another protocol: 4000."""
    session = ready()
    assert session.receive(b"\x01", 0.0) == (Part(Close.PROTOCOL, 0),)
    assert session.phase is Phase.OVER


def test_ten_errors_in_a_minute_end_the_conversation() -> None:
    """The tenth is still answered: 4107."""
    session = ready()
    for _ in range(ERRORS_MAX - 1):
        assert len(session.receive("?", 1.0)) == 1
    last = session.receive("?", 60.0)
    assert error(last).code is ErrorCode.BAD_FRAME
    assert last[1] == Part(Close.TOO_MANY_ERRORS, 30)
    assert say(session, PING, 61.0) == ()


def test_old_errors_are_forgotten() -> None:
    """A clumsy app that stays under the rate may stay."""
    session = ready()
    every_s = ERRORS_WITHIN_S / (ERRORS_MAX - 1)
    answers = [session.receive("?", n * every_s) for n in range(3 * ERRORS_MAX)]
    assert {len(answer) for answer in answers} == {1}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_give_a_message_or_a_documented_error(data: bytes) -> None:
    """Nothing a stranger sends raises."""
    frame = data.decode("utf-8", "surrogateescape")
    for action in ready().receive(frame, 0.0):
        assert isinstance(action, Send)
        assert isinstance(action.frame, Err)
        assert action.frame.code in {
            ErrorCode.BAD_FRAME,
            ErrorCode.INVALID,
            ErrorCode.UNKNOWN_TYPE,
        }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(
    st.sampled_from([HELLO, PING, LOC, SEEN]),
    st.dictionaries(
        st.sampled_from(["t", "tok", "ts", "f", "d", "id", "oid", "ack", "datum"]), JSON
    ),
)
def test_any_mutilated_message_is_answered(frame: dict[str, Any], wounds: dict[str, Any]) -> None:
    """Fresh or welcomed, before and after: actions, never an exception."""
    for session in (Session(0.0), ready()):
        assert isinstance(say(session, frame | wounds), tuple)


# The rate. ---------------------------------------------------------------------------------------


def test_a_burst_is_taken_and_then_two_a_second() -> None:
    """A phone that says more is told when to try again."""
    session = ready()
    for _ in range(int(RATE_BURST)):
        assert say(session, PING) == (Send(wire.Pong(now=0.0)),)
    refused = error(say(session, PING))
    assert (refused.code, refused.retry_ms) == (ErrorCode.RATE_LIMITED, 500)
    assert error(say(session, SEEN, 0.4)).re == SEEN["id"]
    assert say(session, PING, 0.5) == (Send(wire.Pong(now=0.0)),)


def test_locs_have_a_rate_of_their_own() -> None:
    """One a second, a few at once; and they cost no command its turn."""
    session = ready()
    for _ in range(int(LOC_BURST)):
        assert isinstance(say(session, LOC)[0], Store)
    refused = error(say(session, LOC))
    assert (refused.code, refused.retry_ms) == (ErrorCode.RATE_LIMITED, 1000)
    for _ in range(int(RATE_BURST)):
        assert say(session, PING) == (Send(wire.Pong(now=0.0)),)
    assert isinstance(say(session, LOC, 1.0)[0], Store)


@pytest.mark.parametrize("session", [Session(0.0), ready()])
def test_a_phone_that_floods_is_closed(session: Session) -> None:
    """Answers to a flood are a flood too: 4103."""
    while len(actions := say(session, LOC)) == 1 and not isinstance(actions[0], Part):
        pass
    assert actions == () or actions[0] == Part(Close.RATE_LIMITED, 30)
    assert session.phase is Phase.OVER


def test_a_flood_is_measured_by_the_minute() -> None:
    """So many refusals are borne at once, and no more."""
    session = Session(0.0)
    answers = [say(session, PING) for _ in range(FLOOD_MAX + 1)]
    assert all(isinstance(answer[0], Send) for answer in answers[:-1])
    assert answers[-1] == (Part(Close.RATE_LIMITED, 30),)


def test_the_clock_of_a_bucket_never_runs_back() -> None:
    """An earlier `now` gives nothing and takes nothing."""
    session = ready()
    say(session, PING, 5.0)
    assert say(session, PING, 4.0) == (Send(wire.Pong(now=0.0)),)


# Acknowledgements. -------------------------------------------------------------------------------


def test_any_frame_may_acknowledge() -> None:
    """The acknowledgement goes before what else the frame asks."""
    session = ready()
    assert say(session, {"t": "ack", "ack": 1}) == (Acked(1),)
    assert say(session, PING | {"ack": 2}) == (Acked(2), Send(wire.Pong(now=0.0)))
    acked, stored = say(session, LOC | {"ack": 3})
    assert acked == Acked(3)
    assert isinstance(stored, Store)
    assert say(session, {"t": "ack"}) == ()


def test_an_acknowledgement_never_goes_back() -> None:
    """What was taken once is not asked again; what was not taken may come again."""
    session = ready()
    session.acknowledged(5)
    session.acknowledged(4)
    assert session.acked == 5
    assert say(session, {"t": "ack", "ack": 5}) == ()
    assert say(session, {"t": "ack", "ack": 6}) == (Acked(6),)


def test_an_acknowledgement_is_taken_even_when_its_frame_is_not() -> None:
    """A phone above its rate must not get everything again."""
    session = ready()
    for _ in range(int(RATE_BURST)):
        say(session, PING)
    acked, refused = say(session, PING | {"ack": 4})
    assert acked == Acked(4)
    assert error((refused,)).code is ErrorCode.RATE_LIMITED


# Commands and fixes. -----------------------------------------------------------------------------

COMMANDS: list[dict[str, Any]] = [
    SEEN,
    {"t": "duty", "id": SEEN["id"], "s": "on"},
    {"t": "offer.reply", "id": SEEN["id"], "oid": "o", "rev": 1, "at": 1, "r": "accept"},
    {"t": "assign.seen", "id": SEEN["id"], "aid": "a", "rev": 1},
    {"t": "progress", "id": SEEN["id"], "aid": "a", "s": "arrived", "at": 1},
    {"t": "refresh", "id": SEEN["id"]},
]


@pytest.mark.parametrize("frame", COMMANDS, ids=lambda frame: str(frame["t"]))
def test_a_command_is_carried_out_and_answered(frame: dict[str, Any]) -> None:
    """The session hands it on, and sends whatever the desk says."""
    session = ready()
    (do,) = say(session, frame)
    assert isinstance(do, Do)
    assert do.command.id == frame["id"]
    ok = wire.Ok(re=do.command.id)
    assert session.answered(ok) == Send(ok)


def test_only_so_many_commands_wait() -> None:
    """Beyond that: `overloaded`, until one is answered."""
    session = ready()
    for _ in range(IN_FLIGHT_MAX):
        assert isinstance(say(session, SEEN)[0], Do)
    refused = error(say(session, SEEN))
    assert (refused.code, refused.re, bool(refused.retry_ms)) == ("overloaded", SEEN["id"], True)
    session.answered(wire.Ok(re="x"))
    assert isinstance(say(session, SEEN)[0], Do)


def test_a_loc_is_answered_only_when_it_asks() -> None:
    """`p` asks; the pong counts the rows that were taken and names the others."""
    session = ready()
    (store,) = say(session, LOC | {"p": 1, "f": [[1, 2, 3, 4], 5]})
    assert isinstance(store, Store)
    bad = [(1, "not a row")]
    assert session.stored(store.loc, bad) == (Send(wire.Pong(now=0.0, n=1, bad=bad)),)
    (silent,) = say(session, LOC)
    assert isinstance(silent, Store)
    assert session.stored(silent.loc, bad) == ()


def test_a_loc_that_may_not_be_kept_is_refused() -> None:
    """Whatever the desk raises is told; only what passes is worth another try."""
    session = ready()
    duty, load = session.refused(NotOnDuty("off duty")), session.refused(Overloaded("busy"))
    assert duty.frame == Err(code=ErrorCode.NOT_ON_DUTY, msg="off duty")
    assert load.frame == Err(code=ErrorCode.OVERLOADED, msg="busy", retry_ms=1000)


# The end. ----------------------------------------------------------------------------------------


def test_who_does_not_say_hello_is_closed_after_ten_seconds() -> None:
    """Noise is no hello: 4100."""
    session = Session(0.0)
    say(session, PING, 9.0)
    assert session.expire(9.9) is None
    assert session.due_at == 10.0
    assert session.expire(10.0) == Part(Close.HELLO_TIMEOUT, 5)


def test_a_phone_silent_before_its_welcome_is_closed() -> None:
    """Two and a half heartbeats: 4104. Nobody knows yet whose line would be stale."""
    session = Session(0.0)
    say(session, HELLO)
    session.receive("?", 50.0)
    assert session.due_at == 50.0 + SILENT_AFTER_S
    assert session.expire(50.0 + SILENT_AFTER_S - 0.1) is None
    assert session.expire(50.0 + SILENT_AFTER_S) == Part(Close.SILENT, 1)


@pytest.mark.parametrize(
    ("situation", "stale_s", "closed_s"),
    [("available", 72.0, 75.0), ("engaged", 12.0, 30.0), ("unheard of", 72.0, 75.0)],
)
def test_a_silent_phone_is_shown_stale_and_then_closed(
    situation: str, stale_s: float, closed_s: float
) -> None:
    """By the heartbeat of its situation: while engaged at 12 s and 30 s. Any frame is heard."""
    session = ready()
    session.pace(wire.Policy(state=CADENCES, s=situation))
    session.receive("?", 50.0)
    assert session.due_at == 50.0 + stale_s
    assert session.expire(50.0 + stale_s - 0.1) is None
    assert session.expire(50.0 + stale_s) == Quiet(quiet=True)
    assert session.due_at == 50.0 + closed_s
    assert session.expire(50.0 + closed_s - 0.1) is None
    assert session.expire(50.0 + closed_s) == Part(Close.SILENT, 1)


def test_a_phone_that_is_heard_again_is_no_longer_stale() -> None:
    """Said once, before what it says."""
    session = ready()
    session.expire(72.0)
    assert say(session, PING, 73.0) == (Quiet(quiet=False), Send(wire.Pong(now=0.0)))
    assert say(session, PING, 73.0) == (Send(wire.Pong(now=0.0)),)
    assert session.due_at == 73.0 + 72.0


def test_an_app_that_sleeps_is_waited_for() -> None:
    """The longer heartbeat counts, even while engaged; without one the usual is back."""
    session = ready()
    session.pace(wire.Policy(state=CADENCES, s="engaged"))
    (moded,) = say(session, {"t": "mode", "m": "bg", "hb": 200})
    assert isinstance(moded, Moded)
    assert moded.mode.m is wire.Activity.BACKGROUND
    assert session.due_at == 480.0
    assert session.expire(480.0) == Quiet(quiet=True)
    assert session.due_at == 500.0
    say(session, {"t": "mode", "m": "fg"}, 490.0)
    assert session.due_at == 490.0 + 12.0


def test_a_token_that_ends_closes_the_socket() -> None:
    """However lively the phone: 4101. The earliest end that was told counts."""
    session = ready()
    session.token_ends(40.0)
    session.token_ends(60.0)
    say(session, PING, 39.9)
    assert session.due_at == 40.0
    assert session.expire(39.9) is None
    assert session.expire(40.0) == Part(Close.AUTH_EXPIRED, 1)


@pytest.mark.parametrize(
    ("app", "comes_in"),
    [
        ({"n": "old", "v": "2.0.9"}, False),
        ({"n": "old"}, False),
        ({"n": "old", "v": "2.1-beta"}, True),
        ({"n": "other", "v": "0"}, True),
        (None, True),
    ],
)
def test_an_app_below_the_oldest_version_is_closed(
    app: dict[str, str] | None, comes_in: bool
) -> None:
    """Before its token is read: 4005."""
    session = Session(0.0, {"old": (2, 1)})
    (action,) = say(session, HELLO | {"app": app})
    assert isinstance(action, Identify) is comes_in
    assert comes_in or action == Part(Close.UPGRADE_APP, 0)


def test_the_welcome_says_when_the_token_ends() -> None:
    """So that the app fetches a new one in time."""
    (identify,) = say(Session(0.0), HELLO)
    assert isinstance(identify, Identify)
    actions = Session(0.0).welcome(
        identify.hello,
        replace(phone(), expires_at=START),
        epoch="e",
        head=0,
        state=MemoryPhones([phone()]).state(phone()),
        online=1,
    )
    assert welcome(actions).exp == ms(START)


def test_what_is_over_stays_over() -> None:
    """No frame is heard and no time runs out on a socket that is gone."""
    session = ready()
    session.hang_up()
    assert say(session, PING) == ()
    assert session.expire(LATER_S) is None


def test_a_closer_may_say_when_to_come_back() -> None:
    """Otherwise each code has its own time; those that mean `stop` name none."""
    assert Session(0.0).part(Close.DRAINING, 20.0) == Part(Close.DRAINING, 20.0)
    assert Session(0.0).part(Close.OVERLOADED) == Part(Close.OVERLOADED, 5)
    assert Session(0.0).part(Close.AUTH_INVALID) == Part(Close.AUTH_INVALID, 0)
