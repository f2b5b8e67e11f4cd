"""Alarms on durable clocks: which desk is asked, who is there, and who has taken note."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import structlog

from dispatch.auth import Grant, Right
from dispatch.core.alarms import PRESENT_S, addressed, heard_entry, step_entry
from dispatch.core.errors import NotFound, Unavailable
from dispatch.desk.rounds import rounds
from dispatch.ports import Clock, Store, StoreAway
from dispatch.trace import begin
from geo.jurisdiction import within
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import IncidentId, Instant
from schemas.notices import AlarmView

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
MOST: Final = 100


class Alarms:
    """Every alarm is one row; whoever claims it asks the next desk by the rule of the core."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._new = asyncio.Event()

    # What rings. ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask the desks at once: an alarm was raised."""
        self._new.set()

    async def ring(
        self, kind: AlarmKind, reason: str, juris: str, *, incident_id: IncidentId | None = None
    ) -> bool:
        """Raise what no decision raises; `False` where the same rings, or it cannot be kept."""
        now = self._clock.now()
        alarm = Alarm(
            id=AlarmId(self._clock.new_id()),
            kind=kind,
            reason=reason,
            juris=juris,
            raised_at=now,
            incident_id=incident_id,
            next_at=now,
        )
        try:
            kept = await self._store.raise_alarm(alarm)
        except StoreAway as away:
            log.warning("alarm_lost", kind=kind, reason=reason, juris=juris, error=str(away))
            return False
        self.look()
        return kept

    async def run(self) -> None:
        """Ask desks whenever it is time to, until cancelled."""
        await rounds("alarms", self.ask_desks, self._new, self._clock, LOOK_EVERY_S)

    async def ask_desks(self) -> int:
        """Take every alarm whose time has come to its next desk; return how many."""
        asked = 0
        while rows := await self._store.claim_alarms(MOST, self._clock.now()):
            present = await self._store.present(self._clock.now())
            for alarm in rows:
                asked += await self._ask(alarm, present)
            if len(rows) < MOST:
                break
        return asked

    async def _ask(self, alarm: Alarm, present: frozenset[str]) -> bool:
        begin(self._clock.new_trace())
        now = self._clock.now()
        to = addressed(alarm, present, now)
        done = await self._store.address_alarm(alarm, to, step_entry(alarm, to, now))
        if done:
            log.info("alarm", id=alarm.id, kind=alarm.kind, to=to.addressee)
        return done

    # What people do. -----------------------------------------------------------------------------

    async def attend(self, juris: str, grant: Grant) -> Instant:
        """Note that somebody is at a desk; return until when."""
        grant.require(Right.ANSWER_ALARMS, juris)
        until = self._clock.now() + timedelta(seconds=PRESENT_S)
        with _available():
            await self._store.attend(grant.key_id, juris, until)
        return until

    async def page(
        self, grant: Grant, addressee: str | None, before: AlarmId | None, limit: int
    ) -> list[Alarm]:
        """Return open alarms of the asker's jurisdiction, newest first."""
        grant.require(Right.ANSWER_ALARMS)
        with _available():
            return await self._store.alarms(grant.juris, addressee, before, limit)

    async def acknowledge(self, alarm_id: AlarmId, note: str, grant: Grant) -> Alarm:
        """Take note of an alarm; who comes second is told who was first."""
        grant.require(Right.ANSWER_ALARMS)
        alarm = await self._alarm(alarm_id, grant)
        if alarm.ended_at is not None:
            return alarm
        by = f"key:{grant.key_id}"
        entry = heard_entry(alarm, by, note, self._clock.now())
        with _available():
            await self._store.acknowledge_alarm(alarm_id, by, note, entry)
        return await self._alarm(alarm_id, grant)

    async def _alarm(self, alarm_id: AlarmId, grant: Grant) -> Alarm:
        with _available():
            alarm = await self._store.alarm(alarm_id)
        if alarm is None or not within(alarm.juris, grant.juris):
            raise NotFound("no such alarm")
        return alarm


def alarm_view(alarm: Alarm) -> AlarmView:
    """Return an alarm as the command centre reads it."""
    return AlarmView(
        id=alarm.id,
        kind=alarm.kind,
        reason=alarm.reason,
        jurisdiction=alarm.juris,
        incident_id=alarm.incident_id,
        unit_id=alarm.unit_id,
        drill=alarm.drill,
        raised_at=alarm.raised_at,
        addressee=alarm.addressee,
        level=alarm.level,
        next_at=alarm.next_at,
        acknowledged_by=alarm.acknowledged_by,
        acknowledged_at=alarm.acknowledged_at,
        note=alarm.note,
        ended_at=alarm.ended_at,
    )


@contextmanager
def _available() -> Iterator[None]:
    """Say honestly that this needs the store."""
    try:
        yield
    except StoreAway as away:
        raise Unavailable("the store does not answer; try again") from away
