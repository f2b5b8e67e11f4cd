"""Decisions on PostgreSQL: loaded, written whole or not at all, and woken for."""

from typing import Any, Final

import msgspec

from dispatch.core.decision import Decision
from dispatch.ports import OUTBOX_MOST, Answer, Due, Loaded, Once, Sealed
from dispatch.store import statements as sql
from dispatch.store.pools import Pools, encoded, kept_reply, translated
from dispatch.trace import present
from schemas.base import DeviceId, IncidentId, Instant
from schemas.incident import Case

_case: Final = msgspec.json.Decoder(Case)
_posted: Final = msgspec.json.Decoder(list[dict[str, Any]])


class PostgresDecisions(Pools):
    """The part of the store that decides races; a decision is two round trips."""

    async def load(self, incident_id: IncidentId | None, once: Once | None) -> Loaded:
        """Read the case and, under a command's id, the answer it already had."""
        scope, command = (once.scope, once.id) if once else (None, None)
        with translated():
            row = await self._desk.fetchrow(sql.LOAD, incident_id, scope, command)
        assert row is not None, "the statement always returns one row"  # noqa: S101 - a fact of the SQL
        answered = row["status"] is not None
        return Loaded(
            case=_case.decode(row["found"]) if row["found"] else None,
            answer=Answer(status=row["status"], body=msgspec.Raw(row["body"].encode()))
            if answered
            else None,
            same_payload=not answered or once is None or row["digest"] == once.digest,
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
            UnitTaken: a unit has another active assignment; nothing was written.
            AlreadyAnswered: the command's id has an answer; nothing was written.
            StoreAway: not known whether it was written; load again before answering.
        """
        body = {
            "now": now,
            "version": decision.before.incident.version if decision.before else 0,
            "incident": decision.case.incident,
            "offers": decision.offers,
            "assignments": decision.assignments,
            "entries": decision.entries,
            "mail": decision.mail,
            "errands": decision.errands,
            "alarms": decision.alarms,
            "wake_at": decision.wake_at,
            **kept_reply(once, answer),
            **({} if due_id is None else {"due_id": due_id}),
        }
        with translated():
            posted = await self._desk.fetchval(sql.COMMIT, encoded(body), OUTBOX_MOST, present())
        return [
            Sealed(device_id=DeviceId(p["device"]), seq=p["seq"], mail=decision.mail[p["i"]])
            for p in _posted.decode(posted)
        ]

    async def remember(self, once: Once, answer: Answer, now: Instant) -> None:
        """Keep the answer of a command that changed nothing, so that its retry hears the same."""
        with translated():
            await self._desk.execute(
                sql.REMEMBER,
                once.scope,
                once.id,
                once.digest,
                answer.status,
                bytes(answer.body).decode(),
                now,
            )

    async def incident_of(self, *, offer: str = "", assignment: str = "") -> IncidentId | None:
        """Return the incident an offer or an assignment belongs to."""
        statement = sql.INCIDENT_OF_OFFER if offer else sql.INCIDENT_OF_ASSIGNMENT
        with translated():
            found = await self._desk.fetchval(statement, offer or assignment)
        return None if found is None else IncidentId(found)

    async def claim_due(self, limit: int, now: Instant) -> list[Due]:
        """Take moments that have come, for ten seconds: a dead taker leaves them to others."""
        with translated():
            rows = await self._side.fetch(sql.CLAIM_DUE, limit, now)
        return [
            Due(
                id=r["id"],
                incident_id=r["incident_id"],
                kind=r["kind"],
                unit_id=r["unit_id"],
                trace=r["trace"] or "",
            )
            for r in rows
        ]

    async def next_due(self) -> Instant | None:
        """Return the nearest moment to come."""
        with translated():
            at: Instant | None = await self._side.fetchval(sql.NEXT_DUE)
        return at

    async def drop_due(self, due_id: int) -> None:
        """Forget a moment that turned out to mean nothing."""
        with translated():
            await self._side.execute(sql.DROP_DUE, due_id)
