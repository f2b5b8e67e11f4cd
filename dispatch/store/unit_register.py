"""What a registrar changes one at a time, on PostgreSQL."""

import msgspec
from msgspec.structs import asdict

from dispatch.core.events import Entry
from dispatch.ports import (
    Answer,
    Code,
    Cursor,
    DutyOrder,
    Enrolling,
    MemberChange,
    Once,
    Phone,
    UnitChange,
    masked,
)
from dispatch.store import unit_statements as sql
from dispatch.store.log_rows import entry
from dispatch.store.pools import Pools, Row, encoded, kept_reply
from dispatch.trace import present
from schemas.base import DeviceId, IncidentId, MemberId, UnitId
from schemas.unit import Duty, Member


class PostgresRegister(Pools):
    """The part of the store that changes and shows units, members and phones."""

    async def register_unit(self, change: UnitChange, once: Once, answer: Answer) -> None:
        """Add a unit, or change it.

        Raises:
            StaleCase: it stands otherwise than the change thinks; nothing was written.
            CodeTaken: another unit has its code; nothing was written.
            UnitTaken: it is to be disabled and has an active assignment; nothing was written.
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        body = {"before": change.before, "after": change.after, "entry": change.entry}
        await self._write(sql.REGISTER_UNIT, {**body, **kept_reply(once, answer)})

    async def register_member(self, change: MemberChange, once: Once, answer: Answer) -> None:
        """Add a member, or change what is given; raise `AlreadyAnswered`.

        Where consent is taken back the unit's last position goes too.
        """
        body = {**asdict(change), **kept_reply(once, answer)}
        await self._write(sql.REGISTER_MEMBER, body)

    async def clock_members(self, order: DutyOrder, once: Once, answer: Answer) -> None:
        """Clock members in or out; leaving waits while engaged. Raise `AlreadyAnswered`."""
        await self._write(sql.CLOCK_MEMBERS, {**asdict(order), **kept_reply(once, answer)})

    async def members(self, unit_id: UnitId) -> list[Member]:
        """Return a unit's members by id, their numbers masked."""
        return [_member(r) for r in await self._rows(sql.MEMBERS, unit_id, None)]

    async def member(self, member_id: MemberId) -> Member | None:
        """Return a member, the number masked."""
        rows = await self._rows(sql.MEMBERS, None, member_id)
        return _member(rows[0]) if rows else None

    async def devices(self, unit_id: UnitId) -> list[Phone]:
        """Return a unit's phones by id, revoked ones too."""
        return [_phone(r) for r in await self._rows(sql.DEVICES, unit_id, None)]

    async def device(self, device_id: DeviceId) -> Phone | None:
        """Return a phone."""
        rows = await self._rows(sql.DEVICES, None, device_id)
        return _phone(rows[0]) if rows else None

    async def put_code(self, code: Code) -> bool:
        """Keep a member's code in place of an earlier one; `False` where its name is in use."""
        rows = await self._write(sql.PUT_CODE, asdict(code))
        return bool(rows[0]["good"])

    async def enrol(self, enrolling: Enrolling) -> Phone | None:
        """Use a code up for a phone's token; a wrong one is counted and opens nothing."""
        rows = await self._write(sql.ENROL, asdict(enrolling))
        if rows[0]["phone"] is None:
            return None
        made = msgspec.json.decode(rows[0]["phone"], type=dict[str, str])
        return await self.device(DeviceId(made["device_id"]))

    async def revoke_device(
        self, device_id: DeviceId, entry: Entry, once: Once, answer: Answer
    ) -> None:
        """Let a phone open nothing any more; raise `AlreadyAnswered`."""
        body = {"device_id": device_id, "entry": entry}
        await self._write(sql.REVOKE_DEVICE, {**body, **kept_reply(once, answer)})

    async def since(self, incident_id: IncidentId, version: int, limit: int) -> list[Entry]:
        """Return what made later versions of an incident: the last entries, oldest first."""
        return [entry(r) for r in await self._rows(sql.SINCE, incident_id, version, limit)]

    async def tail(self) -> Cursor:
        """Return where the log ends now: whatever becomes visible later lies above it."""
        rows = await self._rows(sql.TAIL)
        return Cursor(xid=rows[0]["xid"], id=rows[0]["id"]) if rows else Cursor()

    async def _write(self, statement: str, body: object) -> list[Row]:
        """Change what is registered, with its line in the log under the present trace id."""
        return await self._rows(statement, encoded(body), present())


def _member(r: Row) -> Member:
    return Member(
        id=MemberId(r["id"]),
        unit_id=UnitId(r["unit_id"]),
        name=r["name"],
        tel=masked(r["tel"]),
        leader=r["leader"],
        duty=Duty(r["duty"]),
        consent=r["consent"],
    )


def _phone(r: Row) -> Phone:
    return Phone(
        id=DeviceId(r["id"]),
        unit_id=UnitId(r["unit_id"]),
        member_id=MemberId(r["member_id"]),
        member=r["member"],
        enrolled_at=r["enrolled_at"],
        revoked_at=r["revoked_at"],
    )
