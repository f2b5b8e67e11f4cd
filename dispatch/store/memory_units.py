"""Units in memory: as they stand, their crews and duty, and where they last were."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.ports import AlreadyAnswered, Answer, DutyChange, Once
from dispatch.store.memory_tables import MemoryTables
from schemas.base import Instant, UnitId
from schemas.incident import OfferState
from schemas.unit import Duty, Member, Position, UnitRow

DAY: Final = timedelta(hours=24)
NEVER: Final = datetime.min.replace(tzinfo=UTC)


class MemoryUnits(MemoryTables):
    """The part of the store in memory that knows whom one may ask."""

    async def set_duty(self, change: DutyChange, once: Once, answer: Answer) -> Duty:
        """Clock a member in or out; return the duty now in force (leaving waits while engaged).

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        if self._reply(once) is not None:
            raise AlreadyAnswered
        self._keep(once, answer, change.at)
        if change.duty is not Duty.ON and change.unit_id in self._active:
            self._leaves[change.member_id] = change.duty
        else:
            self._leaves.pop(change.member_id, None)
            self._clock(change.member_id, change.duty)
        duty = self._duty(change.member_id)
        self._publish(None, _clocked(change, duty))
        if duty is not Duty.ON and self._on_duty(change.unit_id, Duty.ON) < self._least(change):
            for offer in self._open_to(change.unit_id):
                self._due.add(offer.incident_id, "unit_left", change.unit_id, change.at)
        return duty

    def _least(self, change: DutyChange) -> int:
        return self._units[change.unit_id].min_crew

    async def checkpoint(self, positions: Sequence[Position]) -> None:
        """Keep the newest position of units; an older one never overwrites."""
        for position in positions:
            known = self._positions.get(position.unit_id)
            if self._refused.get(position.unit_id, NEVER) >= position.at:
                continue
            if known is None or known.at < position.at:
                self._positions[position.unit_id] = position

    async def unit_rows(
        self, now: Instant, unit_ids: Sequence[UnitId] | None = None
    ) -> list[UnitRow]:
        """Return units with all that decides whether they may be asked."""
        wanted = self._units if unit_ids is None else self._units.keys() & set(unit_ids)
        return [self._unit_row(unit_id, now) for unit_id in sorted(wanted)]

    def _unit_row(self, unit_id: UnitId, now: Instant) -> UnitRow:
        offers, accepts = self._tallies.get(unit_id, (0, 0))
        asked = (self._offers[i].sent_at for i in self._offers_to.get(unit_id, ()))
        return UnitRow(
            unit=self._units[unit_id],
            on_duty=self._on_duty(unit_id, Duty.ON),
            paused=self._on_duty(unit_id, Duty.PAUSED),
            engaged=unit_id in self._active,
            open_offers=sum(o.state is OfferState.OPEN for o in self._open_to(unit_id)),
            offers=offers,
            accepts=accepts,
            asked_24h=sum(at > now - DAY for at in asked),
            pushable=self._pushable(unit_id),
            position=self._positions.get(unit_id),
        )

    def _pushable(self, unit_id: UnitId) -> int:
        streams = [s for s in self._outbox.streams(unit_id) if s.address is not None]
        return sum(self._duty(s.device.member_id) is Duty.ON for s in streams)

    async def crews(self, unit_ids: Sequence[UnitId] | None = None) -> list[Member]:
        """Return the members of units, without their telephone numbers."""
        wanted = self._crews.keys() if unit_ids is None else self._crews.keys() & set(unit_ids)
        ids = [m for unit_id in sorted(wanted) for m in sorted(self._crews[unit_id])]
        return [replace(self._members[m], tel="") for m in ids]


def _clocked(change: DutyChange, duty: Duty) -> Entry:
    return Entry(
        type=Event.DUTY,
        by=change.member_id,
        via="app",
        at=change.at,
        unit_id=change.unit_id,
        data={"wanted": change.duty.value, "duty": duty.value},
    )
