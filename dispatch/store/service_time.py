"""What time the service goes by, on PostgreSQL: its clock, and what the service is ahead of it."""

from datetime import timedelta
from typing import Final

from dispatch.core.service_time import Offset, Reading
from dispatch.ports import LIVE_S
from dispatch.store.pools import Pools, translated
from schemas.base import Instant

LIVE: Final = timedelta(seconds=LIVE_S)
READ: Final = """
select t.at, c.version, c.offset_s, c.since, c.reached_at, array(
    select extract(epoch from n.time_at - n.seen_at)::double precision from node n
    where n.time_at >= n.started_at + $1::interval
        and n.seen_at between t.at - $1::interval and t.at + $1::interval
) as claims
from clock c, (select clock_timestamp() as at) t
"""
"""Who has only just started may have taken his time from the clock that is in doubt."""
OFFSET: Final = """
update clock set version = $1, offset_s = $2, since = $3 where version = $1 - 1 returning version
"""
REACHED: Final = "update clock set reached_at = $1 where reached_at < $1"


class PostgresTime(Pools):
    """The part of the store that knows what time it is."""

    async def time(self) -> Reading:
        """Return what the database says of the time; asked where nothing queues but beats."""
        with translated():
            row = await self._pulse.fetchrow(READ, LIVE)
        if row is None:
            raise LookupError("the table `clock` has lost its row")
        offset = Offset(version=row["version"], seconds=row["offset_s"], since=row["since"])
        claims = tuple(row["claims"])
        return Reading(at=row["at"], offset=offset, reached=row["reached_at"], claims=claims)

    async def set_offset(self, offset: Offset) -> bool:
        """Let an offset hold; say whether nobody was faster, whose version is the same."""
        return bool(await self._rows(OFFSET, offset.version, offset.seconds, offset.since))

    async def reach(self, time: Instant) -> None:
        """Write down what the service's time has come to, unless it is known to be later."""
        await self._rows(REACHED, time)
