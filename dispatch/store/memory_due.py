"""The moments of the store in memory: one wake an incident, one row for each unit that left it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.ports import Due
from dispatch.trace import present
from schemas.base import IncidentId, Instant, Record, UnitId

LEASE: Final = timedelta(seconds=10)
"""A moment that was claimed and not finished comes again after this long."""
WAKE: Final = "wake"


class Moment(Record, frozen=True, kw_only=True):
    """A row, and when it comes."""

    due: Due
    at: Instant


class MemoryDue:
    """Moments by id; an incident has each kind and unit once."""

    def __init__(self) -> None:
        self._moments: dict[int, Moment] = {}
        self._ids: dict[tuple[IncidentId, str, UnitId | None], int] = {}
        self._given = 0

    def wake(self, incident_id: IncidentId, at: Instant | None) -> None:
        """Let an incident wake at another instant, or not at all."""
        known = self._ids.get((incident_id, WAKE, None))
        if at is None:
            self.drop(known)
        elif known is None:
            self.add(incident_id, WAKE, None, at)
        else:
            self._moments[known] = replace(self._moments[known], at=at)

    def add(self, incident_id: IncidentId, kind: str, unit_id: UnitId | None, at: Instant) -> None:
        """Add a moment, unless the incident has it already."""
        key = (incident_id, kind, unit_id)
        if key in self._ids:
            return
        self._given += 1
        self._ids[key] = self._given
        due = Due(
            id=self._given,
            incident_id=incident_id,
            kind=kind,
            unit_id=unit_id,
            trace="" if kind == WAKE else present(),
        )
        self._moments[self._given] = Moment(due=due, at=at)

    def drop(self, due_id: int | None) -> None:
        """Forget a moment; one that is not there is forgotten already."""
        if due_id in self._moments:
            due = self._moments.pop(due_id).due
            del self._ids[due.incident_id, due.kind, due.unit_id]

    def done(self, due_id: int | None) -> None:
        """Forget the moment a decision answered; a wake was set anew by the decision itself."""
        if due_id in self._moments and self._moments[due_id].due.kind != WAKE:
            self.drop(due_id)

    def claim(self, limit: int, now: Instant) -> Iterator[Due]:
        """Lease the moments that have come, the oldest first."""
        come = sorted((m.at, i) for i, m in self._moments.items() if m.at <= now)
        for _, i in come[:limit]:
            self._moments[i] = replace(self._moments[i], at=now + LEASE)
            yield self._moments[i].due

    def nearest(self) -> Instant | None:
        """Return the nearest moment to come."""
        return min((m.at for m in self._moments.values()), default=None)

    def overdue(self, before: Instant) -> list[IncidentId]:
        """Return the incidents of moments that should have been answered by then."""
        return [m.due.incident_id for m in self._moments.values() if m.at < before]

    def incidents(self) -> set[IncidentId]:
        """Return the incidents that have a moment to come."""
        return {m.due.incident_id for m in self._moments.values()}
