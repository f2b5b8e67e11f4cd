"""The canary on PostgreSQL: registered once, remembered an hour, and whether it lives."""

from dispatch.store import canary_statements as sql
from dispatch.store.pools import Pools, translated
from schemas.base import Instant


class PostgresCanaries(Pools):
    """The part of the store that keeps the service's own incidents, apart from all others."""

    async def put_canary(self) -> None:
        """Register the canary's unit, member and phone, once, and have it on duty."""
        with translated():
            await self._side.execute(sql.PUT_CANARY)

    async def canary_ended(self, *, well: bool) -> bool:
        """Note how a canary ended; return whether the one before it ended otherwise."""
        with translated():
            return await self._side.fetchval(sql.CANARY_ENDED, not well) is not None

    async def forget_canaries(self, before: Instant, most: int) -> int:
        """Delete canaries opened before then, and all that was written about them."""
        with translated():
            gone: int = await self._side.fetchval(sql.FORGET_CANARIES, before, most)
        return gone
