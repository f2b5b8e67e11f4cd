"""The client's side of the protocol: golden sequences, and a hostile network."""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatch.phone import session as module
from dispatch.phone.cadence import Situation
from dispatch.phone.news import (
    AskAgain,
    Assigned,
    Done,
    Offered,
    OfferEnded,
    Refused,
    Skipped,
    TaskEnded,
)
from dispatch.phone.session import ACK_EVERY, Card, Memory, Session
from geo.datum import Datum
from schemas.incident import AssignmentState
from schemas.unit import Duty
from schemas.wire import (
    Answer,
    Consent,
    Err,
    ErrorCode,
    FixRow,
    OfferFrame,
    OfferReply,
    OfferSeen,
    Ok,
    Pong,
)
from tests.dispatch.phone.script import (
    NOW_MS,
    POLICY,
    offer,
    offer_end,
    said,
    task,
    task_end,
    text,
    welcome,
)

CARD = Card(tok="kd_x", inst="run-1", datum=Datum.GCJ02)
ID = "019ab000-0000-7000-8000-000000000001"
PURE = ("session", "hand", "heard", "news", "cadence", "unanswered", "reconnect", "behaviour")


def after_welcome(memory: Memory | None = None, **state: Any) -> Session:
    """Return a session that the centre has welcomed, with nothing left to write."""
    session = Session(CARD, memory)
    session.opened(NOW_MS)
    session.hear(text(welcome(**state)), NOW_MS)
    session.outgoing(NOW_MS)
    return session


def reply(oid: str = "o1", id_: str = ID, r: Answer = Answer.ACCEPT) -> OfferReply:
    """Return the answer to an offer."""
    return OfferReply(id=id_, oid=oid, rev=1, at=NOW_MS, r=r)


@pytest.mark.parametrize("name", PURE)
def test_the_sessions_modules_know_no_socket_no_clock_and_no_dice(name: str) -> None:
    """What an app team copies has no I/O in it."""
    path = Path(module.__file__).with_name(f"{name}.py")
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {one.split(".")[0] for one in imported}
    assert tops & {"asyncio", "socket", "time", "random", "datetime", "os", "websockets"} == set()


# Golden sequences. -------------------------------------------------------------------------------


def test_a_call_from_hello_to_its_end() -> None:
    """The whole way, frame by frame."""
    session = Session(CARD)
    session.opened(NOW_MS)
    hello = {"t": "hello", "tok": "kd_x", "datum": "gcj02", "ts": NOW_MS, "inst": "run-1"}
    assert said(session.outgoing(NOW_MS)) == [hello]
    session.hear(text(welcome(head=4, rec=False)), NOW_MS)
    assert said(session.outgoing(NOW_MS)) == [{"t": "ack", "ack": 4}]

    news = session.hear(text(offer(seq=6)), NOW_MS)
    assert [type(one) for one in news] == [Offered]
    assert said(session.outgoing(NOW_MS)) == [{"t": "ack", "ack": 6}]

    session.send(reply(), NOW_MS)
    sent = {"t": "offer.reply", "id": ID, "oid": "o1", "rev": 1, "at": NOW_MS, "r": "accept"}
    assert said(session.outgoing(NOW_MS)) == [sent]
    assert session.hear(text(Ok(re=ID, result={"aid": "a1"})), NOW_MS) == [
        Done(ID, {"aid": "a1"}),
        OfferEnded("o1", "accepted"),
    ]
    assert [type(one) for one in session.hear(text(task(seq=7)), NOW_MS)] == [Assigned]
    assert session.hear(text(task_end(seq=8)), NOW_MS) == [TaskEnded("a1", "resolved")]
    assert said(session.outgoing(NOW_MS)) == [{"t": "ack", "ack": 8}]
    assert not session.busy


def test_hello_tells_where_we_stand_and_whether_we_are_busy() -> None:
    """Epoch and ack of the memory; `busy` lets a phone in first."""
    session = after_welcome(Memory(epoch="e1", seq=3), head=5, offers=(offer(),))
    session.closed(None, "", NOW_MS, 0.0)
    session.opened(NOW_MS + 1)
    (hello,) = said(session.outgoing(NOW_MS + 1))
    assert (hello["epoch"], hello["ack"], hello["busy"]) == ("e1", 5, True)
    assert session.memory == Memory(epoch="e1", seq=5)


