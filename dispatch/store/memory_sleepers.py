"""Phones that sleep, in memory: where they are woken, for what, and how it went."""

from collections.abc import Mapping, Sequence

from dispatch.ports import Claimed, Push, PushAddress, Settled, Unheard
from dispatch.store.memory_tables import MemoryTables
from schemas.base import DeviceId, Instant, MemberId, UnitId


class MemorySleepers(MemoryTables):
    """The part of the store in memory that wakes phones."""

    async def put_push_addresses(
        self, addresses: Mapping[DeviceId, PushAddress | None]
    ) -> list[UnitId]:
        """Keep where phones are woken; return the unit of each that changed."""
        streams = [s for d in addresses if (s := self._outbox.stream(d)) is not None]
        changed = [s for s in streams if s.address != addresses[s.device.id]]
        for stream in changed:
            stream.address = addresses[stream.device.id]
        return [stream.device.unit_id for stream in changed]

    async def drop_push_address(self, device_id: DeviceId, address: PushAddress) -> list[UnitId]:
        """Forget an address that leads nowhere, unless there is another by now."""
        if self._address(device_id) != address:
            return []
        return await self.put_push_addresses({device_id: None})

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
        return self._push.unheard(asleep, written_by, own_by, now, self._tel)[:limit]

    async def plan_pushes(
        self, weighed: Sequence[tuple[DeviceId, int]], pushes: Sequence[Push]
    ) -> None:
        """Note which frames were weighed, and the pushes that came of it; both once."""
        self._push.plan(weighed, pushes)

    async def claim_pushes(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int
    ) -> list[Claimed]:
        """Take what is due for `lease_s`, urgent first; what needs no try is settled instead."""
        return list(self._push.claim(limit, now, lease_s, sms_per_hour, self._tel))

    async def settle_push(self, settled: Settled, now: Instant) -> None:
        """Note how a try went; what is final stays, but for a yes that came late."""
        self._push.settle(settled)

    def _tel(self, member_id: MemberId) -> str:
        return self._members[member_id].tel
