"""What must be true after any fault: the disk held against what callers and phones were told.

Every rule is a question with an answer for each place where it is broken; none means that it holds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from dispatch.cli.calls import Caller
from dispatch.clock import SystemClock
from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, INCIDENT, WANTS_UNITS
from schemas.base import Instant
from schemas.incident import AssignmentState, OfferState, Status
from schemas.wire import Answer, OfferReply, Progress
from tests.faults.books import Books, Letter, read
from tests.faults.witness import Notes, Witness
from tests.simulation.checks import check_once
from tests.simulation.ledger import AFTER_OFFER, AFTER_TASK, Broken, Said

DRAINED: Final = timedelta(seconds=2)
"""Mail older than this has come to a phone that is connected and quiet."""
SETTLED_S: Final = 20.0
LOOK_S: Final = 0.5
LEFT_OPEN: Final = frozenset({"clock_overdue"})
"""Of the service's own invariants: a clock may be late while faults are going on."""


class Evidence(NamedTuple):
    """What the outside world was told until a moment; the disk is read after it, not before."""

    acknowledged: Sequence[str]
    notes: Notes
    online: frozenset[str]
    at: Instant
    notified: Sequence[str] = ()


class Violation(NamedTuple):
    """A rule, and where it is broken."""

    rule: str
    what: str


def evidence(caller: Caller, fleet: Witness, notified: Sequence[str] = ()) -> Evidence:
    """Return what was told so far; only who is connected can have heard everything.

    What is told while the disk is read is no part of it: the disk may know nothing of that.
    `notified` are notices to all whose sender was answered.
    """
    now = SystemClock().now()
    notes, here = fleet.notes.frozen(), fleet.here()
    return Evidence(caller.acknowledged, notes, here, now, tuple(notified))


async def check(dsn: str, since: Instant, told: Evidence) -> list[Violation]:
    """Read the disk and return everything that is wrong, by rule."""
    return violations(await read(dsn, since, told.at - DRAINED), told)


def violations(books: Books, told: Evidence) -> list[Violation]:
    """Return everything that is wrong, by rule."""
    return [Violation(name, what) for name, rule in RULES.items() for what in rule(books, told)]


# Nothing that was acknowledged is lost. -----------------------------------------------------------


def incident_lost(books: Books, told: Evidence) -> Iterator[str]:
    """An incident whose caller was answered is on disk, with its log."""
    for incident in told.acknowledged:
        if incident not in books.incidents or not books.log.get(incident):
            yield incident


def notice_lost(books: Books, told: Evidence) -> Iterator[str]:
    """A notice whose sender was answered is on disk, and in the mail of every phone, once."""
    written = Counter(
        (device, letter.ref)
        for device, letters in books.mail.items()
        for letter in letters
        if letter.t == "notice"
    )
    for nid in told.notified:
        if nid not in books.notices:
            yield nid
        for device in told.online:
            if written[device, nid] != 1:
                yield f"{device} has {nid} {written[device, nid]} times"


def offer_lost(books: Books, told: Evidence) -> Iterator[str]:
    """No phone rang for what is not on disk: offers, tasks and notices alike."""
    for device, book in told.notes.books.items():
        for oid in book.offered.keys() - books.offers.keys():
            yield f"{device} rang for offer {oid}"
        for aid in book.tasks.keys() - books.tasks.keys():
            yield f"{device} was sent by task {aid}"
    for device, nid in told.notes.noticed:
        if nid not in books.notices:
            yield f"{device} showed notice {nid}"


def acceptance_lost(books: Books, told: Evidence) -> Iterator[str]:
    """A yes that was answered ok is an assignment and a line of the log; a no is a line."""
    logged = {(line.type, line.data.get("offer")) for lines in books.log.values() for line in lines}
    for said, result in _answered(told.notes):
        reply = said.command
        if isinstance(reply, OfferReply):
            kept = Event.DECLINED
            if reply.r is Answer.ACCEPT:
                kept = Event.ACCEPTED
                task = books.tasks.get(result["aid"])
                if task is None or task["offer_id"] != reply.oid:
                    yield f"no assignment {result['aid']} of offer {reply.oid}"
            if (kept, reply.oid) not in logged:
                yield f"no line {kept} of offer {reply.oid}"


