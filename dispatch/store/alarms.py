"""Alarms on PostgreSQL: leased to whoever asks the next desk, and settled once."""

from collections.abc import Sequence
from typing import Final

import msgspec

from dispatch.core.alarms import Addressed
from dispatch.core.events import Entry
from dispatch.store import notice_statements as sql
from dispatch.store.pools import Pools, encoded
from dispatch.trace import present
from schemas.alarm import Alarm, AlarmId
from schemas.base import Instant, KeyId

_alarm: Final = msgspec.json.Decoder(Alarm)


class PostgresAlarms(Pools):
    """The part of the store that keeps alarms, and who is at which desk."""

    async def raise_alarm(self, alarm: Alarm) -> bool:
        """Keep an alarm no decision raised; `False` where the same rings already."""
        return bool(await self._rows(sql.RAISE_ALARM, encoded(alarm)))

    async def say_partial(self, alarms: Sequence[Alarm], until: Instant) -> bool:
        """Note a picture that is partial till then; keep its alarms, and `True`, if it is news."""
        (row,) = await self._rows(sql.SAY_PARTIAL, encoded(alarms), until)
        return bool(row["news"])

    async def end_partial(self, now: Instant) -> bool:
        """End the alarms of a partial picture; `False` where there is none, or still is one."""
        (row,) = await self._rows(sql.END_PARTIAL, now)
        return bool(row["ended"])

    async def claim_alarms(self, limit: int, now: Instant) -> list[Alarm]:
        """Take alarms whose next desk is to be asked, for ten seconds, the oldest first."""
        rows = await self._rows(sql.CLAIM_ALARMS, limit, now)
        return sorted((_alarm.decode(r["found"]) for r in rows), key=lambda alarm: alarm.id)

    async def address_alarm(self, alarm: Alarm, to: Addressed, entry: Entry) -> bool:
        """Ask a desk; `False` where somebody has taken note, or asked one, meanwhile."""
        (row,) = await self._rows(
            sql.ADDRESS_ALARM, alarm.id, alarm.addressee, encoded(to), encoded(entry), present()
        )
        return bool(row["good"])

    async def acknowledge_alarm(self, alarm_id: AlarmId, by: str, note: str, entry: Entry) -> bool:
        """Settle an alarm; `False` where it was settled before."""
        (row,) = await self._rows(
            sql.ACKNOWLEDGE_ALARM, alarm_id, by, note, entry.at, encoded(entry), present()
        )
        return bool(row["good"])

    async def alarm(self, alarm_id: AlarmId) -> Alarm | None:
        """Return an alarm, open or not."""
        rows = await self._rows(sql.ALARM, alarm_id)
        return _alarm.decode(rows[0]["found"]) if rows else None

    async def alarms(
        self, scope: str, addressee: str | None, before: AlarmId | None, limit: int
    ) -> list[Alarm]:
        """Return open alarms of a jurisdiction, newest first; of one desk, where it is named."""
        rows = await self._rows(sql.ALARMS, scope, addressee, before, limit)
        return [_alarm.decode(r["found"]) for r in rows]

    async def attend(self, key_id: KeyId, juris: str, until: Instant) -> None:
        """Note that somebody is at the desk of a jurisdiction until then."""
        await self._rows(sql.ATTEND, juris, key_id, until)

    async def present(self, now: Instant) -> frozenset[str]:
        """Return the jurisdictions at whose desks somebody is."""
        return frozenset(r["juris"] for r in await self._rows(sql.PRESENT, now))
