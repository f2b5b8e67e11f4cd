"""Decisions in memory: loaded, written whole or not at all, and woken for."""

from collections.abc import Sequence

from msgspec.structs import replace

from dispatch.core.decision import Decision
from dispatch.core.events import Entry, Event
from dispatch.ports import (
    OUTBOX_MOST,
    AlreadyAnswered,
    Answer,
    Due,
    Loaded,
    Once,
    Sealed,
    StaleCase,
    UnitTaken,
)
from dispatch.store.memory_alarms import MemoryAlarms
from dispatch.store.memory_tables import is_over
from schemas.base import AssignmentId, IncidentId, Instant, OfferId, UnitId
from schemas.incident import Assignment, Offer


class MemoryDecisions(MemoryAlarms):
    """The part of the store in memory that decides races."""

    async def load(self, incident_id: IncidentId | None, once: Once | None) -> Loaded:
        """Read the case and, under a command's id, the answer it already had."""
        reply = self._reply(once)
        known = incident_id is not None and incident_id in self._incidents
        return Loaded(
            case=self._case(incident_id) if known and incident_id else None,
            answer=reply.answer if reply else None,
            same_payload=reply is None or once is None or reply.digest == once.digest,
        )

    async def commit(
        self,
        decision: Decision,
        once: Once | None,
        answer: Answer | None,
        now: Instant,
        due_id: int | None = None,
    ) -> list[Sealed]:
        """Write a decision whole, or not at all; return its mail as it was sealed for each phone.

        Raises:
            StaleCase: somebody decided first; nothing was written.
            AlreadyAnswered: the command's id has an answer; nothing was written.
            UnitTaken: a unit has another active assignment; nothing was written.
        """
        self._guard(decision, once, answer)
        incident_id = decision.case.incident.id
        self._write_incident(decision)
        self._keep(once, answer, now)
        self._write_offers(decision)
        self._write_tasks(decision, now)
        self._write_log(incident_id, decision.entries, self._incidents[incident_id].version)
        cause = once.scope if once is not None and answer is not None else ""
        sealed = self._outbox.post(decision.mail, self._duty, cause)
        for errand in decision.errands:
            self._due.add(errand.incident_id, errand.kind, errand.unit_id, now)
        self._due.wake(incident_id, decision.wake_at)
        self._due.done(due_id)
        self._keep_alarms(decision.alarms)
        if is_over(decision.case.incident):
            self._end_alarms(incident_id, now)
        self._outbox.trim({letter.device_id for letter in sealed}, OUTBOX_MOST, now)
        return sealed

    def _guard(self, decision: Decision, once: Once | None, answer: Answer | None) -> None:
        """Refuse what the constraints of the tables refuse, in their order."""
        incident = decision.case.incident
        seen = decision.before.incident.version if decision.before else 0
        known = self._incidents.get(incident.id)
        if seen != (known.version if known else 0):
            raise StaleCase
        if known is None and (incident.source, incident.ext_id) in self._external:
            raise StaleCase
        if answer is not None and self._reply(once) is not None:
            raise AlreadyAnswered
        if taken := self._taken(decision.assignments):
            raise UnitTaken(taken)

    def _taken(self, tasks: Sequence[Assignment]) -> list[UnitId]:
        freed = {t.id for t in tasks if t.ended_at}
        new = [t for t in tasks if t.id not in self._tasks and t.ended_at is None]
        held = {t.unit_id for t in new if self._active.get(t.unit_id, t.id) not in freed | {t.id}}
        return sorted(held)

    def _write_incident(self, decision: Decision) -> None:
        incident = decision.case.incident
        version = decision.before.incident.version + 1 if decision.before else 1
        self._incidents[incident.id] = replace(incident, version=version)
        if incident.ext_id is not None:
            self._external.add((incident.source, incident.ext_id))

    def _write_offers(self, decision: Decision) -> None:
        for offer in decision.offers:
            known = self._offers.get(offer.id)
            if known is None:
                self._offers_of.setdefault(offer.incident_id, []).append(offer.id)
                self._offers_to.setdefault(offer.unit_id, []).append(offer.id)
            self._offers[offer.id] = _merged(known, offer)
        for entry in decision.entries:
            self._tally(entry)

    def _tally(self, entry: Entry) -> None:
        """Count what a unit's own acceptance rate is made of."""
        if entry.unit_id is None or entry.type not in {Event.OFFERED, Event.ACCEPTED}:
            return
        offers, accepts = self._tallies.get(entry.unit_id, (0, 0))
        asked = entry.type is Event.OFFERED
        self._tallies[entry.unit_id] = (offers + asked, accepts + (not asked))

    def _write_tasks(self, decision: Decision, now: Instant) -> None:
        for task in decision.assignments:
            if task.id not in self._tasks:
                self._tasks_of.setdefault(task.incident_id, []).append(task.id)
            self._tasks[task.id] = task
        for task in decision.assignments:
            if task.ended_at is not None:
                self._release(task)
        for task in decision.assignments:
            if task.ended_at is None:
                self._engage(task, now)

    def _release(self, task: Assignment) -> None:
        """Free a unit; who clocked out while engaged leaves now."""
        if self._active.get(task.unit_id) == task.id:
            del self._active[task.unit_id]
        for member_id in self._crews.get(task.unit_id, ()):
            if member_id in self._leaves:
                self._clock(member_id, self._leaves.pop(member_id))

    def _engage(self, task: Assignment, now: Instant) -> None:
        """Hold a unit; the incidents that still ask it are told by a moment each."""
        self._active[task.unit_id] = task.id
        for offer in self._open_to(task.unit_id):
            if offer.incident_id != task.incident_id:
                self._due.add(offer.incident_id, "unit_engaged", task.unit_id, now)

    async def remember(self, once: Once, answer: Answer, now: Instant) -> None:
        """Keep the answer of a command that changed nothing, so that its retry hears the same."""
        self._keep(once, answer, now)

    async def incident_of(self, *, offer: str = "", assignment: str = "") -> IncidentId | None:
        """Return the incident an offer or an assignment belongs to."""
        row = (
            self._offers.get(OfferId(offer)) if offer else self._tasks.get(AssignmentId(assignment))
        )
        return None if row is None else row.incident_id

    async def claim_due(self, limit: int, now: Instant) -> list[Due]:
        """Take moments that have come, for ten seconds: a dead taker leaves them to others."""
        return list(self._due.claim(limit, now))

    async def next_due(self) -> Instant | None:
        """Return the nearest moment to come."""
        return self._due.nearest()

    async def drop_due(self, due_id: int) -> None:
        """Forget a moment that turned out to mean nothing."""
        self._due.drop(due_id)


def _merged(known: Offer | None, offer: Offer) -> Offer:
    """Return an offer as it is kept: facts beside its state are never lost by a decision."""
    if known is None:
        return offer
    return replace(
        offer,
        delivered_at=known.delivered_at or offer.delivered_at,
        seen_at=known.seen_at or offer.seen_at,
    )