def test_after_a_welcome_the_state_is_the_truth() -> None:
    """What vanished is told as unknown to the centre; what is new rings; what stayed is silent."""
    session = after_welcome(offers=(offer("old"), offer("kept")), tasks=(task("gone"),))
    session.closed(None, "", NOW_MS, 0.0)
    session.opened(NOW_MS)
    news = session.hear(text(welcome(head=9, offers=(offer("kept"), offer("new")))), NOW_MS)
    assert news[1:] == [
        OfferEnded("old", "unknown"),
        Offered(session.hand.offers["new"]),
        TaskEnded("gone", "unknown"),
    ]
    assert set(session.hand.offers) == {"kept", "new"}


@pytest.mark.parametrize("anew", [{"epoch": "e2"}, {"rec": False}, {"head": 2}])
def test_another_epoch_begins_the_stream_anew_at_head(anew: dict[str, Any]) -> None:
    """Also when the server cannot recover, or has lost rows that we hold."""
    session = after_welcome(Memory(epoch="e1", seq=50), head=50)
    session.hear(text(offer(seq=51)), NOW_MS)
    session.hear(text(offer_end(seq=52)), NOW_MS)
    session.closed(None, "", NOW_MS, 0.0)
    session.opened(NOW_MS)
    session.hear(text(welcome(**{"head": 2, **anew})), NOW_MS)
    assert session.seq == 2
    assert [type(one) for one in session.hear(text(offer(seq=3)), NOW_MS)] == [Offered]


def test_frames_before_the_welcome_are_nothing() -> None:
    """Their seq is not acked: the state will tell."""
    session = Session(CARD)
    session.opened(NOW_MS)
    session.outgoing(NOW_MS)
    assert session.hear(text(offer(seq=1)), NOW_MS) == []
    assert session.outgoing(NOW_MS) == []


def test_a_frame_that_the_welcome_has_covered_does_not_ring() -> None:
    """Offers are never replayed as events."""
    session = after_welcome(head=10)
    assert session.hear(text(offer(seq=10)), NOW_MS) == []
    assert session.hand.offers == {}


def test_a_second_welcome_is_nothing() -> None:
    """One hello, one welcome."""
    session = after_welcome(head=1)
    assert session.hear(text(welcome(head=9)), NOW_MS) == []
    assert session.seq == 1


def test_notices_that_follow_a_welcome_are_acked_one_by_one_up_to_till() -> None:
    """Only behind the last of them does the state cover the rest of the stream."""
    session = Session(CARD, Memory(epoch="e1", seq=5))
    session.opened(NOW_MS)
    plain = text(welcome(head=9)).replace(b'"head":9', b'"head":9,"till":8')
    session.hear(plain, NOW_MS)
    assert session.seq == 5
    session.hear(b'{"t":"notice","seq":6}', NOW_MS)
    assert session.seq == 6
    session.hear(b'{"t":"notice","seq":8}', NOW_MS)
    assert session.seq == 9


# Acks. -------------------------------------------------------------------------------------------


def test_unknown_messages_are_acked_within_five_seconds() -> None:
    """A newer server's message must not be sent for ever."""
    session = after_welcome()
    assert session.hear(b'{"t":"parade","seq":3}', NOW_MS) == [Skipped("parade")]
    assert session.outgoing(NOW_MS) == []
    assert session.due_ms == NOW_MS + 5_000
    session.tick(NOW_MS + 5_000)
    assert said(session.outgoing(NOW_MS + 5_000)) == [{"t": "ack", "ack": 3}]


def test_eight_messages_are_acked_at_once() -> None:
    """And only the last of them."""
    session = after_welcome()
    for seq in range(1, ACK_EVERY + 1):
        assert session.outgoing(NOW_MS) == []
        session.hear(f'{{"t":"parade","seq":{seq}}}', NOW_MS)
    assert said(session.outgoing(NOW_MS)) == [{"t": "ack", "ack": ACK_EVERY}]


def test_a_position_carries_the_ack_that_is_owed() -> None:
    """One frame less."""
    session = after_welcome()
    session.hear(b'{"t":"parade","seq":3}', NOW_MS)
    session.locate(FixRow(NOW_MS, 113.3, 23.1, 8.0), NOW_MS)
    (loc,) = said(session.outgoing(NOW_MS))
    assert loc == {
        "t": "loc",
        "ack": 3,
        "d": "gcj02",
        "ts": NOW_MS,
        "f": [[NOW_MS, 113.3, 23.1, 8.0, None, None, None]],
    }
    assert session.due_ms == NOW_MS + 30_000


# Heartbeat. --------------------------------------------------------------------------------------


