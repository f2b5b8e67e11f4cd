"""What REST tells of an incident afterwards, and whether that is whole."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec

from schemas.base import Instant

RANKS: Final[Mapping[str, int]] = {
    state: rank
    for rank, state in enumerate(("assigned", "en_route", "arrived", "controlled", "resolved"))
}
"""How far a task has come."""


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as REST shows it."""

    id: str
    unit_id: str
    sent_at: Instant
    ended_at: Instant | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A task as REST shows it."""

    id: str
    unit_id: str
    assigned_at: Instant
    ended_at: Instant | None = None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as REST shows it."""

    id: str
    opened_at: Instant
    status: str = ""
    offers: list[Offered] = []
    assignments: list[Given] = []


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of its log."""

    n: int
    type: str
    data: dict[str, Any] = {}


class History(msgspec.Struct, frozen=True, kw_only=True):
    """An incident with its log, oldest first."""

    incident: Incident
    entries: list[Entry]


def searched_again(read: Mapping[str, History | str]) -> frozenset[str]:
    """Return the incidents whose first search found nobody: their logs say so before any offer."""
    return frozenset(
        iid
        for iid, found in read.items()
        if isinstance(found, History) and _found_nobody(found.entries)
    )


def _found_nobody(entries: list[Entry]) -> bool:
    told = [entry.type for entry in entries if entry.type in {"offered", "shortfall"}]
    return told[:1] == ["shortfall"]


def breaks(history: History) -> Iterator[str]:
    """Yield whatever is not as a log must be: gaps, and states that go backwards."""
    yield from _gaps(history.entries)
    yield from _broken_status(history.entries)
    yield from _falling_back(history.entries)


def _gaps(entries: list[Entry]) -> Iterator[str]:
    for wanted, entry in enumerate(entries, start=1):
        if entry.n != wanted:
            yield f"line {wanted} is numbered {entry.n}"
            return


def _broken_status(entries: list[Entry]) -> Iterator[str]:
    changes = [entry.data for entry in entries if entry.type == "status_changed"]
    for earlier, later in pairwise(changes):
        if earlier.get("after") != later.get("before"):
            yield f"status {earlier.get('after')} became {later.get('before')} without a line"


def _falling_back(entries: list[Entry]) -> Iterator[str]:
    reached: dict[str, int] = {}
    for entry in entries:
        rank = RANKS.get(str(entry.data.get("state")))
        task = entry.data.get("assignment")
        if rank is None or not isinstance(task, str):
            continue
        if rank < reached.get(task, rank):
            yield f"task {task} went back to {entry.data['state']}"
        reached[task] = max(rank, reached.get(task, rank))
