"""The desk: what a person, a phone or a clock wants is made a command, and carried out once."""

from collections.abc import Callable
from typing import Final

import msgspec

from dispatch.auth import Grant, Right, rights
from dispatch.core.amend import corrected
from dispatch.core.commands import (
    Ask,
    Command,
    Correct,
    Merge,
    NoteSplit,
    Open,
    Order,
    Reassign,
    UnitGone,
    Wake,
)
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import ENGINE, Actor, Decision
from dispatch.core.errors import Conflict
from dispatch.core.lifecycle import OVER
from dispatch.desk import answers
from dispatch.desk.changes import Changes, Outcome, Render, replay
from dispatch.desk.looks import Looks
from dispatch.desk.outdated import Outdated
from dispatch.desk.parts import part_of
from dispatch.desk.scope import API, actor_of, available, in_scope
from dispatch.live.told import Told
from dispatch.ports import Due, Loaded, Once
from schemas.actions import SplitIncident
from schemas.alarm import AlarmKind
from schemas.base import IncidentId, Instant, Record
from schemas.incident import Case
from schemas.rest import OpenIncident

__all__ = ["API", "Desk", "Making", "Outcome"]

SINCE_MOST: Final = 50
"""Entries an asker is told of who has not seen the present version: the last ones."""

Making = Callable[[Case, Instant], Command]
"""Says what is meant once the case is there: whose offer it is, and when."""