def test_a_silent_line_is_pinged_and_then_hung_up() -> None:
    """After hb without a word; then hb + 5 s more."""
    session = after_welcome()
    session.tick(NOW_MS + 29_999)
    assert session.outgoing(NOW_MS + 29_999) == []
    session.tick(NOW_MS + 30_000)
    (ping,) = said(session.outgoing(NOW_MS + 30_000))
    assert ping == {"t": "ping", "ts": NOW_MS + 30_000}
    session.tick(NOW_MS + 64_999)
    assert not session.hung
    session.tick(NOW_MS + 65_000)
    assert session.hung


def test_a_pong_keeps_the_line() -> None:
    """So does any other word of the server."""
    session = after_welcome()
    session.tick(NOW_MS + 30_000)
    session.outgoing(NOW_MS + 30_000)
    session.hear(text(Pong(now=NOW_MS)), NOW_MS + 40_000)
    session.tick(NOW_MS + 65_000)
    assert not session.hung
    assert session.due_ms == NOW_MS + 70_000


def test_an_engaged_phone_lives_by_five_seconds() -> None:
    """The policy's hb of its situation."""
    session = after_welcome(tasks=(task(),))
    assert session.situation is Situation.ENGAGED
    assert session.due_ms == NOW_MS + 5_000


def test_positions_do_not_hide_a_line_that_is_dead_one_way() -> None:
    """One asks for a pong when nothing was heard for hb; unanswered, the line is hung up."""
    session = after_welcome(tasks=(task(),))
    asked = []
    for second in range(0, 16, 3):
        now_ms = NOW_MS + second * 1000
        session.tick(now_ms)
        session.locate(FixRow(now_ms, 113.3, 23.1, 8.0), now_ms)
        asked += [frame.get("p") for frame in said(session.outgoing(now_ms))]
    assert asked == [None, None, 1, None, None, None]
    session.tick(NOW_MS + 16_000)
    assert session.hung


def test_no_welcome_is_not_waited_for_for_ever() -> None:
    """Fifteen seconds, then another try."""
    session = Session(CARD)
    session.opened(NOW_MS)
    session.outgoing(NOW_MS)
    session.tick(session.due_ms)
    assert session.hung
    assert session.due_ms == NOW_MS + 15_000


def test_without_a_line_nothing_is_due_and_nothing_located() -> None:
    """Positions of a phone without a line are dropped."""
    session = Session(CARD)
    session.locate(FixRow(NOW_MS, 113.3, 23.1, 8.0), NOW_MS)
    session.tick(NOW_MS)
    assert session.outgoing(NOW_MS) == []
    assert session.due_ms == float("inf")


SITUATIONS = [
    ({}, False, Situation.AVAILABLE),
    ({}, True, Situation.FIXED),
    ({"duty": Duty.OFF}, True, Situation.OFF),
    ({"duty": Duty.PAUSED}, True, Situation.PAUSED),
    ({"offers": (offer(),)}, True, Situation.OFFERED),
    ({"tasks": (task(),), "offers": (offer(),)}, False, Situation.ENGAGED),
    ({"tasks": (task(s=AssignmentState.ARRIVED),)}, False, Situation.ON_SCENE),
]


@pytest.mark.parametrize(("state", "at_post", "situation"), SITUATIONS)
def test_the_situation_follows_from_what_is_in_hand(
    state: dict[str, Any], at_post: bool, situation: Situation
) -> None:
    """It picks the policy's cadence."""
    session = after_welcome(**state)
    session.at_post = at_post
    assert session.situation is situation
    assert session.cadence.hb in {5, 30}


def test_a_new_policy_takes_the_place_of_the_old_one() -> None:
    """At once, in the middle of a connection."""
    session = after_welcome()
    session.hear(text(POLICY).replace(b'"every_s":60', b'"every_s":7'), NOW_MS)
    assert session.cadence.every_s == 7


# Commands. ---------------------------------------------------------------------------------------


def test_a_command_is_sent_again_with_the_same_bytes_until_it_is_answered() -> None:
    """Over connections, not over time."""
    session = after_welcome(offers=(offer(),))
    session.send(reply(), NOW_MS)
    first = session.outgoing(NOW_MS)
    session.closed(None, "", NOW_MS + 1, 0.0)
    session.opened(NOW_MS + 2)
    session.outgoing(NOW_MS + 2)
    session.hear(text(welcome(offers=(offer(),))), NOW_MS + 3)
    assert session.outgoing(NOW_MS + 3) == first
    session.hear(text(Ok(re=ID)), NOW_MS + 4)
    assert session.hear(text(Ok(re=ID)), NOW_MS + 4) == []


