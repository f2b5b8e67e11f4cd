"""A phone of the reference client on a bad network, with a person behind it."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import msgspec
from msgspec import Raw

from dispatch.core.errors import Refusal
from dispatch.phone.behaviour import Habits, Kit, Person
from dispatch.phone.link import Link
from dispatch.phone.news import News
from dispatch.phone.phone import Message, Phone
from dispatch.phone.session import Card, Memory, Session
from dispatch.ports import Clock
from geo.datum import Datum
from geo.eta import Moves
from geo.point import Point
from schemas.base import ms
from schemas.wire import UnitCommand
from tests.fakes import START
from tests.simulation.dice import Dice
from tests.simulation.ledger import Ledger, Said
from tests.simulation.line import Line
from tests.simulation.server import Server
from tests.simulation.weather import Weather

START_MS: Final = ms(START)
LATE_S: Final = (0.0, 120.0)
MAKES_SURE_MS: Final = 1.0
"""Timers never ring too early: what is due is due when they do."""


class Handset:
    """The process the phone lives in: its clock, its dice, its lines. It may start anew."""

    answering = True

    def __init__(
        self,
        device: str,
        member: str,
        home: Point,
        moves: Moves,
        *,
        server: Callable[[], Server | None],
        clock: Clock,
        dice: Dice,
        weather: Callable[[], Weather],
        ledger: Ledger,
        habits: Habits,
    ) -> None:
        self.device, self.member = device, member
        self._home, self._moves = home, moves
        self._server, self._clock, self._ledger = server, clock, ledger
        self._dice, self._weather = dice, weather
        self._kit = Kit(habits, dice.generator(), clock.new_id)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._lines: list[Line] = []
        self.phone = self._made(None)

    def _made(self, memory: Memory | None) -> Phone:
        card = Card(tok=self.device, inst=self.new_id(), datum=Datum.GCJ02)
        person = Person(self._home, self._moves, self._kit, Datum.GCJ02)
        return Phone(self.device, Session(card, memory), person, self)

    def restart(self) -> None:
        """Lose the process: what was not stored is gone, the place in the stream is not."""
        self._ledger.note(self._loop.time(), f"{self.device} restarts")
        self._ledger.book(self.device).restarts += 1
        memory = self.phone.session.memory
        for line in self._lines:
            line.let_go()
        self.phone = self._made(memory)
        self.phone.dial_at(self.now_ms() + 1000)

    def say(self, command: UnitCommand) -> None:
        """Let the person say something that no news made him say."""
        if self.phone.session.has_room:
            self.phone.session.send(command, self.now_ms())
            self.said(self.phone, command, self.now_ms())
            self.wake(self.phone, self.now_ms())

    def leave_tunnel(self) -> None:
        """Drop the lines that are broken."""
        for line in self._lines:
            if line.doomed:
                line.break_off()

    def come_back(self) -> None:
        """Find a network again: a line is dialled soon, however long the phone would wait."""
        if self.phone._link is None:
            self.phone.dial_at(self.now_ms() + 1000 * self._dice.roll())

    def stop(self) -> None:
        """Let the person do nothing more."""
        self.answering = False
        self.phone.person._todo.clear()

    @property
    def under_way(self) -> bool:
        """Tell whether anything is between this phone and the server."""
        return any(line.up.under_way + line.down.under_way for line in self._lines)

    # What the phone asks for (`dispatch.phone.phone.Host`). --------------------------------------

    def now_ms(self) -> float:
        """Return the time."""
        return START_MS + self._loop.time() * 1000

    def dice(self) -> float:
        """Return a number in [0, 1)."""
        return self._dice.roll()

    def new_id(self) -> str:
        """Return a new id."""
        return self._clock.new_id()

    def wake(self, phone: Phone, at_ms: float) -> None:
        """Call `due` then, unless it is called sooner."""
        if phone is not self.phone or at_ms >= phone.armed_ms:
            return
        phone.armed_ms = at_ms
        if self._timer is not None:
            self._timer.cancel()
        at_s = (at_ms - START_MS + MAKES_SURE_MS) / 1000
        self._timer = self._loop.call_at(at_s, self._ring, phone)

    def _ring(self, phone: Phone) -> None:
        phone.armed_ms = float("inf")
        if phone is self.phone:
            phone.due(self.now_ms())

    def dial(self, phone: Phone) -> None:
        """Open a line to the server, if it is up."""
        server, weather = self._server(), self._weather()
        if server is None or self._dice.chance(weather.refused):
            self._loop.call_later(weather.delay_s, phone.dial_failed)
            return
        line = Line(self.device, phone, self._dice, self._weather)
        self._lines = [line for line in self._lines if line.open] + [line]
        phone.line_made(cast("Link", line))  # all a phone asks of a link is there
        server.serve(line)

    def took(self, phone: Phone, message: Message, now_ms: float, asked_ms: float | None) -> None:
        """Note a frame."""
        if phone is self.phone:
            self._ledger.took(self.device, message)

    def told(self, phone: Phone, news: News, now_ms: float) -> None:
        """Note what was new."""
        self._ledger.note(self._loop.time(), f"{self.device} hears", news)
        self._ledger.told(self.device, news)

    def said(self, phone: Phone, command: UnitCommand, now_ms: float) -> None:
        """Note a command; now and then a copy goes another way."""
        self._ledger.note(self._loop.time(), f"{self.device} says", command)
        self._ledger.said[command.id] = Said(command, self.member)
        if self._dice.chance(self._weather().by_http):
            late_s = self._dice.between(*LATE_S)
            self._loop.call_later(late_s, self._post, command)

    def _post(self, command: UnitCommand) -> None:
        server = self._server()
        if server is not None:
            server.spawn(self._by_http(server, command))

    async def _by_http(self, server: Server, command: UnitCommand) -> None:
        try:
            identity = await server.twin.identify(self.device, None)
            frame = Raw(msgspec.json.encode(command))
            answer = await server.twin.messages(identity, [frame], Datum.GCJ02, None)
        except Refusal:
            return
        if self._dice.chance(0.5):
            reply = msgspec.json.encode(answer.replies[0])
            self._loop.call_later(self._weather().delay_s, self.phone.line_heard, reply)

    def dropped(self, phone: Phone) -> None:
        """Note nothing: a command that was never sent has no effect."""

    def located(self) -> None:
        """Note nothing."""

    def lost(self, phone: Phone, code: int | None, *, welcomed: bool) -> None:
        """Note how the line ended."""
        self._ledger.note(self._loop.time(), f"{self.device} lost its line: {code}")
        self._ledger.seen[f"closed {code}"] += 1