class Desk(Looks, Changes):
    """Every read and every change of this process, for people, phones and clocks alike."""

    async def open(
        self, body: OpenIncident, grant: Grant, once: Once, received_at: Instant
    ) -> Outcome:
        """Open an incident, ask the first units, and answer with the whole case."""
        if Right.OPEN not in rights(grant):
            grant.require(Right.REPORT)
        incident = self.incident(body, grant.role, grant.juris, received_at)
        command = Open(incident=incident, trusted=Right.OPEN in rights(grant))
        return await self.begin(command, actor_of(grant), once, answers.created)

    async def begin(self, command: Open, actor: Actor, once: Once, render: Render) -> Outcome:
        """Begin a case, once."""
        told = await self.routes.told(command.incident, None)

        def decided(_: Loaded) -> Decision:
            return open_case(command, self._context(command.incident, actor, told))

        return await self._run(None, decided, once, render)

    async def act(
        self,
        incident_id: IncidentId,
        command: Command | Making,
        grant: Grant,
        right: Right,
        once: Once,
        *,
        via: str = API,
        expect: int | None = None,
    ) -> Outcome:
        """Carry out a person's command on an incident of his jurisdiction.

        Raises:
            Outdated: the incident has another version than `expect`; nothing was changed.
        """
        grant.require(right)
        actor = actor_of(grant, via)
        if isinstance(command, Merge | Reassign):
            kept = await self._before(incident_id, grant, once)
            if kept.answer is not None:
                return replay(kept, kept.answer)
            await self._require_open(_other(command), grant)
        try:
            return await self.carry_out(
                incident_id, command, actor, once, answers.changed, grant=grant, expect=expect
            )
        except Outdated as outdated:
            raise await self._explained(incident_id, outdated, expect) from None

    async def carry_out(
        self,
        incident_id: IncidentId,
        command: Command | Making,
        actor: Actor,
        once: Once,
        render: Render,
        *,
        grant: Grant | None = None,
        expect: int | None = None,
    ) -> Outcome:
        """Carry out a command once; raise its refusal when it changes nothing."""
        told = await self._told(incident_id, command)

        def decided(loaded: Loaded) -> Decision:
            case = in_scope(loaded.case, grant)
            _require_version(case, expect)
            meant = command if isinstance(command, Record) else command(case, self.clock.now())
            incident = case.incident
            if isinstance(meant, Correct):
                incident = corrected(incident, meant)
            return decide(case, meant, self._context(incident, actor, told))

        return await self._run(incident_id, decided, once, render)

    async def split(
        self,
        parent_id: IncidentId,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        *,
        expect: int | None = None,
    ) -> Outcome:
        """Open a part of an incident as one of its own, and note it on the first.

        One id covers both: what a crash left half done is completed by the same request again.
        """
        grant.require(Right.CHANGE_INCIDENTS)
        kept = await self._before(parent_id, grant, once)
        if kept.answer is not None:
            outcome = replay(kept, kept.answer)
        else:
            outcome = await self._part(kept, body, grant, once, received_at, expect)
        child = msgspec.json.decode(outcome.answer.body, type=_Named)
        await self.carry_out(
            parent_id,
            NoteSplit(child=IncidentId(child.id)),
            actor_of(grant),
            msgspec.structs.replace(once, scope=f"{once.scope}:split"),
            answers.changed,
            grant=grant,
        )
        return outcome

    async def _part(
        self,
        kept: Loaded,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        expect: int | None,
    ) -> Outcome:
        case = in_scope(kept.case, grant)
        parent = case.incident
        try:
            _require_version(case, expect)
        except Outdated as outdated:
            raise await self._explained(parent.id, outdated, expect) from None
        if parent.status in OVER:
            raise Conflict("the incident is over", state=parent.status)
        child = msgspec.structs.replace(
            self.incident(part_of(parent, body), grant.role, grant.juris, received_at),
            called_at=parent.called_at,
        )
        return await self.begin(
            Open(incident=child, trusted=True), actor_of(grant), once, answers.created
        )

    async def _before(self, incident_id: IncidentId, grant: Grant, once: Once) -> Loaded:
        """Look at a case of the asker's jurisdiction, and at the answer he had."""
        with available():
            loaded = await self.store.load(incident_id, once)
        in_scope(loaded.case, grant)
        return loaded

    async def _require_open(self, incident_id: IncidentId, grant: Grant) -> None:
        """Refuse to send anybody to an incident that is over, or none of the asker's."""
        with available():
            case = in_scope((await self.store.load(incident_id, None)).case, grant)
        if case.incident.status in OVER:
            raise Conflict("the other incident is over", state=case.incident.status)

    async def _explained(
        self, incident_id: IncidentId, outdated: Outdated, seen: int | None
    ) -> Outdated:
        with available():
            entries = await self.store.since(incident_id, seen or 0, SINCE_MOST)
        return Outdated(outdated.version, entries)

    async def tick(self, due: Due) -> None:
        """Do what a clock asks for."""
        await self._unasked(due.incident_id, _meant(due), ENGINE, due_id=due.id)

    async def heal(self, incident_id: IncidentId, command: Command, actor: Actor) -> None:
        """Settle what a check found broken, by a command like any other."""
        await self._unasked(incident_id, command, actor)

    async def _unasked(
        self,
        incident_id: IncidentId,
        command: Command,
        actor: Actor,
        *,
        due_id: int | None = None,
    ) -> None:
        """Carry out what nobody waits for the answer of."""
        told = await self._told(incident_id, command)

        def decided(loaded: Loaded) -> Decision:
            case = in_scope(loaded.case, None)
            return decide(case, command, self._context(case.incident, actor, told))

        await self._run(incident_id, decided, None, None, due_id=due_id)

    async def _told(self, incident_id: IncidentId, command: Command | Making) -> Told | None:
        """Ask the router, where there is one, about the place a command leaves the incident at."""
        case = self.board.case(incident_id)
        if case is None:
            return None
        incident = case.incident
        if isinstance(command, Correct):
            incident = corrected(incident, command)
        named = command.unit_id if isinstance(command, Ask | Order) else None
        return await self.routes.told(incident, case, named)

    async def clock_failed(self, incident_id: IncidentId) -> None:
        """Tell a desk that an incident cannot be decided; once, until somebody has taken note."""
        case = self.board.case(incident_id)
        if case is not None:
            await self.alarms.ring(
                AlarmKind.CLOCK,
                "a clock of the incident failed; a person has to see to it",
                case.incident.juris,
                incident_id=incident_id,
            )


def _meant(due: Due) -> Command:
    """Return the command a clock, or another incident's decision, asks for."""
    if not due.unit_id:
        return Wake()
    if due.kind == "order":
        return Order(unit_id=due.unit_id)
    return UnitGone(unit_id=due.unit_id, engaged=due.kind == "unit_engaged")


def _other(command: Merge | Reassign) -> IncidentId:
    return command.into if isinstance(command, Merge) else command.to


def _require_version(case: Case, expect: int | None) -> None:
    if expect is not None and case.incident.version != expect:
        raise Outdated(case.incident.version)


class _Named(msgspec.Struct):
    id: str
