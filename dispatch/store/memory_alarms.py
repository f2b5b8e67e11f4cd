"""Alarms in memory: leased to whoever asks the next desk, and settled once."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.core.alarms import Addressed
from dispatch.core.events import Entry
from dispatch.store.memory_tables import MemoryTables
from geo.jurisdiction import within
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import IncidentId, Instant, KeyId

LEASE: Final = timedelta(seconds=10)
ONCE: Final = frozenset({AlarmKind.CLOCK, AlarmKind.LOST_ROWS})
"""What fails again and again rings once, until somebody has taken note."""


class MemoryAlarms(MemoryTables):
    """The part of the store in memory that keeps alarms, and who is at which desk."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._alarms: dict[AlarmId, Alarm] = {}
        self._present: dict[tuple[str, KeyId], Instant] = {}
        self._partial_until: Instant | None = None

    async def raise_alarm(self, alarm: Alarm) -> bool:
        """Keep an alarm no decision raised; `False` where the same rings already."""
        same = (alarm.kind, alarm.incident_id, alarm.juris)
        ringing = ((a.kind, a.incident_id, a.juris) for a in self._open())
        if alarm.kind in ONCE and same in ringing:
            return False
        self._alarms[alarm.id] = alarm
        return True

    async def say_partial(self, alarms: Sequence[Alarm], until: Instant) -> bool:
        """Note a picture that is partial till then; keep its alarms, and `True`, if it is news."""
        known = self._partial_until
        self._partial_until = until if known is None else max(known, until)
        if known is None:
            self._keep_alarms(alarms)
        return known is None

    async def end_partial(self, now: Instant) -> bool:
        """End the alarms of a partial picture; `False` where there is none, or still is one."""
        if self._partial_until is None or self._partial_until > now:
            return False
        self._partial_until = None
        for alarm in self._open():
            if alarm.kind is AlarmKind.PARTIAL:
                self._alarms[alarm.id] = replace(alarm, ended_at=now, next_at=None)
        return True

    def _open(self) -> list[Alarm]:
        return [alarm for _, alarm in sorted(self._alarms.items()) if alarm.ended_at is None]

    def _keep_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Keep what a decision raised."""
        self._alarms.update((alarm.id, alarm) for alarm in alarms)

    def _end_alarms(self, incident_id: IncidentId, now: Instant) -> None:
        """Settle the alarms of an incident that is over."""
        for alarm in self._open():
            if alarm.incident_id == incident_id:
                self._alarms[alarm.id] = replace(alarm, ended_at=now, next_at=None)

    async def claim_alarms(self, limit: int, now: Instant) -> list[Alarm]:
        """Take alarms whose next desk is to be asked, for ten seconds, the oldest first."""
        due = sorted(
            (a.next_at, a.id) for a in self._open() if a.next_at is not None and a.next_at <= now
        )
        for _, alarm_id in due[:limit]:
            self._alarms[alarm_id] = replace(self._alarms[alarm_id], next_at=now + LEASE)
        return [self._alarms[alarm_id] for alarm_id in sorted(i for _, i in due[:limit])]

    async def address_alarm(self, alarm: Alarm, to: Addressed, entry: Entry) -> bool:
        """Ask a desk; `False` where somebody has taken note, or asked one, meanwhile."""
        known = self._alarms[alarm.id]
        if known.ended_at is not None or known.addressee != alarm.addressee:
            return False
        self._alarms[alarm.id] = replace(
            known, addressee=to.addressee, level=to.level, next_at=to.next_at
        )
        self._tell(known, entry)
        return True

    async def acknowledge_alarm(self, alarm_id: AlarmId, by: str, note: str, entry: Entry) -> bool:
        """Settle an alarm; `False` where it was settled before."""
        known = self._alarms[alarm_id]
        if known.ended_at is not None:
            return False
        self._alarms[alarm_id] = replace(
            known,
            acknowledged_by=by,
            acknowledged_at=entry.at,
            note=note,
            ended_at=entry.at,
            next_at=None,
        )
        self._tell(known, entry)
        return True

    def _tell(self, alarm: Alarm, entry: Entry) -> None:
        if alarm.incident_id is not None:
            self._write_log(alarm.incident_id, [entry])

    async def alarm(self, alarm_id: AlarmId) -> Alarm | None:
        """Return an alarm, open or not."""
        return self._alarms.get(alarm_id)

    async def alarms(
        self, scope: str, addressee: str | None, before: AlarmId | None, limit: int
    ) -> list[Alarm]:
        """Return open alarms of a jurisdiction, newest first; of one desk, where it is named."""
        chosen = [
            a
            for a in reversed(self._open())
            if within(a.juris, scope)
            and (addressee is None or a.addressee == addressee)
            and (before is None or a.id < before)
        ]
        return chosen[:limit]

    async def attend(self, key_id: KeyId, juris: str, until: Instant) -> None:
        """Note that somebody is at the desk of a jurisdiction until then."""
        self._present[juris, key_id] = until

    async def present(self, now: Instant) -> frozenset[str]:
        """Return the jurisdictions at whose desks somebody is."""
        return frozenset(juris for (juris, _), until in self._present.items() if until > now)