def test_a_command_without_a_line_waits_for_the_welcome() -> None:
    """It is given once, and goes out once."""
    session = Session(CARD)
    session.send(OfferSeen(id=ID, oid="o1"), NOW_MS)
    session.opened(NOW_MS)
    assert len(session.outgoing(NOW_MS)) == 1
    session.hear(text(welcome()), NOW_MS)
    assert said(session.outgoing(NOW_MS))[0]["t"] == "offer.seen"


def test_an_old_answer_is_not_sent_again_but_asked_again() -> None:
    """Older than 60 s at the welcome: the person decides anew."""
    session = after_welcome(offers=(offer(),))
    session.send(reply(), NOW_MS)
    session.closed(None, "", NOW_MS, 0.0)
    session.opened(NOW_MS + 60_001)
    session.outgoing(NOW_MS)
    news = session.hear(text(welcome(offers=(offer(),))), NOW_MS + 60_001)
    assert news[-1] == AskAgain("o1")
    assert session.outgoing(NOW_MS + 60_001) == []


def test_a_temporary_refusal_is_tried_again_when_it_says() -> None:
    """The same id, after retry_ms."""
    session = after_welcome(offers=(offer(),))
    session.send(reply(), NOW_MS)
    first = session.outgoing(NOW_MS)
    refusal = Err(code=ErrorCode.RATE_LIMITED, msg="slow", re=ID, retry_ms=2_000)
    assert session.hear(text(refusal), NOW_MS) == []
    assert session.due_ms == NOW_MS + 2_000
    session.tick(NOW_MS + 2_000)
    assert session.outgoing(NOW_MS + 2_000) == first


@pytest.mark.parametrize("code", ["taken", "expired", "withdrawn", "cancelled", "stale"])
def test_a_refused_answer_puts_the_offer_away(code: str) -> None:
    """Nothing was changed, and nothing will be by asking on."""
    session = after_welcome(offers=(offer(),))
    session.send(reply(), NOW_MS)
    news = session.hear(text(Err(code=ErrorCode(code), msg="", re=ID)), NOW_MS)
    assert news == [Refused(ID, code), OfferEnded("o1", code)]


def test_an_error_about_no_command_is_no_news() -> None:
    """A bad frame is not a refused command."""
    session = after_welcome()
    assert session.hear(text(Err(code=ErrorCode.BAD_FRAME, msg="")), NOW_MS) == []


def test_the_wait_grows_until_a_connection_has_lasted_a_minute() -> None:
    """The exponent is reset after 60 s of welcome."""
    session = Session(CARD)
    assert [session.closed(None, "", NOW_MS, 0.5) for _ in range(4)] == [0.5, 1, 2, 4]
    session.opened(NOW_MS)
    session.hear(text(welcome(spread=8.0)), NOW_MS)
    assert session.closed(4106, "", NOW_MS + 60_000, 0.5) == 0.5
    session.opened(NOW_MS)
    session.hear(text(welcome(spread=8.0)), NOW_MS)
    assert session.closed(None, "", NOW_MS + 60_000, 0.5) == 4.0


# A hostile network. ------------------------------------------------------------------------------


