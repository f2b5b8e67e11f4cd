"""One phone's conversation, without its socket: frames and `now` in, actions out.

Everything that decides what a frame is answered with lives here.

- The first frame is `hello`, within `HELLO_WITHIN_S` (else 4100), once: a second one is answered
  `invalid` at `t`.
- Anything else before the welcome is answered `not_ready`.
- A frame that is no text closes by 4000. A frame that is no message gets its error; `ERRORS_MAX` of
  them within `ERRORS_WITHIN_S` close by 4107. Bad rows inside a loc do not count.
- Frames above the rate are answered `rate_limited`, commands above `IN_FLIGHT_MAX` `overloaded`; a
  phone that goes on is closed by 4103. Locs have a bucket of their own: they cost no command its
  turn.
- The acknowledgement of a frame is taken even when the frame is not. It never goes back.
- A phone silent for 2.4 heartbeats is shown stale, for 2.5 and at least 30 s closed by 4104. How
  long a heartbeat is goes by its situation, unless its app can only keep a longer one (`mode`).
- A token that ends while the socket is open closes it by 4101.
- An app below the oldest version let in is closed by 4005, before its token is read.

`now` is in seconds and never goes back; where it begins does not matter.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from math import inf
from typing import Any, ClassVar, Final, NamedTuple, get_args

from dispatch.core.errors import Refusal
from dispatch.gateway import frames
from dispatch.gateway.app_version import Oldest, too_old
from dispatch.gateway.limits import (
    ERRORS_MAX,
    ERRORS_WITHIN_S,
    FLOOD_MAX,
    HEARTBEAT_S,
    IN_FLIGHT_MAX,
    LOC_BURST,
    LOC_PER_S,
    NOT_READY_MS,
    OVERLOADED_MS,
    QUIET_AFTER_HB,
    RATE_BURST,
    RATE_PER_S,
    RETRY_AFTER_S,
    SILENT_AFTER_HB,
    SILENT_AFTER_MIN_S,
    Bucket,
    Window,
    spread_s,
)
from dispatch.ports import Identity
from geo.datum import Datum
from schemas import wire
from schemas.base import ms
from schemas.wire import HELLO_WITHIN_S, ClientFrame, Err, ErrorCode, Hello, Loc, Ok


class Send(NamedTuple):
    """Answer with this frame."""

    frame: wire.ServerFrame


class Identify(NamedTuple):
    """Look up whose token this is, then `welcome` or close."""

    hello: Hello


class Do(NamedTuple):
    """Carry out the command, in order, then tell `answered`."""

    command: wire.UnitCommand


class Store(NamedTuple):
    """Take the fixes, then tell `stored` or `refused`."""

    loc: Loc


class Acked(NamedTuple):
    """The phone holds everything up to `seq`."""

    seq: int


class Quiet(NamedTuple):
    """The phone was not heard in time, or is heard again."""

    quiet: bool


class Moded(NamedTuple):
    """The app says what it can do now."""

    mode: wire.Mode


class Part(NamedTuple):
    """Write what waits, then close; the last action of a session."""

    code: wire.Close
    retry_after_s: float


Action = Send | Identify | Do | Store | Acked | Quiet | Moded | Part
Actions = tuple[Action, ...]
NO_APPS: Final[Oldest] = {}


class Phase(IntEnum):
    """How far a session has come."""

    FRESH = 0
    CHECKING = 1
    WELCOME = 2
    OVER = 3


def parting(code: wire.Close, retry_after_s: float | None = None) -> Part:
    """Return the close of a code, with its usual time to wait unless another is given."""
    usual = RETRY_AFTER_S.get(code, 0)
    return Part(code, usual if retry_after_s is None else retry_after_s)


def welcome(
    identity: Identity,
    *,
    datum: Datum,
    epoch: str,
    recovered: bool,
    head: int,
    state: wire.PhoneState,
    online: int,
    till: int | None = None,
) -> wire.Welcome:
    """Return a phone's welcome; `state` is complete and in WGS-84, notices follow to `till`."""
    return wire.Welcome(
        epoch=epoch,
        rec=recovered,
        head=head,
        unit=identity.unit_id,
        member=identity.member_id,
        juris=identity.juris,
        state=frames.state_turned(state, datum),
        now=0.0,
        spread=spread_s(online),
        # Said in full: a field that is its default's own object is left out.
        lim=wire.Limits(),
        exp=None if identity.expires_at is None else ms(identity.expires_at),
        till=till,
    )


