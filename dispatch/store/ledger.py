"""What was written, read afterwards: counts and proofs of a run, from the log and the outbox."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dispatch.store import statements as sql
from dispatch.store.connection import Connection, connected
from schemas.base import DeviceId, IncidentId, Instant, Record


class Counts(Record, frozen=True, kw_only=True):
    """What came of a run so far."""

    incidents: int = 0
    open: int = 0
    offers: int = 0
    accepted: int = 0
    arrived: int = 0
    within_180_s: int = 0
    within_300_s: int = 0
    accepted_p50_s: float | None = None


class Ledger:
    """Reads over one connection; `since` is the start of the run."""

    def __init__(self, connection: Connection, since: Instant) -> None:
        self._connection = connection
        self._since = since

    async def counts(self) -> Counts:
        """Return how many of each there are."""
        row = await self._connection.fetchrow(sql.COUNTS, self._since)
        return Counts(**dict(row)) if row else Counts()

    async def unserved(self) -> Mapping[IncidentId, str]:
        """Return the incidents nobody accepted within 60 s of opening, with the reason known."""
        rows = await self._connection.fetch(sql.UNSERVED, self._since)
        return {IncidentId(r["id"]): r["reason"] for r in rows}

    async def waiting(self) -> int:
        """Return how many younger than 60 s nobody has accepted yet."""
        count: int = await self._connection.fetchval(sql.WAITING, self._since)
        return count

    async def double_booked(self) -> int:
        """Return how often the log shows a unit with two active assignments."""
        count: int = await self._connection.fetchval(sql.DOUBLE_BOOKED)
        return count

    async def must_be_seen(self, older_than_s: float) -> Mapping[DeviceId, list[int]]:
        """Return the seqs each phone must have had by now, but for the superseded and expired."""
        rows = await self._connection.fetch(sql.MUST_BE_SEEN, self._since, older_than_s)
        return {DeviceId(r["device_id"]): r["seqs"] for r in rows}

    async def opened(self) -> Mapping[IncidentId, Instant]:
        """Return when each incident of the run came in."""
        rows = await self._connection.fetch(sql.OPENED, self._since)
        return {IncidentId(r["id"]): r["opened_at"] for r in rows}


@asynccontextmanager
async def ledger(dsn: str, since: Instant) -> AsyncIterator[Ledger]:
    """Open the ledger of a run; raise `StoreAway` when the database does not answer."""
    async with connected(dsn) as connection:
        yield Ledger(connection, since)
