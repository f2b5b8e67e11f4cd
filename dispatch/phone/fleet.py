"""A city of simulated phones in one process: dials at a bounded rate, keeps the diary."""

import asyncio
import resource
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
import numpy as np
from websockets.uri import parse_uri

from dispatch.phone.behaviour import Habits, Kit, Person
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.link import dial
from dispatch.phone.news import News, Welcomed
from dispatch.phone.pace import Pace
from dispatch.phone.phone import Message, Phone
from dispatch.phone.session import Card, Session
from dispatch.phone.timers import Timers
from dispatch.phone.witness import Witness
from dispatch.ports import Clock
from geo.datum import Datum
from geo.eta import Moves
from geo.point import Point
from schemas.base import Record
from schemas.wire import App, UnitCommand

TICK_S: Final = 0.002
"""People act when they do: in one turn of a long tick dozens would, and wait for one another."""
LEAVE_EVERY_S: Final = 0.02
CONNECT_PER_S: Final = 1_000
HANDSHAKES_MAX: Final = 200
LEAVE_AT_ONCE: Final = 100
SPARE_FILES: Final = 64
SOURCES_MAX: Final = 250
PHONES_PER_SOURCE: Final = 5_000  # of some 28,000 ephemeral ports; a storm leaves many waiting
HANDSHAKES_PER_SOURCE: Final = 25  # a gateway lets 50 of one address be before their hello


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
    picks, and on loopback as many as the number of phones needs, of the block that is named: each
    process has its own. With `fixes_per_s` the phones of people who roam report in turn so that
    all positions together are so many, as far as one a second and phone goes. `drops_per_min` of
    all phones drop off the net, once it has begun, and come back by themselves.
    """

    seed: int = 1
    habits: Habits = Habits()
    connect_per_s: int = CONNECT_PER_S
    handshakes_max: int = HANDSHAKES_MAX
    sources: tuple[str, ...] = ()
    block: int = 0
    fixes_per_s: float = 0.0
    drops_per_min: float = 0.0
    drain_s: float = 5.0
    progress_s: float = 0.5
    diary: str = "diary.json"


class TooFewFiles(Exception):
    """The process may not open as many files as there are phones."""


def phones_most() -> int:
    """Return how many phones a process may have by the hard limit of its open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard - SPARE_FILES if hard != resource.RLIM_INFINITY else 10**9