class Hostile(RuleBasedStateMachine):
    """A centre that follows the protocol, a network that loses, doubles and reorders frames."""

    @initialize()
    def begin(self) -> None:
        """Start with nothing."""
        self.session = Session(CARD)
        self.open: dict[str, OfferFrame] = {}
        self.head, self.epoch, self.oids = 0, 1, 0
        self.flight: list[bytes] = []
        self.past: list[bytes] = []
        self.processed = 0
        self.rung: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.epochs: list[tuple[int, str]] = []
        self.online = False

    def take(self, frame: bytes, seq: int) -> None:
        """Let the phone have a frame, and check what it says to it."""
        for one in self.session.hear(frame, NOW_MS):
            if isinstance(one, Offered):
                self.rung[one.offer.oid] = self.rung.get(one.offer.oid, 0) + 1
                self.epochs.append((self.epoch, one.offer.oid))
            if isinstance(one, OfferEnded):
                self.ended[one.oid] = self.ended.get(one.oid, 0) + 1
        self.processed = max(self.processed, seq)
        for sent in said(self.session.outgoing(NOW_MS)):
            assert sent.get("ack", 0) <= self.processed

    @rule()
    def connect(self) -> None:
        """A new socket: what was in flight on the old one is lost."""
        if self.online:
            self.session.closed(None, "", NOW_MS, 0.0)
        self.session.opened(NOW_MS)
        (hello,) = said(self.session.outgoing(NOW_MS))
        same = hello.get("epoch") == f"e{self.epoch}"
        if same:
            assert hello["ack"] <= self.processed
        self.flight.clear()
        self.past.clear()
        self.online = True
        self.processed = self.head if not same else max(self.processed, self.head)
        state = tuple(self.open.values())
        frame = welcome(epoch=f"e{self.epoch}", rec=same, head=self.head, offers=state)
        self.take(text(frame), self.head)
        assert set(self.session.hand.offers) == set(self.open)

    @rule()
    def ask(self) -> None:
        """The centre commits an offer, and writes it when the phone is there."""
        self.head, self.oids = self.head + 1, self.oids + 1
        made = offer(f"o{self.oids}", seq=self.head)
        self.open[made.oid] = made
        self.write(made)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """The centre ends one."""
        oid = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[oid]
        self.head += 1
        self.write(offer_end(oid, seq=self.head))

    def write(self, frame: Any) -> None:
        """Put a frame on the line, if there is one."""
        if self.online:
            self.flight.append(text(frame))

    @precondition(lambda self: self.flight)
    @rule(data=st.data(), lost=st.booleans())
    def arrive(self, data: st.DataObject, lost: bool) -> None:
        """Any frame in flight arrives, or never does."""
        at = data.draw(st.integers(0, len(self.flight) - 1))
        frame = self.flight.pop(at)
        if not lost:
            self.past.append(frame)
            self.take(frame, said([frame])[0]["seq"])

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def arrive_again(self, data: st.DataObject) -> None:
        """A frame that came comes once more: it is no news."""
        frame = data.draw(st.sampled_from(self.past))
        before = (dict(self.rung), dict(self.ended))
        self.take(frame, 0)
        assert (self.rung, self.ended) == before

    @rule()
    def restore(self) -> None:
        """The database comes back from a backup: another epoch, an older head."""
        if self.online:
            self.session.closed(4202, "", NOW_MS, 0.0)
        self.online = False
        self.epoch, self.head = self.epoch + 1, self.head // 2
        self.flight.clear()
        self.past.clear()
        self.processed = 0

    @invariant()
    def nothing_rings_twice(self) -> None:
        """An offer is applied once in an epoch; it is held until it is put away."""
        assert len(set(self.epochs)) == len(self.epochs)
        for oid, times in self.rung.items():
            held = oid in self.session.hand.offers
            assert times == self.ended.get(oid, 0) + held

    def teardown(self) -> None:
        """One quiet connection later the phone holds exactly what is open."""
        self.connect()


TestHostile = Hostile.TestCase
TestHostile.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_a_stream_that_begins_anew_waits_for_its_notices_too() -> None:
    """Else the first ack would say that they were processed."""
    session = Session(CARD, Memory(epoch="old", seq=5))
    session.opened(NOW_MS)
    session.outgoing(NOW_MS)
    session.hear(text(welcome(head=9)).replace(b'"head":9', b'"head":9,"till":8'), NOW_MS)
    assert session.seq == 0
    session.hear(b'{"t":"notice","seq":8,"nid":"n","rev":1,"text":"x"}', NOW_MS)
    assert session.seq == 9


# Consent. ----------------------------------------------------------------------------------------

ROW = FixRow(NOW_MS, 113.3, 23.1, 8.0)


def test_without_consent_no_position_goes_out() -> None:
    """The welcome says so; the person is asked, and the answer counts from its ok on."""
    session = after_welcome(consent=False)
    session.locate(ROW, NOW_MS)
    assert (session.consented, session.outgoing(NOW_MS)) == (False, [])
    session.send(Consent(id=ID, yes=True, policy="2026-11"), NOW_MS)
    session.outgoing(NOW_MS)
    session.hear(text(Ok(re=ID, result={"consent": True})), NOW_MS)
    session.locate(ROW, NOW_MS)
    assert len(session.outgoing(NOW_MS)) == 1


def test_a_centre_that_asks_for_consent_is_told_no_more_positions() -> None:
    """It was taken back at the registrar's; the next welcome may say otherwise."""
    session = after_welcome()
    assert session.consented
    session.hear(text(Err(code=ErrorCode.CONSENT_REQUIRED, msg="not agreed")), NOW_MS)
    session.locate(ROW, NOW_MS)
    assert session.outgoing(NOW_MS) == []
    session.opened(NOW_MS)
    session.hear(text(welcome()), NOW_MS)
    assert session.consented
