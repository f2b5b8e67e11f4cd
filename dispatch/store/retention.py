"""Deletes what is older than it has to be kept, a bounded part at a time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dispatch.store.pools import Pools, translated
from schemas.base import Instant

ONE_AT_A_TIME: Final = 0x6B657074
"""Held by whoever deletes, and by a backup for as long as it takes."""
PLACES_KEPT: Final = timedelta(days=30)
"""Where a unit was last: location is sensitive, and nothing rests on a place of last month."""
TOKENS_KEPT: Final = timedelta(days=30)
"""After their end: so long a phone is told that its token has ended, and later not known."""
RETIRE: Final = "select retire($1, $2, $3, $4)"
FORGET_PLACES: Final = """
delete from position where unit_id in (
    select unit_id from position where at < $1 order by unit_id limit $2)
"""
FORGET_TOKENS: Final = """
delete from device_token where hash in (
    select hash from device_token where expires_at < $1 order by hash limit $2)
"""


class PostgresRetention(Pools):
    """The part of the store that deletes what nobody has a right to any more."""

    async def retire(self, before: Instant, most: int) -> int | None:
        """Delete at most `most` incidents that ended before then, whole, and lines of none.

        Return how many rows went; None while a backup is taken.
        """
        with translated():
            gone: int | None = await self._side.fetchval(
                RETIRE, before, lowest_id(before), most, ONE_AT_A_TIME
            )
        return gone

    async def forget_traces(self, now: Instant, most: int) -> int:
        """Delete places and tokens that are older than is kept; return how many rows went."""
        gone = 0
        for statement, before in self._traces(now):
            with translated():
                done = await self._side.execute(statement, before, most)
            gone += int(done.rsplit(" ", 1)[1])
        return gone

    @staticmethod
    def _traces(now: Instant) -> Sequence[tuple[str, Instant]]:
        return (FORGET_PLACES, now - PLACES_KEPT), (FORGET_TOKENS, now - TOKENS_KEPT)


def lowest_id(at: Instant) -> str:
    """Return what no id given since is below: ids begin with their millisecond (RFC 9562)."""
    text = f"{int(at.timestamp() * 1000):012x}"
    return f"{text[:8]}-{text[8:]}"
