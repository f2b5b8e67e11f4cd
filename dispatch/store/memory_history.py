"""What was decided, read in memory: cases, the log, and what must always be true of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.core.events import Entry
from dispatch.core.lifecycle import OPEN_OFFER, WANTS_UNITS
from dispatch.ports import Broken, Cursor, Logged
from dispatch.store.memory_closures import MemoryClosures
from dispatch.store.memory_notices import MemoryNotices
from dispatch.store.memory_tables import is_over
from geo.jurisdiction import within
from schemas.base import IncidentId, Instant
from schemas.incident import Case, Incident

DAY: Final = timedelta(hours=24)
OVERDUE: Final = timedelta(seconds=2)


class MemoryHistory(MemoryNotices, MemoryClosures):
    """The part of the store in memory that reads, and forgets what is old."""

    async def active_cases(self) -> list[Case]:
        """Return every case that is not over."""
        return [self._case(i) for i, row in sorted(self._incidents.items()) if not is_over(row)]

    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of a jurisdiction, newest first, older than `before`."""
        found = [
            row
            for i, row in sorted(self._incidents.items(), reverse=True)
            if within(row.juris, scope)
            and (not status or row.status in status)
            and (before is None or i < before)
        ]
        return found[:limit]

    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]:
        """Return an incident's entries above n, oldest first."""
        return self._entries.get(incident_id, [])[after : after + limit]

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, in an order that never gains a line below it later."""
        return [self._about(logged) for logged in self._log[after.id : after.id + limit]]

    def _about(self, logged: Logged) -> Logged:
        """Say of a line whose ground it is about, as that stands now."""
        incident = self._incidents.get(logged.incident_id) if logged.incident_id else None
        if incident is None:
            unit = self._units.get(logged.entry.unit_id) if logged.entry.unit_id else None
            return replace(logged, juris=unit.juris if unit else "")
        return replace(
            logged,
            juris=incident.juris,
            source=incident.source,
            ext_id=incident.ext_id,
            ext_rev=incident.ext_rev,
        )

    async def broken(self, most: int) -> list[Broken]:
        """Return where an invariant does not hold, at most `most` a rule.

        The rules that dicts keep by themselves (one task a unit, no gap in a log) are not asked.
        """
        found = {
            "no_clock_nor_owner": self._forgotten(),
            "clock_overdue": self._due.overdue(self._now() - OVERDUE),
            "assignment_on_final_incident": self._still_sent(),
            "offer_on_final_incident": self._still_asked(),
        }
        return [
            Broken(rule=rule, incident_id=incident_id)
            for rule, ids in found.items()
            for incident_id in sorted(set(ids))[:most]
        ]

    def _forgotten(self) -> list[IncidentId]:
        sent = {self._tasks[task_id].incident_id for task_id in self._active.values()}
        minded = sent | self._due.incidents()
        return [
            i
            for i, row in self._incidents.items()
            if row.status in WANTS_UNITS and row.owner is None and i not in minded
        ]

    def _still_sent(self) -> list[IncidentId]:
        tasks = (self._tasks[task_id] for task_id in self._active.values())
        return [t.incident_id for t in tasks if is_over(self._incidents[t.incident_id])]

    def _still_asked(self) -> list[IncidentId]:
        asked = (o for o in self._offers.values() if o.state in OPEN_OFFER)
        return [o.incident_id for o in asked if is_over(self._incidents[o.incident_id])]

    async def forget(self, now: Instant, most: int) -> int:
        """Delete answers and settled mail older than a day; return how many rows went."""
        old = sorted((r.at, key) for key, r in self._replies.items() if r.at < now - DAY)
        for _, key in old[:most]:
            del self._replies[key]
        self._forget_notices(now)
        gone = min(most, len(old)) + self._forget_closures(now, most)
        return gone + self._outbox.forget(now - DAY, now, most)
