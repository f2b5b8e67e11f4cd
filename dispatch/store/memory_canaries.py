"""The canary in memory; its lines in the log stay, for their places are counted."""

from collections.abc import Callable
from typing import Final

from dispatch.core.hidden import HIDDEN, is_hidden
from dispatch.store.memory_tables import MemoryTables
from schemas.base import DeviceId, IncidentId, Instant, MemberId, UnitId
from schemas.unit import Device, Duty, Member, Unit, UnitKind

UNIT: Final = Unit(
    id=UnitId(HIDDEN),
    code=HIDDEN,
    name=HIDDEN,
    kind=UnitKind.OFFICE,
    juris=HIDDEN,
    lon=0,
    lat=0,
)
MEMBER: Final = Member(id=MemberId(HIDDEN), unit_id=UNIT.id, name=HIDDEN, leader=True, duty=Duty.ON)
PHONE: Final = Device(
    id=DeviceId(HIDDEN), unit_id=UNIT.id, member_id=MEMBER.id, token_hash=bytes(32)
)


class MemoryCanaries(MemoryTables):
    """The part of the store in memory that keeps the service's own incidents."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._canary_failed = False

    async def put_canary(self) -> None:
        """Register the canary's unit, member and phone, once, and have it on duty."""
        if UNIT.id in self._units:
            self._clock(MEMBER.id, Duty.ON)
        else:
            self._units[UNIT.id] = UNIT
            self._members[MEMBER.id] = MEMBER
            self._crews[UNIT.id] = [MEMBER.id]
            self._outbox.add(PHONE)
            self._registered += 1

    async def canary_ended(self, *, well: bool) -> bool:
        """Note how a canary ended; return whether the one before it ended otherwise."""
        otherwise = self._canary_failed is well
        self._canary_failed = not well
        return otherwise

    async def forget_canaries(self, before: Instant, most: int) -> int:
        """Delete canaries opened before then, and all that was written about them."""
        old = [
            row.id
            for _, row in sorted(self._incidents.items())
            if is_hidden(row.juris) and row.opened_at < before
        ][:most]
        for incident_id in old:
            self._forget_canary(incident_id)
        return len(old)

    def _forget_canary(self, incident_id: IncidentId) -> None:
        for offer_id in self._offers_of.pop(incident_id, ()):
            del self._offers[offer_id]
            self._offers_to[UNIT.id].remove(offer_id)
        for task_id in self._tasks_of.pop(incident_id, ()):
            del self._tasks[task_id]
        self._entries.pop(incident_id, None)
        del self._incidents[incident_id]
