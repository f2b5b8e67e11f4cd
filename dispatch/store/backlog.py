"""What waits in the database, counted for the metrics."""

from collections.abc import Mapping
from typing import Final

from dispatch.store.pools import Pools, translated
from schemas.base import Instant

COUNTED_MOST: Final = 100_000
"""A queue is counted no further: each look stays cheap whatever has piled up."""
BACKLOG: Final = """
select
    (select count(*) from (select from due where at <= $1 limit $2) x) as due,
    (select count(*) from (
        select from outbox where acked_at is null and not superseded and expires_at > $1 limit $2
    ) x) as outbox,
    (select count(*) from notice where sent_at is null) as notices,
    (select count(*) from (select from push where state = 'waiting' limit $2) x) as pushes,
    (select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::bigint
     from pg_replication_slots where starts_with(slot_name, 'kapok_archive_')) as archive_bytes
"""


class PostgresBacklog(Pools):
    """The part of the store that counts what waits in it."""

    async def backlog(self, now: Instant) -> Mapping[str, int]:
        """Return how many rows wait, by queue, at most `COUNTED_MOST` each; and what the archive
        has not received, in bytes.
        """
        with translated():
            row = await self._side.fetchrow(BACKLOG, now, COUNTED_MOST)
        return dict(row) if row else {}
