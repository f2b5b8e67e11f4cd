"""A city of simulated phones in one process: dials at a bounded rate, keeps the diary."""

import asyncio
import resource
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from websockets.uri import parse_uri

from dispatch.phone import heard
from dispatch.phone.behaviour import Habits, Kit, Person
from dispatch.phone.diary import (
    ARRIVALS_MAX,
    OFFERS_FIRST_MAX,
    WELCOMES_MAX,
    DeviceDiary,
    Diary,
    Pushes,
    Seqs,
    Tally,
)
from dispatch.phone.link import dial
from dispatch.phone.news import (
    Assigned,
    News,
    Offered,
    OfferEnded,
    Refused,
    Skipped,
    TaskEnded,
    Welcomed,
)
from dispatch.phone.phone import Message, Phone
from dispatch.phone.session import Card, Session
from dispatch.phone.skew import Skew
from dispatch.phone.timers import Timers
from dispatch.ports import Clock
from geo.datum import Datum
from geo.eta import Moves
from geo.point import Point
from schemas.base import Record
from schemas.wire import Answer, App, OfferReply, Progress, Reached, UnitCommand

TICK_S: Final = 0.02
CONNECT_PER_S: Final = 1_000
HANDSHAKES_MAX: Final = 200
SPARE_FILES: Final = 64
SOURCES_MAX: Final = 250
PHONES_PER_SOURCE: Final = 5_000  # of some 28,000 ephemeral ports; a storm leaves many waiting
HANDSHAKES_PER_SOURCE: Final = 25  # a gateway lets 50 of one address be before their hello
RING_180_S: Final = 180.0
RING_300_S: Final = 300.0


class PhoneLine(Record, frozen=True, kw_only=True):
    """One line of the phones' file."""

    device: str
    token: str
    unit: str
    lon: float
    lat: float
    moves: Moves = Moves.FOOT
    datum: Datum = Datum.WGS84


class FleetOptions(Record, frozen=True, kw_only=True):
    """How a fleet behaves.

    `sources` are local addresses to connect from, taken in turn; none given: what the system
    picks, and on loopback as many as the number of phones needs.
    """

    seed: int = 1
    habits: Habits = Habits()
    connect_per_s: int = CONNECT_PER_S
    handshakes_max: int = HANDSHAKES_MAX
    sources: tuple[str, ...] = ()
    drain_s: float = 5.0
    progress_s: float = 0.5
    diary: str = "diary.json"


class TooFewFiles(Exception):
    """The process may not open as many files as there are phones."""


