"""One phone: a session, a person, and a line that comes and goes."""

from typing import Final, Protocol

from dispatch.phone import heard
from dispatch.phone.behaviour import Person
from dispatch.phone.link import Link
from dispatch.phone.news import News, Offered, Welcomed
from dispatch.phone.session import Session
from dispatch.phone.timers import NEVER
from schemas.wire import Cadence, DutyCall, Refresh, SetDuty, UnitCommand

HANDSHAKE_WITHIN_MS: Final = 15_000.0
AT_ONCE: Final = Cadence(every_s=1, move_m=0, hb=5)
"""The centre asks where the phone is: a fix of this second will do."""
Message = heard.ServerFrame | heard.Unknown


class Host(Protocol):
    """What a phone needs of the process it lives in."""

    @property
    def answering(self) -> bool:
        """Tell whether people still take up new offers."""

    def now_ms(self) -> float:
        """Return the time, in ms since the epoch."""

    def dice(self) -> float:
        """Return a number in [0, 1)."""

    def new_id(self) -> str:
        """Return a new id."""

    def wake(self, phone: "Phone", at_ms: float) -> None:
        """Call `due` at that time."""

    def dial(self, phone: "Phone") -> None:
        """Open a line for the phone when it is its turn, as its listener."""

    def took(self, phone: "Phone", message: Message, now_ms: float, asked_ms: float | None) -> None:
        """Take note of a frame, and of when it was asked for if it was."""

    def told(self, phone: "Phone", news: News, now_ms: float) -> None:
        """Take note of what was new."""

    def said(self, phone: "Phone", command: UnitCommand, now_ms: float) -> None:
        """Take note of a command."""

    def dropped(self, phone: "Phone") -> None:
        """Take note of a command for which there was no room."""

    def located(self) -> None:
        """Take note of a position report."""

    def lost(self, phone: "Phone", code: int | None, *, welcomed: bool) -> None:
        """Take note of a lost line, or of a try that came to nothing."""


class Phone:
    """The shell around a session: no task, one deadline."""

    __slots__ = (
        "_dial_ms",
        "_host",
        "_link",
        "_open_until_ms",
        "armed_ms",
        "device",
        "dropping",
        "person",
        "session",
        "source",
    )

    def __init__(
        self, device: str, session: Session, person: Person, host: Host, source: str | None = None
    ) -> None:
        self.device, self.session, self.person, self.source = device, session, person, source
        self.armed_ms = NEVER
        self.dropping = False
        self._host = host
        self._link: Link | None = None
        self._dial_ms = NEVER
        self._open_until_ms = NEVER

    def dial_at(self, at_ms: float) -> None:
        """Ask for a line at that time."""
        self._dial_ms = at_ms
        self._arm(self._host.now_ms())

    def dial_failed(self) -> None:
        """Try again later; a line that was made before tells of its loss itself."""
        if self._link is None and self._dial_ms == NEVER:
            self.line_lost(None, "")

    def due(self, now_ms: float) -> None:
        """Do what is due; asked for by `Host.wake`."""
        if self._dial_ms <= now_ms:
            self._dial_ms = NEVER
            self._host.dial(self)
        for one in self.session.tick(now_ms):
            self._learn(one, now_ms)
        if self._link and (self.session.hung or self._open_until_ms <= now_ms):
            self._open_until_ms = NEVER
            self._link.abort()
            return
        self._work(now_ms)

    def report(self, now_ms: float) -> bool:
        """Report where the phone is, sooner than the policy asks; False where it cannot be now."""
        if not self._link or not self.session.welcomed:
            return False
        reported = self._locate(now_ms, AT_ONCE)
        self._flush(now_ms)
        return reported

    def drop_off(self) -> None:
        """Lose the line without a word; the phone comes back as from any other loss."""
        if self._link:
            self.dropping = True
            self._link.abort()

    def hang_up(self) -> None:
        """Say good-bye for good."""
        self._dial_ms = NEVER
        if self._link:
            self._link.close()

    # What the line tells. ------------------------------------------------------------------------

    def line_made(self, link: Link) -> None:
        """Take the line; it opens within HANDSHAKE_WITHIN_MS, or is hung up."""
        now_ms = self._host.now_ms()
        self._link, self._open_until_ms = link, now_ms + HANDSHAKE_WITHIN_MS
        self._arm(now_ms)

    def line_open(self) -> None:
        """Say hello."""
        now_ms = self._host.now_ms()
        self._open_until_ms = NEVER
        self.session.opened(now_ms)
        self._work(now_ms)

    def line_heard(self, frame: bytes) -> None:
        """Take a frame, and let the person know."""
        now_ms = self._host.now_ms()
        message, asked_ms = heard.read(frame), self.session.asked_ms
        news = self.session.take(message, now_ms)
        if self.session.welcomed:
            self._host.took(self, message, now_ms, asked_ms)
        for one in news:
            self._learn(one, now_ms)
        self._work(now_ms)

    def line_lost(self, code: int | None, reason: str) -> None:
        """Come back when the session says so."""
        now_ms, welcomed = self._host.now_ms(), self.session.welcomed
        self._link, self._open_until_ms = None, NEVER
        wait_s = self.session.closed(code, reason, now_ms, self._host.dice())
        self._host.lost(self, code, welcomed=welcomed)
        self.dropping = False
        if wait_s is not None:
            self.dial_at(now_ms + wait_s * 1000)

    # ---------------------------------------------------------------------------------------------

    def _learn(self, news: News, now_ms: float) -> None:
        self._host.told(self, news, now_ms)
        if isinstance(news, Welcomed) and self.session.duty == "off":
            self._say(SetDuty(id=self._host.new_id(), s=DutyCall.ON), now_ms)
            self.session.duty = "on"
        if self.session.wants_token(now_ms) and self.session.has_room:
            self._say(Refresh(id=self._host.new_id()), now_ms)
        if self._host.answering or not isinstance(news, Offered):
            self.person.learn(news, now_ms)

    def _work(self, now_ms: float) -> None:
        """Let the person act, write what there is to say, and set the next deadline."""
        session, person = self.session, self.person
        for command in person.act(now_ms):
            self._say(command, now_ms)
        if session.welcomed:
            session.at_post = person.at_post(now_ms)
            self._locate(now_ms, self._cadence)
        self._flush(now_ms)
        self._arm(now_ms)

    def _locate(self, now_ms: float, cadence: Cadence) -> bool:
        """Report a position if one is due."""
        row = self.person.fix(now_ms, cadence)
        if row is None:
            return False
        self.session.locate(row, now_ms)
        self._host.located()
        return True

    def _flush(self, now_ms: float) -> None:
        if self._link:
            for frame in self.session.outgoing(now_ms):
                self._link.send(frame)

    @property
    def _cadence(self) -> Cadence:
        return AT_ONCE if self.session.asked_where else self.session.cadence

    def _say(self, command: UnitCommand, now_ms: float) -> None:
        if not self.session.has_room:
            self._host.dropped(self)
            return
        self.session.send(command, now_ms)
        self._host.said(self, command, now_ms)

    def _arm(self, now_ms: float) -> None:
        session, person = self.session, self.person
        fix_ms = person.due_ms(self._cadence) if session.welcomed else person.step_due_ms
        due_ms = min(session.due_ms, fix_ms, self._dial_ms, self._open_until_ms)
        if due_ms < NEVER:
            self._host.wake(self, max(due_ms, now_ms))
