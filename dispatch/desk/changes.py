"""The one way to change anything: load, decide, commit, apply, and only then send."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from dispatch.core.decision import Decision
from dispatch.core.errors import Conflict, IdReuse, Overloaded, Refusal
from dispatch.core.events import Entry, Event
from dispatch.core.hidden import is_hidden
from dispatch.core.lifecycle import OVER
from dispatch.desk import answers
from dispatch.desk.picture import Picture
from dispatch.ports import (
    AlreadyAnswered,
    Answer,
    Loaded,
    Once,
    Sealed,
    StaleCase,
    StoreAway,
    UnitTaken,
)
from schemas.base import IncidentId, Record, UnitId
from schemas.incident import Case

log = structlog.get_logger()

RACES_MOST: Final = 6
AWAY_S: Final = 3.0
AWAY_PAUSE_S: Final = 0.1
SOON_MOST: Final = 20

Decided = Callable[[Loaded], Decision]
Render = Callable[[Decision], Answer]
RINGED: Final = frozenset({Event.STATUS, Event.WIDENED, Event.CORRECTED})
"""What changes who stands inside a ring that counts."""
NEW: Final = Loaded(case=None, answer=None)
"""What a case that is opened is taken for without a look: sent again, its commit is refused, and
what was refused may have been carried out before. Then it is looked at."""
NOTHING: Final = Answer(status=answers.DONE, body=msgspec.Raw(b"null"))


class Outcome(Record, frozen=True, kw_only=True):
    """What a command was answered, and whether it had been answered before."""

    answer: Answer
    replayed: bool = False


class Changes(Picture):
    """Memory ranks, the store arbitrates: what it refuses is decided again."""

    async def _run(
        self,
        incident_id: IncidentId | None,
        decided: Decided,
        once: Once | None,
        render: Render | None,
        *,
        due_id: int | None = None,
    ) -> Outcome:
        await self._rouse()
        async with self._turns.of(incident_id):
            deadline = self.clock.now() + timedelta(seconds=AWAY_S)
            late: Refusal = Overloaded("too many decisions on this incident at once")
            for race in range(RACES_MOST):
                looked = incident_id is not None or race > 0
                try:
                    loaded = await self.store.load(incident_id, once) if looked else NEW
                    return await self._attempt(loaded, decided, once, render, due_id)
                except StaleCase as stale:
                    # An incident that exists may be this very command's, sent twice: look again.
                    if incident_id is None and race > 0:
                        raise Conflict("an incident of this source and ext_id exists") from stale
                except AlreadyAnswered:
                    continue
                except Refusal:
                    if looked:
                        raise
                except UnitTaken as taken:
                    self.reread.update(taken.unit_ids)
                    raise Conflict("the unit has another task", state="engaged") from taken
                except StoreAway as away:
                    late = self.room.away()
                    if self.clock.now() >= deadline:
                        raise late from away
                    await asyncio.sleep(AWAY_PAUSE_S)
        raise late

    async def _attempt(
        self,
        loaded: Loaded,
        decided: Decided,
        once: Once | None,
        render: Render | None,
        due_id: int | None,
    ) -> Outcome:
        if loaded.answer is not None:
            return replay(loaded, loaded.answer)
        began_s = self.clock.now().timestamp()
        decision = decided(loaded)
        answer = render(decision) if render else NOTHING
        with self.in_flight.changing(_about(decision)):
            sealed = await self._commit(decision, once, answer, due_id)
            self.metrics.commit_s.observe(self.clock.now().timestamp() - began_s)
            self._apply(decision, sealed)
        return Outcome(answer=answer)

    async def _commit(
        self, decision: Decision, once: Once | None, answer: Answer, due_id: int | None
    ) -> Sequence[Sealed]:
        """Commit; where nobody can tell whether it happened, memory is to be read again."""
        try:
            sealed = await self.store.commit(decision, once, answer, self.clock.now(), due_id)
        except StoreAway:
            self.unsure.add(decision.case.incident.id)
            self.commit_failed_at = self.clock.now()
            raise
        self.commit_failed_at = None
        return sealed

    def _apply(self, decision: Decision, sealed: Sequence[Sealed]) -> None:
        """Make visible what is now on disk."""
        unheard = self._unheard(decision.case, decision.entries)
        self.board.put(decision.case)
        self.fleet.fold(decision.entries)
        for letter in sealed:
            self.roster.sealed(letter.device_id, letter.seq)
        if self._voice is not None:
            self._voice.decided(decision, sealed)
        self._outbound.push(sealed)
        self._assign(letter.device_id for letter in sealed)
        self.changed(_units(decision.entries) | self._around(decision.case, decision.entries))
        self.locate(decision.unsure)
        self.metrics.decided(decision)
        self._find_out(unheard, decision.case)
        _tell(decision)
        if decision.alarms:
            self.alarms.look()
        if decision.put_off:
            self.put_off.add(decision.case.incident.id)
        self._look_ahead(decision.entries)

    def follow(
        self,
        case: Case,
        entries: Sequence[Entry],
        sealed: Sequence[Sealed],
        unsure: Sequence[UnitId],
    ) -> None:
        """Make visible what another process has decided, unless something later is known."""
        with self.in_flight.changing(_named(case, entries)):
            before = self.board.units(case.incident.id)
            unheard = self._unheard(case, entries)
            if self.board.put(case):
                self.fleet.fold(entries)
            told = before | self.board.units(case.incident.id) | _units(entries)
            for unit_id in told:
                engaged = bool(self.board.tasks_of(unit_id))
                ringing = self.board.ringing(unit_id)
                self.fleet.call_on(unit_id, engaged=engaged, ringing=ringing)
            for letter in sealed:
                self.roster.sealed(letter.device_id, letter.seq)
            self._outbound.push(sealed)
        self._find_out(unheard, case)
        self.reread.update(_released(entries))
        self.changed(told | self._around(case, entries))
        self.locate(unsure)

    def _unheard(self, case: Case, entries: Iterable[Entry]) -> set[UnitId] | None:
        """Return whom memory thinks asked or sent, where versions between are not known here.

        Of a case that is over memory knows nothing, and nobody was told anything of it.
        """
        incident = case.incident
        if incident.version <= self.board.version(incident.id) + 1 or _reopened(entries):
            return None
        return self.board.units(incident.id)

    def _find_out(self, unheard: set[UnitId] | None, case: Case) -> None:
        """Let the phones know that were told a state without what was decided between."""
        if unheard is not None:
            self.found_out(unheard | self.board.units(case.incident.id))

    def _around(self, case: Case, entries: Iterable[Entry]) -> set[UnitId]:
        """Note who stands inside the ring; return whose situation is another by it."""
        if not RINGED.isdisjoint(entry.type for entry in entries):
            return self._ring(case)
        return set()

    def _look_ahead(self, entries: Iterable[Entry]) -> None:
        """Wake the due loop where a decision means something for other incidents."""
        if released := _released(entries):
            self.reread.update(released)
            self.soon.update(self.board.waiting()[:SOON_MOST])
        self.poke.set()


def _tell(decision: Decision) -> None:
    """Write a line of the log, by which a trace id leads to the incident; not of the canary."""
    incident = decision.case.incident
    if decision.entries and not is_hidden(incident.juris):
        events = [entry.type for entry in decision.entries]
        log.info("decided", incident=incident.id, events=events)


def _about(decision: Decision) -> set[str]:
    """Return the incident and the units that a decision changes."""
    return _named(decision.case, decision.entries)


def _named(case: Case, entries: Iterable[Entry]) -> set[str]:
    return {case.incident.id, *_units(entries)}


def _reopened(entries: Iterable[Entry]) -> bool:
    return any(e.type is Event.STATUS and e.data["before"] in OVER for e in entries)


def _released(entries: Iterable[Entry]) -> set[UnitId]:
    """Return the units that were let go: whoever waited for that to leave is off duty now."""
    return _units(entry for entry in entries if entry.type is Event.ASSIGNMENT_ENDED)


def _units(entries: Iterable[Entry]) -> set[UnitId]:
    return {entry.unit_id for entry in entries if entry.unit_id}


def replay(loaded: Loaded, answer: Answer) -> Outcome:
    """Return the answer a command had; refuse its id under another payload."""
    if not loaded.same_payload:
        raise IdReuse("this id was used with another payload")
    return Outcome(answer=answer, replayed=True)
