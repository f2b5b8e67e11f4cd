"""What everybody was told and what was written: kept beside the parts, and held against them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from dispatch.core.decision import Decision
from dispatch.core.lifecycle import ASSIGNMENT, ENDED, OFFER, Table
from dispatch.phone import heard
from dispatch.phone.news import (
    Assigned,
    Done,
    News,
    Offered,
    OfferEnded,
    Refused,
    TaskEnded,
    Welcomed,
)
from schemas.base import AssignmentId, OfferId, UnitId
from schemas.incident import AssignmentState, OfferState
from schemas.wire import UnitCommand

WIDE: Final = 160
State = TypeVar("State", bound=StrEnum)


class Broken(AssertionError):
    """Something that must always be true is not."""


def require(holds: object, what: str, **facts: object) -> None:
    """Raise `Broken` with what was found."""
    if not holds:
        raise Broken(f"{what}: " + ", ".join(f"{name}={value}" for name, value in facts.items()))


def onward(table: Table[State]) -> Mapping[State, frozenset[State]]:
    """Return for each state those that can follow it by any number of steps, itself too."""
    reach = {state: {state} for state in table}
    for _ in table:
        for state, steps in table.items():
            reach[state] |= {after for to in steps.values() for after in reach[to]}
    return {state: frozenset(states) for state, states in reach.items()}


AFTER_OFFER: Final = onward(OFFER)
AFTER_TASK: Final = onward(ASSIGNMENT)


@dataclass
class Said:
    """A command of a phone, and what it heard."""

    command: UnitCommand
    member: str
    result: dict[str, Any] | None = None
    refused: str | None = None


@dataclass
class Book:
    """What one device heard."""

    seqs: set[int] = field(default_factory=set)
    heads: list[int] = field(default_factory=list)
    last_seq: int = 0
    restarts: int = 0
    offered: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    forgot: Counter[str] = field(default_factory=Counter)


@dataclass
class Request:
    """A change a person at the desk asked for; `words` are found in the log as often as it took."""

    name: str
    words: str
    incident: str
    answered: bool = False
    refused: str | None = None
    created: str | None = None


class Ledger:
    """Everything that is known from outside; every decision is judged as it is written."""

    def __init__(self) -> None:
        self.offers: dict[OfferId, OfferState] = {}
        self.tasks: dict[AssignmentId, AssignmentState] = {}
        self.active: dict[UnitId, AssignmentId] = {}
        self.versions: dict[str, int] = {}
        self.said: dict[str, Said] = {}
        self.books: dict[str, Book] = {}
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self._trace: list[tuple[float, str, object]] = []
        self.seen: Counter[str] = Counter()
        self.broken: Broken | None = None
        self.decisions = 0

    def note(self, at_s: float, what: str, fact: object = "") -> None:
        """Remember a line of the story, for whoever has to find out what went wrong."""
        self._trace.append((at_s, what, fact))

    @property
    def trace(self) -> list[str]:
        """Return the story, put into words only when somebody asks."""
        return [f"{at_s:8.3f} {what} {str(fact)[:WIDE]}" for at_s, what, fact in self._trace]

    # Decisions. ----------------------------------------------------------------------------------

    def committed(self, decision: Decision) -> None:
        """Judge what was just written; the first thing that is wrong is kept."""
        self.decisions += 1
        try:
            self._follow(decision)
        except Broken as broken:
            self.broken = self.broken or broken

    def _follow(self, decision: Decision) -> None:
        incident = decision.case.incident
        before = decision.before.incident.version if decision.before else 0
        require(
            self.versions.get(incident.id, 0) == before,
            "a decision was written over another",
            incident=incident.id,
        )
        self.versions[incident.id] = before + 1
        for offer in decision.offers:
            was = self.offers.get(offer.id, OfferState.OPEN)
            require(
                offer.state in AFTER_OFFER[was],
                "an offer went backwards",
                offer=offer.id,
                was=was,
                now=offer.state,
            )
            self.offers[offer.id] = offer.state
            self.seen[f"offer {offer.state}"] += 1
        for task in sorted(decision.assignments, key=lambda task: task.ended_at is None):
            was_task = self.tasks.get(task.id, AssignmentState.ASSIGNED)
            require(
                task.state in AFTER_TASK[was_task],
                "an assignment went backwards",
                assignment=task.id,
                was=was_task,
                now=task.state,
            )
            self.tasks[task.id] = task.state
            self.seen[f"task {task.state}"] += 1
            self._occupy(task.unit_id, task.id, ended=task.state in ENDED)

    def _occupy(self, unit_id: UnitId, task_id: AssignmentId, *, ended: bool) -> None:
        held = self.active.get(unit_id)
        if ended:
            if held == task_id:
                del self.active[unit_id]
            return
        require(
            held in {None, task_id}, "a unit is active twice", unit=unit_id, tasks=(held, task_id)
        )
        self.active[unit_id] = task_id

    # Phones. -------------------------------------------------------------------------------------

    def book(self, device: str) -> Book:
        """Return the book of a device."""
        return self.books.setdefault(device, Book())

    def took(self, device: str, message: heard.ServerFrame | heard.Unknown) -> None:
        """Note a frame that a welcomed phone was handed."""
        if isinstance(message, heard.HeardReliable | heard.Unknown) and message.seq is not None:
            book = self.book(device)
            if message.seq < book.last_seq:
                self.broken = self.broken or Broken(
                    f"out of order: device={device}, {message.seq} after {book.last_seq}"
                )
            book.last_seq = message.seq
            book.seqs.add(message.seq)

    def told(self, device: str, news: News) -> None:
        """Note what was new to a phone."""
        book = self.book(device)
        match news:
            case Welcomed(welcome):
                book.heads.append(welcome.head)
                book.last_seq = 0
            case Offered(offer):
                book.offered[offer.oid] += 1
            case Assigned(task):
                book.tasks[task.aid] += 1
            case TaskEnded(ref, why) | OfferEnded(ref, why) if why == "unknown":
                book.forgot[ref] += 1
            case Done(command_id, result):
                self.said[command_id].result = result
            case Refused(command_id, code):
                self.said[command_id].refused = code
            case _:
                pass
