"""The app's side of the golden transcripts: what is done to an app, and what it must do then.

A line is one cue. `opens`, `hears`, `does`, `passes` and `closes` happen to the app; `says`,
`silent`, `acked`, `tells`, `holds`, `hung_up` and `back` are what it must have done by then. Names
(`$name`) are as in the transcripts of the service. Frames that an app may write at any time
(`ASIDE`) are passed over where a line does not ask for them.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from dispatch.phone import news
from dispatch.phone.session import Card, Memory, Session
from dispatch.phone.transcript import Mismatch, Notes
from schemas.base import Record
from schemas.wire import UnitCommand

ASIDE: Final = frozenset({"ack", "ping", "loc", "mode"})
TOLD: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    news.Offered: lambda n: {"ring": n.offer.oid},
    news.OfferChanged: lambda n: {"offer": n.offer.oid, "alert": n.alert},
    news.OfferEnded: lambda n: {"offer_end": n.oid, "why": n.why},
    news.Assigned: lambda n: {"task": n.task.aid, "role": n.task.role},
    news.TaskChanged: lambda n: {
        "task": n.task.aid,
        "role": n.task.role,
        "alert": n.alert,
        "confirm": bool(n.task.confirm),
    },
    news.TaskEnded: lambda n: {"task_end": n.aid, "why": n.why},
    news.Noticed: lambda n: {"notice": n.notice.nid},
    news.NoticeEnded: lambda n: {"notice_end": n.nid},
    news.Done: lambda n: {"done": n.id},
    news.Refused: lambda n: {"refused": n.id, "code": n.code},
    news.AskAgain: lambda n: {"ask_again": n.oid},
}
"""What the person is told; all other news concern the app alone."""


class Close(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a line ended: the code, none where it broke, and the reason."""

    code: int | None = None
    reason: dict[str, Any] = {}


class Holds(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the app has in hand, by ids, in order."""

    offers: list[str] = []
    tasks: list[str] = []


class Cue(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line."""

    note: str | None = None
    starts: Memory | None = None
    opens: bool = False
    hears: Any = None
    does: Any = None
    passes: float | None = None
    closes: Close | None = None
    says: Any = None
    silent: bool = False
    acked: int | None = None
    tells: list[dict[str, Any]] | None = None
    holds: Holds | None = None
    every_s: int | None = None
    located: bool | None = None
    hung_up: bool | None = None
    back: tuple[float, float] | None = None
    never: bool = False


class Rehearsal:
    """One transcript being played to the reference client, by a clock and dice of its own."""

    def __init__(self, new_id: Callable[[], str], dice: float) -> None:
        self._now_ms = 1_800_000_000_000.0
        self._dice = dice
        self._session = Session(Card(tok="kd_rehearsal", inst="one"))
        self._notes = Notes({}, new_id)
        self._written: list[dict[str, Any]] = []
        self._told: list[dict[str, Any]] = []
        self._acked = 0
        self._back_s: float | None = None

    def play(self, cues: Iterable[Cue]) -> None:
        """Take every cue; raise `Mismatch` at the first at which the app does otherwise."""
        for number, cue in enumerate(cues, 1):
            try:
                self._happen(cue)
                self._check(cue)
            except Mismatch as error:
                raise Mismatch(f"step {number}: {error}") from error

    # What happens to the app. --------------------------------------------------------------------

    def _happen(self, cue: Cue) -> None:
        if cue.starts is not None:
            self._session = Session(Card(tok="kd_rehearsal", inst="one"), cue.starts)
        if cue.opens:
            self._acked = 0
            self._session.opened(self._now_ms)
        if cue.does is not None:
            command = msgspec.convert(self._notes.filled(cue.does, self._now_ms), UnitCommand)
            self._session.send(command, self._now_ms)
        if cue.hears is not None:
            self._hear(cue.hears)
        if cue.passes is not None:
            self._pass(cue.passes)
        if cue.closes is not None:
            self._close(cue.closes)
        self._write()

    def _hear(self, frame: Any) -> None:  # noqa: ANN401 - any JSON
        self._told.clear()
        filled = self._notes.filled(frame, self._now_ms)
        text = filled if isinstance(filled, str) else msgspec.json.encode(filled)
        self._tell(self._session.hear(text, self._now_ms))

    def _pass(self, seconds: float) -> None:
        """Let the app's timers run, each at its time."""
        self._told.clear()
        until_ms = self._now_ms + seconds * 1000
        while self._session.due_ms <= until_ms and not self._session.hung:
            self._now_ms = max(self._now_ms, self._session.due_ms)
            self._tell(self._session.tick(self._now_ms))
            self._write()
        self._now_ms = until_ms

    def _close(self, close: Close) -> None:
        reason = msgspec.json.encode(close.reason).decode() if close.reason else ""
        self._back_s = self._session.closed(close.code, reason, self._now_ms, self._dice)
        self._written.clear()

    def _tell(self, told: Iterable[news.News]) -> None:
        self._told += [TOLD[type(one)](one) for one in told if type(one) in TOLD]

    def _write(self) -> None:
        for text in self._session.outgoing(self._now_ms):
            frame = msgspec.json.decode(text)
            if frame["t"] != "hello":
                self._acked = max(self._acked, frame.get("ack", 0))
            self._written.append(frame)

    # What it must have done. ---------------------------------------------------------------------

    def _check(self, cue: Cue) -> None:
        if cue.says is not None:
            self._said(cue.says)
        if cue.silent:
            _same("what it says", [f for f in self._written if f["t"] not in ASIDE], [])
        if cue.tells is not None:
            self._notes.match(cue.tells, self._told)
        if cue.holds is not None:
            self._notes.match(msgspec.to_builtins(cue.holds), self._held())
        if cue.closes is not None:
            self._comes_back(cue)
        for name, wanted, found in (
            ("the ack", cue.acked, self._acked),
            ("its cadence", cue.every_s, self._session.cadence.every_s),
            ("the wish for a fix", cue.located, self._session.asked_where),
            ("the line hung up", cue.hung_up, self._session.hung),
        ):
            if wanted is not None:
                _same(name, found, wanted)

    def _said(self, wanted: dict[str, Any]) -> None:
        while self._written:
            frame = self._written.pop(0)
            if frame["t"] not in ASIDE or frame["t"] == wanted.get("t"):
                self._notes.match(wanted, frame)
                return
        raise Mismatch(f"it says nothing, where {wanted.get('t')} is wanted")

    def _held(self) -> dict[str, list[str]]:
        hand = self._session.hand
        return {"offers": list(hand.offers), "tasks": list(hand.tasks)}

    def _comes_back(self, cue: Cue) -> None:
        """Hold the wait against its window: `dice` 0 is its beginning, just under 1 its end."""
        if cue.never:
            _same("the wait", self._back_s, None)
        elif cue.back is not None:
            least, most = cue.back
            wanted = least + self._dice * (most - least)
            if self._back_s is None or abs(self._back_s - wanted) > 0.01:  # noqa: PLR2004 - a hundredth of a second, for rounding
                raise Mismatch(f"it comes back in {self._back_s} s, not within {cue.back}")


def _same(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Mismatch(f"{name} is {found!r}, not {wanted!r}")
