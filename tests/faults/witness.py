"""Simulated phones that write down all they were told and answered, to be held against the disk."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from dispatch.clock import SystemClock
from dispatch.phone.behaviour import Habits
from dispatch.phone.fleet import Fleet, FleetOptions, PhoneLine
from dispatch.phone.news import News, Noticed, Offered
from dispatch.phone.phone import Message, Phone
from dispatch.ports import Clock
from dispatch.wiring import UNIT_SOCKET
from schemas.wire import UnitCommand
from tests.faults.town import QUICK
from tests.simulation.ledger import Book, Ledger, Said


class Notes(Ledger):
    """What each phone heard and said, and what it was answered; for notices, how often."""

    def __init__(self) -> None:
        super().__init__()
        self.noticed: Counter[tuple[str, str]] = Counter()
        self.rung_for = set[str]()
        """Incidents that anybody was asked for."""

    def frozen(self) -> "Notes":
        """Return them as they stand now, whatever phones hear and say from now on."""
        kept = Notes()
        kept.books = {device: _copied(book) for device, book in self.books.items()}
        kept.said = {command_id: replace(said) for command_id, said in self.said.items()}
        kept.noticed, kept.rung_for = self.noticed.copy(), self.rung_for.copy()
        kept.broken = self.broken
        return kept

    def told(self, device: str, news: News) -> None:
        """Note what was new to a phone."""
        if isinstance(news, Noticed):
            self.noticed[device, news.notice.nid] += 1
        if isinstance(news, Offered):
            self.rung_for.add(news.offer.inc.iid)
        super().told(device, news)

    def answered(self, kind: type[UnitCommand]) -> int:
        """Return how many commands of a kind were answered ok."""
        return sum(
            said.result is not None for said in self.said.values() if isinstance(said.command, kind)
        )

    def reliable(self) -> int:
        """Return how many reliable frames were heard, each counted once."""
        return sum(len(book.seqs) for book in self.books.values())


def _brief(told: object) -> str:
    """Return what something is, and its number or name, in a few words."""
    name = getattr(told, "seq", None) or getattr(told, "id", "")
    return f"{type(told).__name__} {name}"


def _copied(book: Book) -> Book:
    return replace(
        book,
        seqs=book.seqs.copy(),
        heads=book.heads.copy(),
        offered=book.offered.copy(),
        tasks=book.tasks.copy(),
        forgot=book.forgot.copy(),
    )


class Witness(Fleet):
    """A fleet of phones with notes."""

    def __init__(
        self, lines: Sequence[PhoneLine], url: str, options: FleetOptions, clock: Clock
    ) -> None:
        self.notes = Notes()
        super().__init__(lines, url, options, clock)

    @classmethod
    @asynccontextmanager
    async def started(
        cls, lines: Sequence[PhoneLine], url: str, habits: Habits = QUICK, seed: int = 1
    ) -> AsyncIterator["Witness"]:
        """Let them live in this process until the end of the block."""
        options = FleetOptions(habits=habits, seed=seed)
        socket = f"{url.replace('http', 'ws', 1)}{UNIT_SOCKET}"
        fleet = cls(lines, socket, options, SystemClock())
        running = asyncio.create_task(fleet.run())
        try:
            yield fleet
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await fleet.hang_up()

    @property
    def online(self) -> int:
        """How many of them are connected."""
        return self.count().online

    def here(self) -> frozenset[str]:
        """Return the devices that are connected."""
        return frozenset(phone.device for phone in self.phones if phone.session.welcomed)

    def rest(self) -> None:
        """Let nobody take up or do anything more; what was said is still answered."""
        self.stop_answering()
        for phone in self.phones:
            phone.person._todo.clear()

    def settled(self) -> bool:
        """Tell whether no command of a phone waits for its answer."""
        return all(
            said.result is not None or said.refused is not None for said in self.notes.said.values()
        )

    # What phones tell (`dispatch.phone.phone.Host`). ---------------------------------------------

    def took(self, phone: Phone, message: Message, now_ms: float, asked_ms: float | None) -> None:
        """Note a frame."""
        super().took(phone, message, now_ms, asked_ms)
        self.notes.took(phone.device, message)
        self.notes.note(now_ms / 1000, phone.device, _brief(message))

    def told(self, phone: Phone, news: News, now_ms: float) -> None:
        """Note what was new."""
        super().told(phone, news, now_ms)
        self.notes.told(phone.device, news)
        self.notes.note(now_ms / 1000, phone.device, type(news).__name__)

    def said(self, phone: Phone, command: UnitCommand, now_ms: float) -> None:
        """Note a command."""
        super().said(phone, command, now_ms)
        self.notes.said[command.id] = Said(command, phone.device)
        self.notes.note(now_ms / 1000, phone.device, f"said {_brief(command)}")

    def lost(self, phone: Phone, code: int | None, *, welcomed: bool) -> None:
        """Note the end of a line."""
        super().lost(phone, code, welcomed=welcomed)
        self.notes.note(self.now_ms() / 1000, phone.device, f"line lost, {code}")
