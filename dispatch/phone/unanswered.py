"""Commands without an answer: the same id and the same bytes, over any number of connections."""

import math
from typing import Final

import msgspec

from dispatch.phone import heard
from dispatch.phone.news import UNKNOWN, AskAgain, News, Refused
from schemas.wire import TEMPORARY, Answer, OfferReply, Refresh, UnitCommand

REPLY_FRESH_MS: Final = 60_000.0
RETRY_MS: Final = 1_000.0
PENDING_MAX: Final = 16  # sending all again stays inside the server's burst of 20
NEVER: Final = math.inf

_encode: Final = msgspec.json.Encoder().encode


class TooManyPending(Exception):
    """As many commands are unanswered as may be: tell the person that the centre is not reached."""


class Pending(msgspec.Struct):
    """A command without an answer; `oid` where it answers an offer, `fetches` where a token."""

    id: str
    frame: bytes
    made_ms: float
    oid: str | None = None
    answer: Answer | None = None
    fetches: bool = False
    again_ms: float = NEVER


class Unanswered:
    """The pending commands, in the order in which they were given."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    @property
    def has_room(self) -> bool:
        """Tell whether one more may wait."""
        return len(self._pending) < PENDING_MAX

    @property
    def fetches(self) -> bool:
        """Tell whether a new token is on its way."""
        return any(one.fetches for one in self._pending.values())

    @property
    def due_ms(self) -> float:
        """Return when the next second try is due."""
        if not self._pending:
            return NEVER
        return min(one.again_ms for one in self._pending.values())

    def add(self, command: UnitCommand, now_ms: float) -> bytes:
        """Keep a command until it is answered; return its frame. Raise `TooManyPending`."""
        if not self.has_room:
            raise TooManyPending
        fetches = isinstance(command, Refresh)
        pending = Pending(command.id, _encode(command), now_ms, fetches=fetches)
        if isinstance(command, OfferReply):
            pending.oid, pending.answer = command.oid, command.r
        self._pending[command.id] = pending
        return pending.frame

    def again(self, now_ms: float) -> tuple[list[bytes], list[News]]:
        """Return the frames whose second try is due, and the offers to ask the person about."""
        return self._tried([o for o in self._pending.values() if o.again_ms <= now_ms], now_ms)

    def after_welcome(self, now_ms: float) -> tuple[list[bytes], list[News]]:
        """Return all frames, to be sent again, and the offers to ask the person about."""
        return self._tried(list(self._pending.values()), now_ms)

    def void(self) -> list[News]:
        """Forget all: they were meant for a centre whose history is another now."""
        refused: list[News] = [Refused(one.id, UNKNOWN) for one in self._pending.values()]
        self._pending.clear()
        return refused

    def _tried(self, due: list[Pending], now_ms: float) -> tuple[list[bytes], list[News]]:
        """Return what is sent again; an old answer is not, before the person has said so."""
        old = [one for one in due if _is_old(one, now_ms)]
        for one in old:
            del self._pending[one.id]
        fresh = [one for one in due if one.id in self._pending]
        for one in fresh:
            one.again_ms = NEVER
        return [one.frame for one in fresh], [AskAgain(one.oid or "") for one in old]

    def ok(self, message: heard.Ok) -> Pending | None:
        """Return the command that is answered, once."""
        return self._pending.pop(message.re, None)

    def err(self, message: heard.Err, now_ms: float) -> Pending | None:
        """Return the command that is refused for good; a temporary refusal is tried again."""
        pending = self._pending.get(message.re or "")
        if pending is None:
            return None
        if message.code in TEMPORARY:
            pending.again_ms = now_ms + max(message.retry_ms or 0.0, RETRY_MS)
            return None
        return self._pending.pop(pending.id)


def _is_old(pending: Pending, now_ms: float) -> bool:
    return pending.oid is not None and now_ms - pending.made_ms > REPLY_FRESH_MS
