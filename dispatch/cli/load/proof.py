"""Held against each other: what phones saw and were promised, and what REST tells afterwards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from dispatch.cli.load.history import RANKS, Entry, Given, History, Offered, breaks
from dispatch.phone.diary import Deed, DeviceDiary, Diary
from schemas.base import Record, ms

WITHIN_MS: Final = 5_000.0
"""Who is on line so long while an offer or a task stands has to have heard of it."""
SETTLED_MS: Final = 2_000.0
"""And before: a phone that has just come clocks on first."""
EXAMPLES: Final = 20
ANSWERS: Final = {"accept": "offer_accepted", "decline": "offer_declined"}
STEPS: Final = {
    "assignment_progressed": "state",
    "arrival_confirmed": "state",
    "assignment_ended": "why",
}
"""Lines that tell how far a task has come, and by which field."""

Read = Mapping[str, History | str]
"""Histories by their incidents; a text says why one could not be read."""
Sent = TypeVar("Sent", Offered, Given)


class Page(NamedTuple):
    """A device's diary, and by which clock it was kept."""

    device: str
    diary: DeviceDiary
    skew_ms: float
    until_ms: float


class Proof(Record, frozen=True, kw_only=True):
    """How much is wrong, by name, and some examples in words."""

    counts: Mapping[str, int]
    examples: list[str]


def prove(diaries: Sequence[Diary], read: Read, acknowledged: Sequence[str]) -> Proof:
    """Return everything that was lost or is in two places."""
    histories = {iid: found for iid, found in read.items() if isinstance(found, History)}
    found = {
        "lost_incidents": [
            f"incident {iid}: {read.get(iid, 'was not read')}"
            for iid in acknowledged
            if iid not in histories
        ],
        "broken_histories": [
            f"incident {iid}: {why}" for iid, one in histories.items() for why in breaks(one)
        ],
        "lost_messages": list(_lost_messages(diaries, histories)),
        "lost_commands": list(_lost_commands(diaries, histories)),
        "double_booked": list(_double_booked(histories)),
    }
    examples = [f"{name}: {text}" for name, texts in found.items() for text in texts[:EXAMPLES]]
    faults = [
        f"{fault.what}: {fault.kind} {fault.seq} of phone {fault.device}"
        for diary in diaries
        for fault in diary.faults[:EXAMPLES]
    ]
    return Proof(
        counts={name: len(texts) for name, texts in found.items()}, examples=examples + faults
    )


# What a phone on line had to hear. --------------------------------------------------------------


def _lost_messages(diaries: Sequence[Diary], histories: Mapping[str, History]) -> Iterator[str]:
    pages = _by_unit(diaries)
    for history in histories.values():
        yield from _unheard(history.incident.offers, pages, "offer", lambda d: d.offers, _sent_at)
        yield from _unheard(
            history.incident.assignments, pages, "task", lambda d: d.tasks, _given_at
        )


def _unheard(
    sent: Sequence[Sent],
    pages: Mapping[str, list[Page]],
    what: str,
    heard: Callable[[DeviceDiary], list[str]],
    at: Callable[[Sent], float],
) -> Iterator[str]:
    for one in sent:
        end_ms = ms(one.ended_at) if one.ended_at else float("inf")
        if end_ms - at(one) < WITHIN_MS:
            continue
        for page in pages.get(one.unit_id, []):
            if one.id not in heard(page.diary) and _on_line(page, at(one)):
                yield f"{what} {one.id} to phone {page.device}"


def _sent_at(offer: Offered) -> float:
    return ms(offer.sent_at)


def _given_at(task: Given) -> float:
    return ms(task.assigned_at)


def _on_line(page: Page, at_ms: float) -> bool:
    """Tell whether one line of the phone lasted from well before a moment to long after it."""
    from_ms, to_ms = at_ms - page.skew_ms - SETTLED_MS, at_ms - page.skew_ms + WITHIN_MS
    losts = [*page.diary.losts, page.until_ms]
    return any(
        welcomed <= from_ms and to_ms <= lost
        for (_, welcomed), lost in zip(page.diary.welcomes, losts, strict=False)
    )


def _by_unit(diaries: Sequence[Diary]) -> dict[str, list[Page]]:
    pages: dict[str, list[Page]] = {}
    for diary in diaries:
        for device, one in diary.devices.items():
            page = Page(device, one, diary.skew_ms, diary.until_ms)
            pages.setdefault(one.unit, []).append(page)
    return pages


# What was answered with ok. ----------------------------------------------------------------------


def _lost_commands(diaries: Sequence[Diary], histories: Mapping[str, History]) -> Iterator[str]:
    for diary in diaries:
        for deed in diary.deeds:
            history = histories.get(deed.iid)
            if history is not None and not _written(deed, history):
                yield f"{deed.what} of {deed.ref} by phone {deed.device}, incident {deed.iid}"


def _written(deed: Deed, history: History) -> bool:
    """Tell whether a command is in the log; a step that was passed already needs no line."""
    if deed.what in ANSWERS:
        wanted = ANSWERS[deed.what]
        return any(e.type == wanted and e.data.get("offer") == deed.ref for e in history.entries)
    lines = [entry for entry in history.entries if entry.data.get("assignment") == deed.ref]
    if deed.late:
        return any(entry.type == "late_progress" for entry in lines)
    reached = [RANKS.get(_state(entry), 0) for entry in lines]
    return max(reached, default=0) >= RANKS.get(deed.what, 0)


def _state(entry: Entry) -> str:
    """Return how far a line says that a task has come; its end says why it ended."""
    return str(entry.data.get(STEPS.get(entry.type, "")))


# Where units were. -------------------------------------------------------------------------------


def _double_booked(histories: Mapping[str, History]) -> Iterator[str]:
    tasks: dict[str, list[tuple[float, float, str]]] = {}
    for history in histories.values():
        for task in history.incident.assignments:
            end_ms = ms(task.ended_at) if task.ended_at else float("inf")
            tasks.setdefault(task.unit_id, []).append((ms(task.assigned_at), end_ms, task.id))
    for unit, spans in tasks.items():
        for (_, end_ms, first), (start_ms, _, second) in pairwise(sorted(spans)):
            if start_ms < end_ms:
                yield f"unit {unit} was on {first} and {second}"