def require_files(phones: int) -> None:
    """Raise the soft limit of open files to the hard one, or `TooFewFiles` when it is too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and phones + SPARE_FILES > hard:
        raise TooFewFiles(f"{phones} phones, but only {hard} open files: {hard - SPARE_FILES} fit")


def loopback_sources(host: str, phones: int, handshakes: int) -> tuple[str, ...]:
    """Return addresses to connect from, so that none needs too much; none for a host elsewhere."""
    if not host.startswith("127."):
        return ()
    at_once = min(handshakes, phones)
    wanted = max(phones // PHONES_PER_SOURCE, at_once // HANDSHAKES_PER_SOURCE)
    return tuple(f"127.0.0.{2 + n}" for n in range(min(wanted + 1, SOURCES_MAX)))


class Book:
    """What one phone has seen, made when there is something to write down."""

    __slots__ = ("seqs", "welcomes")

    def __init__(self) -> None:
        self.seqs: Seqs | None = None
        self.welcomes: list[tuple[int, float]] = []


class Fleet:
    """The host of all phones."""

    def __init__(
        self, lines: Sequence[PhoneLine], url: str, options: FleetOptions, clock: Clock
    ) -> None:
        self.answering = True
        self._clock = clock
        self._dice = np.random.default_rng(options.seed)
        self._options = options
        self._uri = parse_uri(url)
        self._sources = options.sources or loopback_sources(
            self._uri.host, len(lines), options.handshakes_max
        )
        self._timers: Timers[Phone] = Timers()
        self._queue: deque[Phone] = deque()
        self._dialling: set[Phone] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowance = 0.0
        self._online: set[Phone] = set()
        self._books: dict[str, Book] = {}
        self._offers_first: dict[str, tuple[float, float]] = {}
        self._arrivals: list[tuple[str, float]] = []
        self._pushes = Pushes(self._dice)
        self._skew = Skew()
        self.tally = Tally(phones=len(lines))
        kit = Kit(options.habits, self._dice, clock.new_id)
        self.phones = [self._phone(n, line, kit) for n, line in enumerate(lines)]

    def _phone(self, n: int, line: PhoneLine, kit: Kit) -> Phone:
        card = Card(tok=line.token, inst=self.new_id(), datum=line.datum, app=_APP)
        person = Person(Point(line.lon, line.lat), line.moves, kit, line.datum)
        source = self._sources[n % len(self._sources)] if self._sources else None
        return Phone(line.device, Session(card), person, self, source)

    # What runs. ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Let all phones ask for a line."""
        self._queue.extend(self.phones)

    async def run(self) -> None:
        """Live until cancelled."""
        self.start()
        while True:
            self.step()
            await asyncio.sleep(TICK_S)

    def step(self) -> None:
        """Do what is due: wake phones, dial for some of those who wait."""
        for phone in self._timers.due(self.now_ms()):
            phone.due(self.now_ms())
        per_tick = self._options.connect_per_s * TICK_S
        self._allowance = min(self._allowance + per_tick, max(per_tick, 1.0))
        while self._queue and self._allowance >= 1 and self._may_dial:
            self._allowance -= 1
            self._start(self._queue.popleft())

    @property
    def _may_dial(self) -> bool:
        return len(self._dialling) < self._options.handshakes_max

    def _start(self, phone: Phone) -> None:
        self._dialling.add(phone)
        task = asyncio.create_task(self._dial(phone))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dial(self, phone: Phone) -> None:
        try:
            await dial(self._uri, phone, phone.source)
        except (OSError, TimeoutError):
            phone.dial_failed()

    def stop_answering(self) -> None:
        """Take up no new offers from here on; what is in hand goes on."""
        self.answering = False

    async def hang_up(self) -> None:
        """Say good-bye for all."""
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        for phone in self.phones:
            phone.hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What phones ask for and tell (`dispatch.phone.phone.Host`). ---------------------------------

    def now_ms(self) -> float:
        """Return the time, in ms since the epoch."""
        return self._clock.now().timestamp() * 1000

    def dice(self) -> float:
        """Return a number in [0, 1)."""
        return self._dice.random()

    def new_id(self) -> str:
        """Return a new id."""
        return self._clock.new_id()

    def wake(self, phone: Phone, at_ms: float) -> None:
        """Call `due` at that time, or a tick later."""
        self._timers.wake(phone, at_ms)

    def dial(self, phone: Phone) -> None:
        """Put the phone in the queue; one with something in hand goes first."""
        (self._queue.appendleft if phone.session.busy else self._queue.append)(phone)

    def took(self, phone: Phone, message: Message, now_ms: float, asked_ms: float | None) -> None:
        """Write down what came, and how long it took."""
        if isinstance(message, heard.Heard) and message.ts:
            self._time(message, message.ts, now_ms, asked_ms)
        if isinstance(message, heard.HeardReliable | heard.Unknown) and message.seq is not None:
            self._saw(phone, message.seq)
        if isinstance(message, heard.Offer) and message.ts:
            self._first(message.inc.iid, message.ts, now_ms)

    def told(self, phone: Phone, news: News, now_ms: float) -> None:
        """Count what is new."""
        tally = self.tally
        match news:
            case Welcomed(welcome):
                self._welcomed(phone, welcome.head, now_ms)
            case Offered():
                tally.offers += 1
            case Assigned():
                tally.tasks += 1
            case OfferEnded(_, why):
                _count(tally.ended, f"offer.{why}")
            case TaskEnded(_, why):
                _count(tally.ended, f"assign.{why}")
            case Refused(_, code):
                _count(tally.refused, code)
            case Skipped():
                tally.skipped += 1
            case _:
                pass

    def said(self, phone: Phone, command: UnitCommand, now_ms: float) -> None:
        """Count what people do."""
        match command:
            case OfferReply(r=Answer.ACCEPT):
                self.tally.accepts += 1
            case OfferReply():
                self.tally.declines += 1
            case Progress(s=Reached.ARRIVED):
                self._arrived(phone, now_ms)
            case Progress(s=Reached.RESOLVED):
                self.tally.resolved += 1
            case _:
                pass

    def dropped(self, phone: Phone) -> None:
        """Count a command for which there was no room."""
        self.tally.dropped += 1

    def located(self) -> None:
        """Count a position report."""
        self.tally.fixes += 1

    def lost(self, phone: Phone, code: int | None, *, welcomed: bool) -> None:
        """Count a lost line, or a try that came to nothing."""
        self._dialling.discard(phone)
        self._online.discard(phone)
        _count(self.tally.losses, str(code) if code else "broken" if welcomed else "refused")

    # ---------------------------------------------------------------------------------------------

    def _time(
        self, message: heard.Heard, sent_ms: float, now_ms: float, asked_ms: float | None
    ) -> None:
        """Set the two clocks against each other; reckon what a push took by the server's."""
        self._skew.said(sent_ms, now_ms)
        if asked_ms is not None and isinstance(message, heard.Welcome | heard.Pong):
            self._skew.answered(asked_ms, sent_ms)
        if isinstance(message, heard.HeardReliable):
            self._pushes.add(now_ms + self._skew.ms - sent_ms)

    def _book(self, phone: Phone) -> Book:
        return self._books.setdefault(phone.device, Book())

    def _saw(self, phone: Phone, seq: int) -> None:
        book = self._book(phone)
        book.seqs = book.seqs or Seqs()
        book.seqs.add(seq)

    def _welcomed(self, phone: Phone, head: int, now_ms: float) -> None:
        self._dialling.discard(phone)
        self._online.add(phone)
        welcomes = self._book(phone).welcomes
        welcomes.append((head, now_ms))
        del welcomes[:-WELCOMES_MAX]

    def _first(self, iid: str, sent_ms: float, now_ms: float) -> None:
        known = self._offers_first.get(iid)
        if (known and known[0] <= sent_ms) or len(self._offers_first) >= OFFERS_FIRST_MAX:
            return
        self._offers_first[iid] = (sent_ms, now_ms)

    def _arrived(self, phone: Phone, now_ms: float) -> None:
        after_s = (now_ms - phone.person.rung_ms) / 1000
        self.tally.arrivals += 1
        self.tally.arrived_180_s += after_s <= RING_180_S
        self.tally.arrived_300_s += after_s <= RING_300_S
        if phone.person.task and len(self._arrivals) < ARRIVALS_MAX:
            self._arrivals.append((phone.person.task.inc.iid, after_s))

    def count(self) -> Tally:
        """Return the tally as it stands."""
        self.tally.online, self.tally.dialling = len(self._online), len(self._dialling)
        return self.tally

    def diary(self) -> Diary:
        """Return what was seen, before anybody hangs up."""
        online = {phone.device for phone in self._online}
        return Diary(
            devices={device: _page(book, device in online) for device, book in self._books.items()},
            offers_first=self._offers_first,
            arrivals=self._arrivals,
            push_ms=self._pushes.quantiles(),
            skew_ms=self._skew.ms,
            tally=self.count(),
        )

    @property
    def pushes(self) -> Pushes:
        """Return the latencies so far."""
        return self._pushes


_APP: Final = App(n="kapok-phone", v="1", os="simulated")


def _page(book: Book, connected: bool) -> DeviceDiary:
    seqs = book.seqs
    return DeviceDiary(
        seqs=seqs.ranges if seqs else [],
        cut=seqs.cut if seqs else 0,
        welcomes=book.welcomes,
        connected=connected,
    )


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def read_phones(text: bytes) -> list[PhoneLine]:
    """Return the phones of a JSON lines file; raise msgspec.DecodeError for a bad line."""
    return msgspec.json.Decoder(PhoneLine).decode_lines(text)
