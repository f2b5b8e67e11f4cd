"""What a registrar changes one at a time, in memory."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import OPEN_OFFER
from dispatch.ports import (
    Answer,
    Code,
    CodeTaken,
    Cursor,
    DutyOrder,
    Enrolling,
    MemberChange,
    Once,
    Phone,
    StaleCase,
    UnitChange,
    UnitTaken,
    masked,
)
from dispatch.store.memory_tables import MemoryTables
from schemas.base import DeviceId, IncidentId, Instant, MemberId, UnitId
from schemas.unit import ON_PAPER, Device, Duty, Member


@dataclass(slots=True)
class Pending:
    """A code nobody has used yet."""

    code: Code
    tries: int = 0


class MemoryRegister(MemoryTables):
    """The part of the store in memory that changes and shows units, members and phones."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._pending: dict[str, Pending] = {}
        self._phones: dict[DeviceId, Phone] = {}

    async def register_unit(self, change: UnitChange, once: Once, answer: Answer) -> None:
        """Add a unit, or change it."""
        unit, about = change.after, change.after.id
        if self._units.get(about) != change.before:
            raise StaleCase
        if change.before is None and any(u.code == unit.code for u in self._units.values()):
            raise CodeTaken
        if unit.disabled and about in self._active:
            raise UnitTaken([about])
        self._keep_once(once, answer, change.entry.at)
        self._units[about] = unit
        self._registered += 1
        for member_id in self._crews.get(about, ()) if unit.disabled else ():
            self._leaves.pop(member_id, None)
            self._members[member_id] = replace(self._members[member_id], duty=Duty.OFF)
        for offer_id in self._offers_to.get(about, ()) if unit.disabled else ():
            if self._offers[offer_id].state in OPEN_OFFER:
                incident_id = self._offers[offer_id].incident_id
                self._due.add(incident_id, "unit_engaged", about, change.entry.at)
        self._publish(None, change.entry)

    async def register_member(self, change: MemberChange, once: Once, answer: Answer) -> None:
        """Add a member, or change what is given."""
        self._keep_once(once, answer, change.entry.at)
        unit_id = change.entry.unit_id
        if change.new and unit_id is not None:
            self._crews.setdefault(unit_id, []).append(change.member_id)
            self._members[change.member_id] = Member(
                id=change.member_id, unit_id=unit_id, **change.changes
            )
        else:
            known = self._members[change.member_id]
            self._members[change.member_id] = replace(known, **change.changes)
            if change.changes.get("consent", ON_PAPER) is None:
                self._refused[known.unit_id] = change.entry.at
                self._positions.pop(known.unit_id, None)
        if [*change.changes] != ["consent"] or change.changes["consent"] is None:
            self._registered += 1
        self._publish(None, change.entry)

    async def clock_members(self, order: DutyOrder, once: Once, answer: Answer) -> None:
        """Clock members in or out; leaving waits while engaged."""
        self._keep_once(once, answer, order.at)
        for member_id in order.member_ids:
            if order.duty is not Duty.ON and order.unit_id in self._active:
                self._leaves[member_id] = order.duty
            else:
                self._leaves.pop(member_id, None)
                self._members[member_id] = replace(self._members[member_id], duty=order.duty)
            self._publish(None, _clocked(order, member_id, self._members[member_id].duty))
        crew = [self._members[m].duty for m in self._crews.get(order.unit_id, ())]
        if crew.count(Duty.ON) >= self._units[order.unit_id].min_crew:
            return
        for offer_id in self._offers_to.get(order.unit_id, ()):
            if self._offers[offer_id].state in OPEN_OFFER and order.duty is not Duty.ON:
                incident_id = self._offers[offer_id].incident_id
                self._due.add(incident_id, "unit_left", order.unit_id, order.at)

    async def members(self, unit_id: UnitId) -> list[Member]:
        """Return a unit's members by id, their numbers masked."""
        return [_shown(self._members[m]) for m in sorted(self._crews.get(unit_id, ()))]

    async def member(self, member_id: MemberId) -> Member | None:
        """Return a member, the number masked."""
        found = self._members.get(member_id)
        return _shown(found) if found else None

    async def devices(self, unit_id: UnitId) -> list[Phone]:
        """Return a unit's phones by id, revoked ones too."""
        living = {d.id: self._phone(d) for d in self._outbox.devices() if d.unit_id == unit_id}
        return [phone for _, phone in sorted(living.items())]

    async def device(self, device_id: DeviceId) -> Phone | None:
        """Return a phone."""
        found = self._outbox.stream(device_id)
        return self._phone(found.device) if found else None

    def _phone(self, device: Device) -> Phone:
        return self._phones.get(device.id) or Phone(
            id=device.id,
            unit_id=device.unit_id,
            member_id=device.member_id,
            member=self._members[device.member_id].name,
            enrolled_at=self._now(),
        )

    async def put_code(self, code: Code) -> bool:
        """Keep a member's code in place of an earlier one; `False` where its name is in use."""
        self._pending = {
            name: p
            for name, p in self._pending.items()
            if p.code.member_id != code.member_id and p.code.expires_at > code.entry.at
        }
        if code.name in self._pending:
            return False
        self._pending[code.name] = Pending(code)
        self._publish(None, code.entry)
        return True

    async def enrol(self, enrolling: Enrolling) -> Phone | None:
        """Use a code up for a phone's token; a wrong one is counted and opens nothing."""
        pending = self._pending.get(enrolling.name)
        if pending is None or pending.code.expires_at <= enrolling.at:
            return None
        if pending.code.hash != enrolling.hash:
            pending.tries += 1
            if pending.tries >= enrolling.most:
                del self._pending[enrolling.name]
            return None
        del self._pending[enrolling.name]
        member = self._members[pending.code.member_id]
        device = Device(
            id=enrolling.device_id,
            unit_id=member.unit_id,
            member_id=member.id,
            token_hash=enrolling.token_hash,
        )
        device_id = self._outbox.add(device)
        self._tokens.enrol(device_id, enrolling.token_hash, enrolling.at)
        self._registered += 1
        self._phones[device_id] = Phone(
            id=device_id,
            unit_id=member.unit_id,
            member_id=member.id,
            member=member.name,
            enrolled_at=enrolling.at,
        )
        self._publish(None, _enrolled(self._phones[device_id]))
        return self._phones[device_id]

    async def revoke_device(
        self, device_id: DeviceId, entry: Entry, once: Once, answer: Answer
    ) -> None:
        """Let a phone open nothing any more."""
        self._keep_once(once, answer, entry.at)
        phone = await self.device(device_id)
        if phone is None or phone.revoked_at is not None:
            return
        self._phones[device_id] = replace(phone, revoked_at=entry.at)
        self._tokens.end(device_id)
        self._registered += 1
        self._publish(None, entry)

    async def since(self, incident_id: IncidentId, version: int, limit: int) -> list[Entry]:
        """Return what made later versions of an incident: the last entries, oldest first."""
        log = zip(self._entries.get(incident_id, ()), self._made.get(incident_id, ()), strict=True)
        return [entry for entry, made in log if made > version][-limit:]

    async def tail(self) -> Cursor:
        """Return where the log ends now."""
        return self._log[-1].cursor if self._log else Cursor()


def _shown(member: Member) -> Member:
    return replace(member, tel=masked(member.tel))


def _clocked(order: DutyOrder, member_id: MemberId, duty: Duty) -> Entry:
    return Entry(
        type=Event.DUTY,
        by=order.by,
        via=order.via,
        at=order.at,
        unit_id=order.unit_id,
        data={"wanted": order.duty.value, "duty": duty.value, "member": member_id},
    )


def _enrolled(phone: Phone) -> Entry:
    return Entry(
        type=Event.DEVICE_ENROLLED,
        by=f"member:{phone.member_id}",
        via="app",
        at=phone.enrolled_at,
        unit_id=phone.unit_id,
        data={"device": phone.id, "member": phone.member_id},
    )
