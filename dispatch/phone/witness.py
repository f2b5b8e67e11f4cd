"""What a process of phones sees and does: counts, latencies, and a book for each phone."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from dispatch.phone import heard
from dispatch.phone.book import Book, Irregular
from dispatch.phone.diary import (
    ARRIVALS_MAX,
    DEEDS_MAX,
    FAULTS_MAX,
    OFFERS_FIRST_MAX,
    Deed,
    Diary,
    Fault,
    Tally,
)
from dispatch.phone.latency import Latency
from dispatch.phone.news import (
    Assigned,
    Done,
    News,
    Offered,
    OfferEnded,
    Refused,
    Skipped,
    TaskEnded,
    Welcomed,
)
from dispatch.phone.phone import Message, Phone
from dispatch.phone.skew import Skew
from schemas.wire import Answer, OfferReply, Progress, Reached, UnitCommand

RING_180_S: Final = 180.0
RING_300_S: Final = 300.0


class Stage(StrEnum):
    """What is timed, on the way of an offer and beside it."""

    PUSH = "push"
    DECIDING = "received_to_accept"
    ACCEPT = "accept_to_ok"
    PROGRESS = "progress_to_ok"
    PONG = "pong"
    WELCOME = "welcome"
    RETURN = "return"


COMING: Final = frozenset({Stage.WELCOME, Stage.RETURN})
ANSWERS: Final = {heard.Pong: Stage.PONG, heard.Welcome: Stage.WELCOME}


class Asked(NamedTuple):
    """A command on its way: when it was first said, and what it is about."""

    said_ms: float
    stage: Stage
    what: str
    iid: str
    ref: str


class Witness:
    """All that is known of a fleet's life; nothing of it steers a phone."""

    def __init__(self, phones: int) -> None:
        self.tally = Tally(phones=phones)
        self.taken = {stage: Latency() for stage in Stage}
        self.complete_ms: float | None = None
        self._books: dict[str, Book] = {}
        self._online: set[Phone] = set()
        self._asked: dict[str, Asked] = {}
        self._offers_first: dict[str, tuple[float, float]] = {}
        self._arrivals: list[tuple[str, float]] = []
        self._deeds: list[Deed] = []
        self._faults: list[Fault] = []
        self._skew = Skew()

    @property
    def online(self) -> set[Phone]:
        """Return the phones that have their welcome now."""
        return self._online

    def begin(self) -> None:
        """Forget how long things took so far; but for coming, which is over by now."""
        fresh = {stage: Latency() for stage in Stage}
        self.taken = fresh | {stage: self.taken[stage] for stage in COMING}

    # What phones hear. ---------------------------------------------------------------------------

    def took(self, phone: Phone, message: Message, now_ms: float, asked_ms: float | None) -> None:
        """Write down what came, and how long it took."""
        stage = ANSWERS.get(type(message))
        if stage is not None and asked_ms is not None:
            self.taken[stage].add(now_ms - asked_ms)
        if isinstance(message, heard.Heard) and message.ts:
            self._time(message, message.ts, now_ms, asked_ms)
        if isinstance(message, heard.HeardReliable | heard.Unknown) and message.seq is not None:
            self._saw(phone, message, message.seq)
        if isinstance(message, heard.Offer) and message.ts:
            self._first(message.inc.iid, message.ts, now_ms)

    def _time(
        self, message: heard.Heard, sent_ms: float, now_ms: float, asked_ms: float | None
    ) -> None:
        """Set the two clocks against each other; reckon what a push took by the server's."""
        self._skew.said(sent_ms, now_ms)
        if asked_ms is not None and isinstance(message, heard.Welcome | heard.Pong):
            self._skew.answered(asked_ms, sent_ms)
        if isinstance(message, heard.HeardReliable):
            self.taken[Stage.PUSH].add(now_ms + self._skew.ms - sent_ms)

    def _saw(self, phone: Phone, message: heard.HeardReliable | heard.Unknown, seq: int) -> None:
        self.tally.reliable += 1
        wrong = self._book(phone).frame(message, seq)
        if wrong is not None:
            self._fault(phone, wrong, type(message).__name__, seq)

    def _first(self, iid: str, sent_ms: float, now_ms: float) -> None:
        known = self._offers_first.get(iid)
        if (known and known[0] <= sent_ms) or len(self._offers_first) >= OFFERS_FIRST_MAX:
            return
        self._offers_first[iid] = (sent_ms, now_ms)

    def told(self, phone: Phone, news: News, now_ms: float) -> None:
        """Count what is new."""
        tally = self.tally
        match news:
            case Welcomed(welcome):
                self._welcomed(phone, welcome, now_ms)
            case Offered():
                tally.offers += 1
            case Assigned():
                tally.tasks += 1
            case OfferEnded(_, why):
                _count(tally.ended, f"offer.{why}")
            case TaskEnded(_, why):
                _count(tally.ended, f"assign.{why}")
            case Done(id=ref, result=result):
                self._done(phone, ref, now_ms, late=bool(result.get("late")))
            case Refused(id=ref, code=code):
                self._asked.pop(ref, None)
                _count(tally.refused, code)
            case Skipped():
                tally.skipped += 1
            case _:
                pass

    def _welcomed(self, phone: Phone, welcome: heard.Welcome, now_ms: float) -> None:
        self._online.add(phone)
        self.tally.welcomes += 1
        if self.complete_ms is None and len(self._online) == self.tally.phones:
            self.complete_ms = now_ms
        book = self._book(phone)
        if book.lost_ms is not None:
            self.taken[Stage.RETURN].add(now_ms - book.lost_ms)
        self.tally.renewed += book.epoch not in {"", welcome.epoch}
        wrong = book.welcome(welcome, now_ms)
        if wrong is not None:
            self._fault(phone, wrong, "Welcome", welcome.head)

    def _done(self, phone: Phone, ref: str, now_ms: float, *, late: bool) -> None:
        self.tally.done += 1
        asked = self._asked.pop(ref, None)
        if asked is None:
            return
        self.taken[asked.stage].add(now_ms - asked.said_ms)
        if len(self._deeds) < DEEDS_MAX:
            self._deeds.append(
                Deed(device=phone.device, what=asked.what, iid=asked.iid, ref=asked.ref, late=late)
            )

    def lost(self, phone: Phone, code: int | None, now_ms: float, *, welcomed: bool) -> None:
        """Count a lost line, or a try that came to nothing."""
        self._online.discard(phone)
        if welcomed:
            self._book(phone).lost(now_ms)
            if phone.dropping:
                self.tally.dropped_off += 1
            else:
                _count(self.tally.disconnects, str(code or "broken"))
        _count(self.tally.losses, str(code) if code else "broken" if welcomed else "refused")

    # What people say. ----------------------------------------------------------------------------

    def said(self, phone: Phone, command: UnitCommand, now_ms: float) -> None:
        """Count what people do."""
        match command:
            case OfferReply(id=ref, oid=oid, r=Answer.ACCEPT):
                self.tally.accepts += 1
                self.taken[Stage.DECIDING].add(now_ms - phone.person.rung_ms)
                self._asked[ref] = Asked(now_ms, Stage.ACCEPT, "accept", _call(phone, oid), oid)
            case OfferReply(id=ref, oid=oid):
                self.tally.declines += 1
                self._asked[ref] = Asked(now_ms, Stage.PROGRESS, "decline", _call(phone, oid), oid)
            case Progress(id=ref, aid=aid, s=reached):
                self._progress(phone, reached, now_ms)
                iid = phone.person.task.inc.iid if phone.person.task else ""
                self._asked[ref] = Asked(now_ms, Stage.PROGRESS, str(reached), iid, aid)
            case _:
                pass

    def _progress(self, phone: Phone, reached: Reached, now_ms: float) -> None:
        if reached is Reached.RESOLVED:
            self.tally.resolved += 1
        elif reached is Reached.ARRIVED:
            self._arrived(phone, now_ms)

    def _arrived(self, phone: Phone, now_ms: float) -> None:
        after_s = (now_ms - phone.person.rung_ms) / 1000
        self.tally.arrivals += 1
        self.tally.arrived_180_s += after_s <= RING_180_S
        self.tally.arrived_300_s += after_s <= RING_300_S
        if phone.person.task and len(self._arrivals) < ARRIVALS_MAX:
            self._arrivals.append((phone.person.task.inc.iid, after_s))

    # ---------------------------------------------------------------------------------------------

    def _book(self, phone: Phone) -> Book:
        book = self._books.get(phone.device)
        if book is None:
            book = self._books[phone.device] = Book()
        return book

    def _fault(self, phone: Phone, wrong: Irregular, kind: str, seq: int) -> None:
        setattr(self.tally, wrong, getattr(self.tally, wrong) + 1)
        if wrong is not Irregular.REPEATED and len(self._faults) < FAULTS_MAX:
            self._faults.append(Fault(device=phone.device, what=wrong, kind=kind, seq=seq))

    def diary(self, phones: Sequence[tuple[str, str]], began_ms: float, now_ms: float) -> Diary:
        """Return what was seen, by (device, unit), before anybody hangs up."""
        online = {phone.device for phone in self._online}
        return Diary(
            devices={
                device: self._books[device].page(unit, connected=device in online)
                for device, unit in phones
                if device in self._books
            },
            offers_first=self._offers_first,
            arrivals=self._arrivals,
            push_ms=self.taken[Stage.PUSH].quantiles(),
            skew_ms=self._skew.ms,
            tally=self.tally,
            taken={str(stage): taken for stage, taken in self.taken.items()},
            deeds=self._deeds,
            faults=self._faults,
            until_ms=now_ms,
            began_ms=began_ms,
            complete_ms=self.complete_ms,
        )


def _call(phone: Phone, oid: str) -> str:
    """Return the incident of an offer in hand."""
    offer = phone.session.hand.offers.get(oid)
    return offer.inc.iid if offer else ""


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
