"""What was decided, read on PostgreSQL: cases and the log."""

from collections.abc import Sequence
from typing import Final

import msgspec

from dispatch.core.events import Entry
from dispatch.ports import Cursor, Logged
from dispatch.store import notice_statements as notice_sql
from dispatch.store import statements as sql
from dispatch.store.closures import FORGET as FORGET_CLOSURES
from dispatch.store.log_rows import entry
from dispatch.store.pools import Pools, translated
from schemas.base import IncidentId, Instant
from schemas.incident import Case, Incident

_case: Final = msgspec.json.Decoder(Case)
_incident: Final = msgspec.json.Decoder(Incident)


class PostgresHistory(Pools):
    """The part of the store that reads, and forgets what is old."""

    async def active_cases(self) -> list[Case]:
        """Return every case that is not over."""
        with translated():
            rows = await self._side.fetch(sql.ACTIVE_CASES, timeout=30)
        return [_case.decode(r["found"]) for r in rows]

    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of a jurisdiction, newest first, older than `before`."""
        with translated():
            rows = await self._side.fetch(sql.INCIDENTS, scope, status, before, limit)
        return [_incident.decode(r["found"]) for r in rows]

    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]:
        """Return an incident's entries above n, oldest first."""
        with translated():
            rows = await self._side.fetch(sql.TIMELINE, incident_id, after, limit)
        return [entry(r) for r in rows]

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, in an order that never gains a line below it later."""
        with translated():
            rows = await self._side.fetch(sql.EVENTS, after.xid, after.id, limit)
        return [
            Logged(
                cursor=Cursor(xid=r["xid"], id=r["id"]),
                incident_id=r["incident_id"],
                entry=entry(r),
                juris=r["juris"],
                source=r["source"],
                ext_id=r["ext_id"],
                ext_rev=r["ext_rev"],
            )
            for r in rows
        ]

    async def forget(self, now: Instant, most: int) -> int:
        """Delete answers and settled mail older than a day; return how many rows went."""
        gone = 0
        old = (sql.FORGET_REPLIES, sql.FORGET_MAIL, *notice_sql.FORGET, FORGET_CLOSURES)
        for statement in old:
            with translated():
                done = await self._side.execute(statement, now, most)
            gone += int(done.rsplit(" ", 1)[1])
        return gone
