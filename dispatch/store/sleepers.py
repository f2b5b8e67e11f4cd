"""Phones that sleep, on PostgreSQL: where they are woken, for what, and how it went."""

from collections.abc import Mapping, Sequence

from dispatch.ports import Claimed, Push, PushAddress, Settled, Unheard
from dispatch.store import push_rows
from dispatch.store import push_statements as sql
from dispatch.store.pools import Pools, encoded, translated
from schemas.base import DeviceId, Instant, UnitId


class PostgresSleepers(Pools):
    """The part of the store that wakes phones."""

    async def put_push_addresses(
        self, addresses: Mapping[DeviceId, PushAddress | None]
    ) -> list[UnitId]:
        """Keep where phones are woken; return the unit of each that changed."""
        columns = (
            list(addresses),
            [to and to.kind for to in addresses.values()],
            [to and to.a for to in addresses.values()],
        )
        with translated():
            rows = await self._side.fetch(sql.PUT_PUSH_ADDRESSES, *columns)
        return [UnitId(r["unit_id"]) for r in rows]

    async def drop_push_address(self, device_id: DeviceId, address: PushAddress) -> list[UnitId]:
        """Forget an address that leads nowhere, unless there is another by now."""
        with translated():
            rows = await self._side.fetch(sql.DROP_PUSH_ADDRESS, device_id, address.kind, address.a)
        return [UnitId(r["unit_id"]) for r in rows]

    async def unheard(
        self,
        asleep: Sequence[DeviceId],
        written_by: Instant,
        own_by: Instant,
        now: Instant,
        limit: int,
    ) -> list[Unheard]:
        """Return frames not acknowledged and not yet weighed, written by then, oldest first.

        Those of phones in `asleep` whenever they were written; those a phone caused itself (by a
        command answered in the same transaction) only when written by `own_by`.
        """
        with translated():
            rows = await self._side.fetch(sql.UNHEARD, asleep, written_by, own_by, now, limit)
        return [push_rows.unheard(r) for r in rows]

    async def plan_pushes(
        self, weighed: Sequence[tuple[DeviceId, int]], pushes: Sequence[Push]
    ) -> None:
        """Note which frames were weighed, and the pushes that came of it; both once."""
        columns = [device for device, _ in weighed], [seq for _, seq in weighed]
        with translated():
            await self._side.execute(sql.PLAN_PUSHES, *columns, encoded(pushes))

    async def claim_pushes(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int
    ) -> list[Claimed]:
        """Take what is due for `lease_s`, urgent first; what needs no try is settled instead."""
        with translated():
            rows = await self._side.fetch(sql.CLAIM_PUSHES, limit, now, lease_s, sms_per_hour)
        return [push_rows.claimed(r) for r in rows]

    async def settle_push(self, settled: Settled, now: Instant) -> None:
        """Note how a try went; what is final stays, but for a yes that came late."""
        with translated():
            await self._side.execute(
                sql.SETTLE_PUSH,
                settled.device_id,
                settled.seq,
                settled.channel,
                settled.state,
                settled.next_at,
                settled.note,
                now,
            )