def progress_lost(books: Books, told: Evidence) -> Iterator[str]:
    """A step that was answered ok was taken, and stands in the log."""
    reached: dict[str, set[str]] = {aid: {"assigned", t["state"]} for aid, t in books.tasks.items()}
    late = set[str]()
    for line in (line for lines in books.log.values() for line in lines):
        if line.type is Event.PROGRESSED:
            reached.setdefault(line.data["assignment"], set()).add(line.data["state"])
        elif line.type is Event.LATE:
            late.add(line.data["assignment"])
    for said, result in _answered(told.notes):
        step = said.command
        if not isinstance(step, Progress):
            continue
        if result.get("late") and step.aid not in late:
            yield f"no late fact {step.s} of task {step.aid}"
        elif not result.get("late") and result["s"] not in reached.get(step.aid, set()):
            yield f"no {result['s']} of task {step.aid}"


def answer_lost(books: Books, told: Evidence) -> Iterator[str]:
    """What a phone was answered is kept, so that a retry hears the same."""
    for said, result in _answered(told.notes):
        if isinstance(said.command, OfferReply | Progress):
            kept = books.answers.get((f"device:{said.member}", said.command.id))
            if kept is None or kept[1].get("result") != result:
                yield f"{said.member} {said.command.id}: told {result}, kept {kept}"


# Every message comes, in order, and counts once. --------------------------------------------------


def message_lost(books: Books, told: Evidence) -> Iterator[str]:
    """A phone that is here has every letter, unless a welcome told it, or it is needless."""
    for device in told.online:
        book = told.notes.book(device)
        head = max(book.heads, default=0)
        for letter in books.mail.get(device, ()):
            if letter.seq not in book.seqs and not _covered(letter, head):
                acked = "acked" if letter.acked else "waits"
                yield f"{device} seq {letter.seq} {letter.t} {letter.ref} {acked}"


def _covered(letter: Letter, head: int) -> bool:
    """A state tells of offers and tasks, never of notices."""
    return letter.needless or (letter.seq <= head and letter.t != "notice")


def message_invented(books: Books, told: Evidence) -> Iterator[str]:
    """No phone was handed a number that its stream never gave."""
    for device, book in told.notes.books.items():
        if max(book.seqs, default=0) > books.heads.get(device, 0):
            yield f"{device} has {max(book.seqs)}, the head is {books.heads.get(device)}"


def out_of_order(_: Books, told: Evidence) -> Iterator[str]:
    """On one connection numbers only grow."""
    if told.notes.broken is not None:
        yield str(told.notes.broken)


def told_twice(_: Books, told: Evidence) -> Iterator[str]:
    """No phone rang twice for one thing, whatever was written twice."""
    for device, book in told.notes.books.items():
        for ref, times in (book.offered + book.tasks).items():
            if times > 1 + book.forgot[ref]:
                yield f"{device} rang {times} times for {ref}"
    for (device, nid), times in told.notes.noticed.items():
        if times > 1:
            yield f"{device} showed {nid} {times} times"


def applied_twice(books: Books, _: Evidence) -> Iterator[str]:
    """What can be true once is written once."""
    for incident, lines in books.log.items():
        try:
            check_once(incident, [(line.type, dict(line.data)) for line in lines])
        except Broken as broken:
            yield str(broken)


# Nobody is in two places, nothing is forgotten, nothing goes backwards. ---------------------------


def two_active(books: Books, _: Evidence) -> Iterator[str]:
    """No unit has two active assignments now, nor had at any time of the log."""
    active = Counter(t["unit_id"] for t in books.tasks.values() if t["ended_at"] is None)
    yield from (f"{unit} has {n}" for unit, n in active.items() if n > 1)
    if books.twice_held:
        yield f"{books.twice_held} times in the log"


def no_clock(books: Books, _: Evidence) -> Iterator[str]:
    """Every incident that wants units has a moment at which it is looked at again, or an owner."""
    for incident, row in books.incidents.items():
        wants = Status(row["status"]) in WANTS_UNITS
        if wants and row["owner"] is None and incident not in books.clocks:
            yield f"{incident} is {row['status']}"


def gap_in_log(books: Books, _: Evidence) -> Iterator[str]:
    """The lines of an incident are numbered from one without a gap, as many as it says."""
    for incident, row in books.incidents.items():
        numbers = [line.n for line in books.log.get(incident, ())]
        if numbers != list(range(1, row["events"] + 1)):
            yield f"{incident} has {numbers}, and says {row['events']}"


