"""The client's side of `kapok.v1.json`, without a socket, a clock or dice: what an app team copies.

The shell tells what happened (`opened`, `hear`, `tick`, `closed`) and when, in milliseconds since
the epoch by a clock that never goes back; it writes what `outgoing` gives, calls `tick` at
`due_ms`, hangs up when `hung` is true, dials again when `closed` says so (or `woken`, when the
person opens the app or the network changes), and calls `locate` at once when `asked_where` is true.
The rules:

- After a welcome its state is the truth. Another epoch, or `rec` false: the stream begins anew at
  `head`.
- A frame is news when its object is newly known or its `rev` is newer; seq decides about acks.
- An ack never exceeds what was processed, and stays within its epoch. An app whose state shall
  survive a kill stores `memory` and what it has in hand before it writes `outgoing`.
- A command keeps its id and its bytes until it is answered, over any number of connections; when
  the epoch changes, those without an answer are void.
- An answer to an offer is not sent again after a minute: the person is asked whether it stands.
- A token that is fetched is in `memory` before its `TokenFetched`, and goes into the next hello.
- Without its person's consent (`consented` is false: ask, send `Consent`) no position goes out.
- An app in the background says so on every connection, with the heartbeat that it can keep.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from dispatch.phone import heard
from dispatch.phone.cadence import (
    DEFAULTS,
    FREE,
    HB_MIN_S,
    URGENT,
    Situation,
    cadence,
    faster,
    shared,
    told,
)
from dispatch.phone.hand import Hand
from dispatch.phone.news import Done, News, Refused, Skipped, TokenFetched, Welcomed
from dispatch.phone.reconnect import STABLE_MS, Loss, wait_s, wake_s
from dispatch.phone.unanswered import NEVER, Unanswered
from geo.datum import Datum
from schemas.wire import (
    Ack,
    Activity,
    Answer,
    App,
    Cadence,
    ErrorCode,
    FixRow,
    Hello,
    Loc,
    Mode,
    Ping,
    PushAddress,
    UnitCommand,
)

ACK_WITHIN_MS: Final = 5_000.0
ACK_EVERY: Final = 8
PONG_GRACE_MS: Final = 5_000.0
WELCOME_WITHIN_MS: Final = 15_000.0
FETCH_BEFORE_MS: Final = 14 * 86_400_000.0
"""A new token is fetched so long before the old one ends."""

AT_ONCE: Final = (heard.Offer, heard.OfferEnd, heard.Task, heard.TaskEnd)
"""Acked at once; the rest within ACK_WITHIN_MS or ACK_EVERY."""

GONE: Final = frozenset(
    {
        ErrorCode.TAKEN,
        ErrorCode.EXPIRED,
        ErrorCode.WITHDRAWN,
        ErrorCode.CANCELLED,
        ErrorCode.STALE,
        ErrorCode.NOT_FOUND,
        ErrorCode.FORBIDDEN,
    }
)
"""Errors after which an offer need not be shown any more."""

_ANSWERED: Final = {Answer.ACCEPT: "accepted", Answer.DECLINE: "declined"}
_encode: Final = msgspec.json.Encoder().encode


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Whose phone this is; `inst` is drawn at every start of the app."""

    tok: str
    inst: str
    datum: Datum = Datum.WGS84
    app: App | None = None
    push: PushAddress | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What survives a kill of the app: its place in which stream, and the token it fetched last."""

    epoch: str | None = None
    seq: int = 0
    tok: str | None = None


class Session:
    """One phone's side of the protocol, over all its connections."""

    __slots__ = (
        "_ack_due_ms",
        "_activity",
        "_attempt",
        "_card",
        "_ends_ms",
        "_fetched",
        "_head",
        "_heard_ms",
        "_hello_ms",
        "_out",
        "_own_hb",
        "_ping_ms",
        "_policy",
        "_sent_ms",
        "_spread_s",
        "_till",
        "_told",
        "_unacked",
        "_unanswered",
        "_welcome_ms",
        "asked_where",
        "at_post",
        "consented",
        "duty",
        "epoch",
        "hand",
        "hung",
        "seq",
    )

    def __init__(self, card: Card, memory: Memory | None = None) -> None:
        memory = memory or Memory()
        self._card, self._fetched = card, memory.tok
        self.epoch, self.seq = memory.epoch, memory.seq
        self.duty: str = "off"
        self.consented = True
        self.hand = Hand()
        self.at_post = False
        self._activity, self._own_hb = Activity.FOREGROUND, 0
        self._told: Situation | None = None
        self._ends_ms = NEVER
        self._unanswered = Unanswered()
        self._policy: Mapping[str, Cadence] = DEFAULTS
        self._attempt, self._spread_s = 0, 0.0
        self._begin(None)

    def _begin(self, hello_ms: float | None) -> None:
        """Forget everything that belongs to one connection."""
        self._hello_ms = hello_ms
        self._welcome_ms: float | None = None
        self._heard_ms = self._sent_ms = hello_ms or 0.0
        self._ping_ms: float | None = None
        self._ack_due_ms: float = NEVER
        self._head = self._till = self._unacked = 0
        self._out: list[bytes] = []
        self.asked_where = False
        self.hung = False

    # What can be asked. --------------------------------------------------------------------------

    @property
    def memory(self) -> Memory:
        """Return where this phone stands."""
        return Memory(epoch=self.epoch, seq=self.seq, tok=self._fetched)

    @property
    def background(self) -> bool:
        """Tell whether the system lets this app do little."""
        return self._activity is not Activity.FOREGROUND

    def wants_token(self, now_ms: float) -> bool:
        """Tell whether it is time to send `Refresh`."""
        due = self.welcomed and now_ms >= self._ends_ms - FETCH_BEFORE_MS
        return due and not self._unanswered.fetches

    @property
    def welcomed(self) -> bool:
        """Tell whether the centre knows us on this connection."""
        return self._welcome_ms is not None

    @property
    def asked_ms(self) -> float | None:
        """Return when the question was put that the next frame answers: hello or ping."""
        return self._ping_ms if self.welcomed else self._hello_ms

    @property
    def busy(self) -> bool:
        """Tell whether there is anything in hand."""
        return bool(self.hand.offers or self.hand.tasks)

    @property
    def has_room(self) -> bool:
        """Tell whether one more command may wait for its answer."""
        return self._unanswered.has_room

    @property
    def situation(self) -> Situation:
        """Return what this phone is in the middle of."""
        if self.hand.tasks:
            return Situation.ON_SCENE if self.hand.on_scene else Situation.ENGAGED
        if self.hand.offers:
            return Situation.OFFERED
        if self.duty == "on":
            return Situation.FIXED if self.at_post else Situation.AVAILABLE
        return Situation.PAUSED if self.duty == "paused" else Situation.OFF

    @property
    def cadence(self) -> Cadence:
        """Return how often to report and to live; the centre may know of more than we do yet."""
        own = cadence(self._policy, self.situation)
        if self._told is Situation.RING and self.situation in FREE:
            return cadence(self._policy, self._told)
        if self._told not in URGENT:
            return own
        return faster(own, cadence(self._policy, self._told))

    @property
    def due_ms(self) -> float:
        """Return when `tick` is wanted; ask again whenever something was heard or sent."""
        if self._hello_ms is None:
            return NEVER
        if not self.welcomed:
            return self._hello_ms + WELCOME_WITHIN_MS
        return min(self._ack_due_ms, self._alive_until_ms, self._unanswered.due_ms)

    @property
    def _alive_until_ms(self) -> float:
        if self._ping_ms is not None:
            return self._ping_ms + self._hb_ms + PONG_GRACE_MS
        return max(self._heard_ms, self._sent_ms) + self._hb_ms

    @property
    def _hb_ms(self) -> float:
        return max(self.cadence.hb, self._own_hb, HB_MIN_S) * 1000.0

    # What happens. -------------------------------------------------------------------------------

    def opened(self, now_ms: float) -> None:
        """Say hello: the socket is open, and nothing may go before."""
        self._begin(now_ms)
        hello = Hello(
            tok=self._fetched or self._card.tok,
            datum=self._card.datum,
            ts=now_ms,
            inst=self._card.inst,
            app=self._card.app,
            epoch=self.epoch,
            ack=self.seq if self.epoch else None,
            busy=self.busy,
            push=self._card.push,
        )
        self._out.append(_encode(hello))

    def hear(self, frame: bytes | str, now_ms: float) -> list[News]:
        """Take one frame of the server; return what is new by it, in order. No bytes raise."""
        return self.take(heard.read(frame), now_ms)

    def take(self, message: heard.ServerFrame | heard.Unknown, now_ms: float) -> list[News]:
        """Do as `hear` does with a frame that is read already."""
        self._heard_ms, self._ping_ms = now_ms, None
        if not self.welcomed and not isinstance(message, heard.Welcome):
            return []
        news = list(self._news(message, now_ms))
        if isinstance(message, heard.HeardReliable | heard.Unknown) and message.seq is not None:
            self._processed(message.seq, now_ms, at_once=isinstance(message, AT_ONCE))
        return news

    def tick(self, now_ms: float) -> list[News]:
        """Do what is due: heartbeat, second tries. `hung` is set when the line is dead.

        Return which answers the person has to be asked about.
        """
        if now_ms < self.due_ms:
            return []
        if not self.welcomed:
            self.hung = True
            return []
        again, questions = self._unanswered.again(now_ms)
        self._out += again
        if now_ms >= self._alive_until_ms:
            self._ping_or_hang(now_ms)
        return questions

    def closed(self, code: int | None, reason: str, now_ms: float, dice: float) -> float | None:
        """Take the loss of a connection, or of the try for one (no code).

        Return the seconds until the next try, None for never. `dice` is in [0, 1).
        """
        if self._welcome_ms is not None and now_ms - self._welcome_ms >= STABLE_MS:
            self._attempt = 0
        loss = Loss(
            code=code,
            reason=reason,
            attempt=self._attempt,
            welcomed=self.welcomed,
            busy=self.busy,
            background=self.background,
            spread_s=self._spread_s,
        )
        self._attempt += 1
        self._begin(None)
        return wait_s(loss, dice)

    def woken(self, dice: float) -> float:
        """Return the seconds until the next try when the app comes to the front without a line.

        So it is too when the network is another; the back-off begins anew.
        """
        self._attempt = 0
        return wake_s(dice)

    # What the app wants said. --------------------------------------------------------------------

    def send(self, command: UnitCommand, now_ms: float) -> None:
        """Send a command, now or after the next welcome, until it is answered.

        Raises `TooManyPending`; `has_room` tells before.
        """
        frame = self._unanswered.add(command, now_ms)
        if self.welcomed:
            self._out.append(frame)

    def be(self, activity: Activity, hb: int | None = None) -> None:
        """Note what the system lets this app do, and the heartbeat in seconds that it can keep."""
        self._activity, self._own_hb = activity, hb or 0
        if self.welcomed:
            self._out.append(_encode(Mode(m=activity, hb=hb)))

    def locate(self, row: FixRow, now_ms: float) -> None:
        """Report a position in the card's datum; dropped while the centre is not reached.

        Dropped, too, while its person has not agreed to be located.

        It asks for a pong when nothing was heard for a heartbeat: a line may be dead one way only.
        """
        if not self.welcomed:
            return
        self.asked_where = False
        if not self.consented:
            return
        asks = self._ping_ms is None and now_ms - self._heard_ms >= self._hb_ms
        self._ping_ms = now_ms if asks else self._ping_ms
        loc = Loc(
            d=self._card.datum,
            ts=now_ms,
            f=[msgspec.Raw(_encode(row))],
            p=1 if asks else None,
            ack=self._owed_ack(),
        )
        self._out.append(_encode(loc))

    def outgoing(self, now_ms: float) -> list[bytes]:
        """Return the frames to write now, in order; each is handed out once."""
        if self._ack_due_ms <= now_ms:
            self._out.append(_encode(Ack(ack=self._owed_ack())))
        if not self._out:
            return []
        self._sent_ms = now_ms
        out, self._out = self._out, []
        return out

    # Acks and the heartbeat. ---------------------------------------------------------------------

    def _processed(self, seq: int, now_ms: float, *, at_once: bool) -> None:
        self.seq = max(self.seq, seq)
        if self._till and self.seq >= self._till:
            self.seq, self._till = max(self.seq, self._head), 0
        self._unacked += 1
        soon_ms = 0.0 if at_once or self._unacked >= ACK_EVERY else ACK_WITHIN_MS
        self._ack_due_ms = min(self._ack_due_ms, now_ms + soon_ms)

    def _owed_ack(self) -> int | None:
        """Return the ack for the frame being written; None when none is owed."""
        owed = self._ack_due_ms < NEVER
        self._unacked, self._ack_due_ms = 0, NEVER
        return self.seq if owed else None

    def _ping_or_hang(self, now_ms: float) -> None:
        if self._ping_ms is not None:
            self.hung = True
            return
        self._ping_ms = now_ms
        self._out.append(_encode(Ping(ts=now_ms, ack=self._owed_ack())))

    # What the server's frames mean. --------------------------------------------------------------

    def _news(self, message: heard.ServerFrame | heard.Unknown, now_ms: float) -> Iterator[News]:
        match message:
            case heard.HeardReliable():
                return self.hand.take(message)
            case heard.Pong():
                return iter(())
            case heard.Ok():
                return self._ok(message)
            case heard.Err():
                return self._err(message, now_ms)
            case heard.Welcome():
                return self._welcome(message, now_ms)
            case heard.Policy():
                self._follow(message)
                return iter(())
            case heard.Locate():
                self.asked_where = True
                return iter(())
            case heard.Unknown():
                return iter((Skipped(message.t or ""),))

    def _welcome(self, message: heard.Welcome, now_ms: float) -> Iterator[News]:
        if self.welcomed:
            return
        self._welcome_ms = now_ms
        self._spread_s = message.spread or 0.0
        self.duty = message.state.duty or "off"
        self.consented = message.state.consent is not False
        self._ends_ms = message.exp or NEVER
        self._told = None
        if message.state.policy:
            self._follow(message.state.policy)
        void = self._unanswered.void() if self.epoch not in (None, message.epoch) else []
        anew = message.epoch != self.epoch or not message.rec or message.head < self.seq
        self._place(message, now_ms, anew=anew)
        if self.background:
            self._out.append(_encode(Mode(m=self._activity, hb=self._own_hb or None)))
        again, questions = self._unanswered.after_welcome(now_ms)
        self._out += again
        yield Welcomed(message)
        yield from self.hand.welcome(message, anew=anew)
        yield from void
        yield from questions

    def _follow(self, policy: heard.Policy) -> None:
        self._policy, self._told = shared(policy.state), told(policy.s)

    def _place(self, message: heard.Welcome, now_ms: float, *, anew: bool) -> None:
        """Find our place: the state covers the stream to `head`, but for notices up to `till`."""
        before = None if anew else self.seq
        self.epoch, self._head = message.epoch, message.head
        if message.till is not None and (anew or message.till > self.seq):
            self.seq, self._till = 0 if anew else self.seq, message.till
        else:
            self.seq = message.head
        if self.seq != before:
            self._ack_due_ms = now_ms

    def _ok(self, message: heard.Ok) -> Iterator[News]:
        pending = self._unanswered.ok(message)
        if pending is None:
            return
        result = message.result or {}
        if isinstance(result.get("consent"), bool):
            self.consented = result["consent"]
        tok = result.get("tok") if pending.fetches else None
        if isinstance(tok, str):
            self._fetched, self._ends_ms = tok, NEVER
            yield TokenFetched(tok)
        yield Done(pending.id, result)
        if pending.oid is not None and pending.answer is not None:
            yield from self.hand.drop_offer(pending.oid, _ANSWERED[pending.answer])

    def _err(self, message: heard.Err, now_ms: float) -> Iterator[News]:
        if message.code == ErrorCode.CONSENT_REQUIRED:
            self.consented = False
        pending = self._unanswered.err(message, now_ms)
        if pending is None:
            return
        yield Refused(pending.id, message.code)
        if pending.oid is not None and message.code in GONE:
            yield from self.hand.drop_offer(pending.oid, message.code)