class Session:
    """The state of one conversation."""

    __slots__ = (
        "_errors",
        "_flood",
        "_in_flight",
        "_locs",
        "_oldest",
        "_opened_at",
        "_own_hb_s",
        "_rate",
        "_token_ends_at",
        "_usual_hb_s",
        "acked",
        "heard_at",
        "phase",
        "quiet",
    )

    def __init__(self, now: float, oldest: Oldest = NO_APPS) -> None:
        self.phase = Phase.FRESH
        self.heard_at = self._opened_at = now
        self.acked = 0
        self.quiet = False
        self._oldest = oldest
        self._usual_hb_s, self._own_hb_s = HEARTBEAT_S, 0.0
        self._token_ends_at = inf
        self._in_flight = 0
        self._errors = Window(ERRORS_MAX, ERRORS_WITHIN_S)
        self._flood = Bucket(FLOOD_MAX, FLOOD_MAX / ERRORS_WITHIN_S, now)
        self._rate = Bucket(RATE_BURST, RATE_PER_S, now)
        self._locs = Bucket(LOC_BURST, LOC_PER_S, now)

    # What the phone says. ------------------------------------------------------------------------

    def receive(self, frame: str | bytes, now: float) -> Actions:
        """Take a frame: str as text, bytes as any other kind."""
        if self.phase is Phase.OVER:
            return ()
        self.heard_at = now
        if self.quiet:
            self.quiet = False
            return (Quiet(quiet=False), *self._heard(frame, now))
        return self._heard(frame, now)

    def _heard(self, frame: str | bytes, now: float) -> Actions:
        if isinstance(frame, bytes):
            return (self.part(wire.Close.PROTOCOL),)
        message = frames.read(frame)
        if isinstance(message, Err):
            return self._wrong(message, now)
        if self.phase is not Phase.WELCOME and not isinstance(message, Hello):
            return self._turned_away(message, ErrorCode.NOT_READY, NOT_READY_MS, now)
        return self._ack(message) + self._taken(message, now)

    def _taken(self, message: wire.ClientMessage, now: float) -> Actions:
        kind = type(message)
        if kind not in _OWN_RATE and not self._rate.take(now):
            return self._turned_away(message, ErrorCode.RATE_LIMITED, self._rate.wait_ms(), now)
        return self._HANDLERS[kind](self, message, now)

    def _hello(self, hello: Hello, now: float) -> Actions:
        if self.phase is not Phase.FRESH:
            again = Err(code=ErrorCode.INVALID, msg="hello comes once", path="t")
            return self._wrong(again, now)
        if too_old(hello.app, self._oldest):
            return (self.part(wire.Close.UPGRADE_APP),)
        self.phase = Phase.CHECKING
        return (Identify(hello),)

    def _ping(self, _ping: wire.Ping, _now: float) -> Actions:
        return (Send(wire.Pong(now=0.0)),)

    def _mode(self, mode: wire.Mode, _now: float) -> Actions:
        self._own_hb_s = float(mode.hb or 0)
        return (Moded(mode),)

    def _nothing(self, _ack: wire.Ack, _now: float) -> Actions:
        return ()

    def _loc(self, loc: Loc, now: float) -> Actions:
        if not self._locs.take(now):
            return self._turned_away(loc, ErrorCode.RATE_LIMITED, self._locs.wait_ms(), now)
        return (Store(loc),)

    def _command(self, command: wire.UnitCommand, now: float) -> Actions:
        if self._in_flight >= IN_FLIGHT_MAX:
            return self._turned_away(command, ErrorCode.OVERLOADED, OVERLOADED_MS, now)
        self._in_flight += 1
        return (Do(command),)

    _HANDLERS: ClassVar[Mapping[type, Callable[["Session", Any, float], Actions]]] = {
        Hello: _hello,
        Loc: _loc,
        wire.Ping: _ping,
        wire.Ack: _nothing,
        wire.Mode: _mode,
        **dict.fromkeys(get_args(wire.UnitCommand), _command),
    }
    """How each message is taken; a new command needs no line here."""

    def _ack(self, message: ClientFrame) -> Actions:
        if self.phase is not Phase.WELCOME or message.ack is None or message.ack <= self.acked:
            return ()
        return (Acked(message.ack),)

    def _wrong(self, error: Err, now: float) -> Actions:
        if self._errors.full(now):
            return Send(error), self.part(wire.Close.TOO_MANY_ERRORS)
        return (Send(error),)

    def _turned_away(
        self, message: ClientFrame, code: ErrorCode, retry_ms: int, now: float
    ) -> Actions:
        if not self._flood.take(now):
            return (self.part(wire.Close.RATE_LIMITED),)
        again = message.id if isinstance(message, wire.Command) else None
        return (Send(Err(code=code, msg=_TURNED_AWAY[code], re=again, retry_ms=retry_ms)),)

    # What became of it. --------------------------------------------------------------------------

    def welcome(
        self,
        hello: Hello,
        identity: Identity,
        *,
        epoch: str,
        head: int,
        state: wire.PhoneState,
        online: int,
        till: int | None = None,
    ) -> Actions:
        """Return the welcome: `head` is the stream's, `state` complete and in WGS-84.

        `till` is the seq of the last notice that follows it.
        """
        self.phase = Phase.WELCOME
        self.acked = identity.acked
        self.pace(state.policy)
        recovered = hello.epoch == epoch and (hello.ack or 0) <= head
        frame = welcome(
            identity,
            datum=hello.datum,
            epoch=epoch,
            recovered=recovered,
            head=head,
            state=state,
            online=online,
            till=till,
        )
        return (Send(frame), *(self._ack(hello) if recovered else ()))

    def pace(self, policy: wire.Policy) -> None:
        """Expect the heartbeats of the situation that the phone is told it is in."""
        told = policy.state.get(policy.s or "")
        self._usual_hb_s = HEARTBEAT_S if told is None else float(told.hb)

    def token_ends(self, at: float) -> None:
        """Note when the phone's token ends; an earlier end that is known stays."""
        self._token_ends_at = min(self._token_ends_at, at)

    def acknowledged(self, seq: int) -> None:
        """Note that an acknowledgement was taken: none below it counts any more."""
        self.acked = max(self.acked, seq)

    def answered(self, reply: Ok | Err) -> Send:
        """Note that a command is done."""
        self._in_flight -= 1
        return Send(reply)

    def stored(self, loc: Loc, bad: Sequence[tuple[int, str]]) -> Actions:
        """Answer a loc that asked for it."""
        if not loc.p:
            return ()
        return (Send(wire.Pong(now=0.0, n=len(loc.f) - len(bad), bad=list(bad))),)

    def refused(self, refusal: Refusal) -> Send:
        """Answer a loc that may not be taken."""
        return Send(frames.refused(refusal))

    # How it ends. --------------------------------------------------------------------------------

    @property
    def due_at(self) -> float:
        """When to ask `expire` next, if nothing is heard until then."""
        if self.phase is Phase.FRESH:
            return self._opened_at + HELLO_WITHIN_S
        after_s = self._silent_after_s if self.quiet else self._quiet_after_s
        return min(self.heard_at + after_s, self._token_ends_at)

    @property
    def _hb_s(self) -> float:
        return max(self._usual_hb_s, self._own_hb_s)

    @property
    def _quiet_after_s(self) -> float:
        known = self.phase is Phase.WELCOME
        return QUIET_AFTER_HB * self._hb_s if known else self._silent_after_s

    @property
    def _silent_after_s(self) -> float:
        return max(SILENT_AFTER_HB * self._hb_s, SILENT_AFTER_MIN_S)

    def expire(self, now: float) -> Part | Quiet | None:
        """Return what becomes of a phone that kept silent, or whose token has ended."""
        if self.phase is Phase.OVER or now < self.due_at:
            return None
        if self.phase is Phase.FRESH:
            return self.part(wire.Close.HELLO_TIMEOUT)
        if now >= self._token_ends_at:
            return self.part(wire.Close.AUTH_EXPIRED)
        if now >= self.heard_at + self._silent_after_s:
            return self.part(wire.Close.SILENT)
        self.quiet = True
        return Quiet(quiet=True)

    def part(self, code: wire.Close, retry_after_s: float | None = None) -> Part:
        """End the session by closing the socket."""
        self.phase = Phase.OVER
        return parting(code, retry_after_s)

    def hang_up(self) -> None:
        """End the session: the socket is gone."""
        self.phase = Phase.OVER


_OWN_RATE: Final = frozenset({Hello, Loc})
"""What the common bucket does not count."""

_TURNED_AWAY: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.NOT_READY: "say hello and wait for the welcome",
    ErrorCode.RATE_LIMITED: "too many messages",
    ErrorCode.OVERLOADED: "too many commands at once",
}