def incident_backwards(books: Books, _: Evidence) -> Iterator[str]:
    """An incident walks where its table lets it, and ends where its row says."""
    for incident, lines in books.log.items():
        status = Status.REPORTED
        for line in lines:
            if line.type is Event.STATUS:
                legal = {(t.value, to.value) for t, to in INCIDENT[status].items()}
                step = line.data["trigger"], line.data["after"]
                if line.data["before"] != status or step not in legal:
                    yield f"{incident} {line.n}: from {status} by {step}"
                status = Status(line.data["after"])
        if status != books.incidents[incident]["status"]:
            yield f"{incident} ends {status}, its row says {books.incidents[incident]['status']}"


OFFER_AFTER: Final[Mapping[Event, OfferState]] = {
    Event.OFFERED: OfferState.OPEN,
    Event.LAPSED: OfferState.LAPSED,
    Event.ACCEPTED: OfferState.ACCEPTED,
    Event.DECLINED: OfferState.DECLINED,
    Event.EXPIRED: OfferState.EXPIRED,
    Event.WITHDRAWN: OfferState.WITHDRAWN,
    Event.TAKEN: OfferState.TAKEN,
    Event.OFFER_CANCELLED: OfferState.CANCELLED,
}


def offer_backwards(books: Books, _: Evidence) -> Iterator[str]:
    """An offer only goes on, and ends where its row says."""
    now: dict[str, OfferState] = {}
    for line in (line for lines in books.log.values() for line in lines):
        after = OFFER_AFTER.get(line.type)
        if after is None:
            continue
        was = now.get(line.data["offer"], OfferState.OPEN)
        if after not in AFTER_OFFER[was]:
            yield f"{line.data['offer']}: from {was} to {after}"
        now[line.data["offer"]] = after
    for oid, row in books.offers.items():
        if now.get(oid) != row["state"]:
            yield f"{oid} ends {now.get(oid)}, its row says {row['state']}"


def task_backwards(books: Books, _: Evidence) -> Iterator[str]:
    """An assignment only goes on, its end is its last line, and its row says the same."""
    now: dict[str, AssignmentState] = {}
    ended = set[str]()
    for line in (line for lines in books.log.values() for line in lines):
        aid = line.data.get("assignment")
        if line.type is Event.ASSIGNMENT_ENDED:
            ended.add(str(aid))
        elif line.type is Event.PROGRESSED:
            was, after = now.get(str(aid), AssignmentState.ASSIGNED), line.data["state"]
            if after not in AFTER_TASK[was] or aid in ended:
                yield f"{aid}: from {was} to {after}"
            now[str(aid)] = AssignmentState(after)
    for aid, row in books.tasks.items():
        state, logged = AssignmentState(row["state"]), now.get(aid, AssignmentState.ASSIGNED)
        over = state in ENDED
        if state not in (AFTER_TASK[logged] if over else {logged}):
            yield f"{aid} ends {logged}, its row says {state}"
        if over != (row["ended_at"] is not None) or over != (aid in ended):
            yield f"{aid} is {state}, ended at {row['ended_at']}"


def own_invariants(books: Books, _: Evidence) -> Iterator[str]:
    """What the service asks itself every ten seconds has no answer."""
    for rule, rows in books.invariants.items():
        if rule not in LEFT_OPEN:
            yield from (f"{rule}: {row}" for row in rows)


def _answered(notes: Notes) -> Iterator[tuple[Said, dict[str, Any]]]:
    return ((said, said.result) for said in notes.said.values() if said.result is not None)


Rule = Callable[[Books, Evidence], Iterator[str]]
RULES: Final[Mapping[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        incident_lost,
        notice_lost,
        offer_lost,
        acceptance_lost,
        progress_lost,
        answer_lost,
        message_lost,
        message_invented,
        out_of_order,
        told_twice,
        applied_twice,
        two_active,
        no_clock,
        gap_in_log,
        incident_backwards,
        offer_backwards,
        task_backwards,
        own_invariants,
    )
}


async def settled(
    dsn: str, since: Instant, told: Callable[[], Evidence], within_s: float = SETTLED_S
) -> list[Violation]:
    """Return what is still wrong when the faults are over and everything had time to heal."""
    found = [Violation("", "not looked at")]
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while found and loop.time() < until_s:
        await asyncio.sleep(LOOK_S)
        found = await check(dsn, since, told())
    return found