def require_files(phones: int) -> None:
    """Raise the soft limit of open files to the hard one, or `TooFewFiles` when it is too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if phones > phones_most():
        raise TooFewFiles(f"{phones} phones, but only {hard} open files: {phones_most()} fit")


def loopback_sources(host: str, phones: int, handshakes: int, block: int = 0) -> tuple[str, ...]:
    """Return addresses to connect from, so that none needs too much; none for a host elsewhere."""
    if not host.startswith("127."):
        return ()
    at_once = min(handshakes, phones)
    wanted = max(phones // PHONES_PER_SOURCE, at_once // HANDSHAKES_PER_SOURCE)
    return tuple(f"127.0.{block % 256}.{2 + n}" for n in range(min(wanted + 1, SOURCES_MAX)))


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
            self._uri.host, len(lines), options.handshakes_max, options.block
        )
        self._timers: Timers[Phone] = Timers()
        self._queue: deque[Phone] = deque()
        self._dialling: set[Phone] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowance = 0.0
        self._fixes, self._drops = Pace(options.fixes_per_s), Pace(0)
        self._fixes_before = 0
        self._began_ms = 0.0
        self._units = [(line.device, line.unit) for line in lines]
        self.witness = Witness(len(lines))
        kit = Kit(options.habits, self._dice, clock.new_id)
        self.phones = [self._phone(n, line, kit) for n, line in enumerate(lines)]
        self._roaming = deque(phone for phone in self.phones if phone.person.roams)

    def _phone(self, n: int, line: PhoneLine, kit: Kit) -> Phone:
        card = Card(tok=line.token, inst=self.new_id(), datum=line.datum, app=_APP)
        person = Person(Point(line.lon, line.lat), line.moves, kit, line.datum)
        source = self._sources[n % len(self._sources)] if self._sources else None
        return Phone(line.device, Session(card), person, self, source)

    # What runs. ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Let all phones ask for a line."""
        self._began_ms = self.now_ms()
        self._queue.extend(self.phones)

    async def run(self) -> None:
        """Live until cancelled."""
        self.start()
        while True:
            self.step()
            await asyncio.sleep(TICK_S)

    def step(self) -> None:
        """Do what is due: wake phones, keep the paces, dial for some of those who wait."""
        now_ms = self.now_ms()
        for phone in self._timers.due(now_ms):
            phone.due(self.now_ms())
        self._keep_fixes(now_ms)
        self._keep_drops(now_ms)
        per_tick = self._options.connect_per_s * TICK_S
        self._allowance = min(self._allowance + per_tick, max(per_tick, 1.0))
        while self._queue and self._allowance >= 1 and self._may_dial:
            self._allowance -= 1
            self._start(self._queue.popleft())

    @property
    def _may_dial(self) -> bool:
        return len(self._dialling) < self._options.handshakes_max

    def _keep_fixes(self, now_ms: float) -> None:
        """Let as many report, one after another, as are missing beside what the policy asks for."""
        if not self._options.fixes_per_s:
            return
        due = self._fixes.due(now_ms, self.tally.fixes - self._fixes_before)
        for _ in range(len(self._roaming)):
            if due <= 0:
                break
            self._roaming.rotate(-1)
            due -= self._roaming[-1].report(now_ms)
        self._fixes_before = self.tally.fixes

    def _keep_drops(self, now_ms: float) -> None:
        online = self.witness.online
        for _ in range(self._drops.due(now_ms)):
            if online:
                picked = int(self._dice.integers(len(online)))
                next(islice(online, picked, None)).drop_off()

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

    def begin(self) -> None:
        """Measure from here on; who shall drop off the net does so from here on."""
        self.witness.begin()
        self._drops = Pace(self._options.drops_per_min / 60)

    def stop_answering(self) -> None:
        """Take up no new offers from here on, and stay on the net; what is in hand goes on."""
        self.answering = False
        self._drops = Pace(0)

    async def hang_up(self) -> None:
        """Say good-bye for all, a few hundred at a time: no server has to see all go at once."""
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        for start in range(0, len(self.phones), LEAVE_AT_ONCE):
            for phone in self.phones[start : start + LEAVE_AT_ONCE]:
                phone.hang_up()
            await asyncio.sleep(LEAVE_EVERY_S)
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
        self.witness.took(phone, message, now_ms, asked_ms)

    def told(self, phone: Phone, news: News, now_ms: float) -> None:
        """Count what is new."""
        if isinstance(news, Welcomed):
            self._dialling.discard(phone)
        self.witness.told(phone, news, now_ms)

    def said(self, phone: Phone, command: UnitCommand, now_ms: float) -> None:
        """Count what people do."""
        self.witness.said(phone, command, now_ms)

    def dropped(self, phone: Phone) -> None:
        """Count a command for which there was no room."""
        self.tally.dropped += 1

    def located(self) -> None:
        """Count a position report."""
        self.tally.fixes += 1

    def lost(self, phone: Phone, code: int | None, *, welcomed: bool) -> None:
        """Count a lost line, or a try that came to nothing."""
        self._dialling.discard(phone)
        self.witness.lost(phone, code, self.now_ms(), welcomed=welcomed)

    # ---------------------------------------------------------------------------------------------

    @property
    def tally(self) -> Tally:
        """Return what is counted."""
        return self.witness.tally

    def count(self) -> Tally:
        """Return the tally as it stands."""
        self.tally.online, self.tally.dialling = len(self.witness.online), len(self._dialling)
        return self.tally

    def diary(self) -> Diary:
        """Return what was seen, before anybody hangs up."""
        self.count()
        return self.witness.diary(self._units, self._began_ms, self.now_ms())


_APP: Final = App(n="kapok-phone", v="1", os="simulated")


def read_phones(text: bytes) -> list[PhoneLine]:
    """Return the phones of a JSON lines file; raise msgspec.DecodeError for a bad line."""
    return msgspec.json.Decoder(PhoneLine).decode_lines(text)
