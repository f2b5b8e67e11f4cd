"""What a registrar changes one at a time; a part of every store."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from dispatch.core.events import Entry
from dispatch.ports.commands import Answer, Once
from dispatch.ports.log import Cursor
from schemas.base import DeviceId, IncidentId, Instant, MemberId, Record, UnitId
from schemas.unit import Duty, Member, Unit


class UnitChange(Record, frozen=True, kw_only=True):
    """A unit as it stood, None for a new one, and as it shall be; with its line in the log."""

    before: Unit | None
    after: Unit
    entry: Entry


class MemberChange(Record, frozen=True, kw_only=True):
    """What of a member is new: `changes` holds some of name, tel, leader."""

    member_id: MemberId
    new: bool
    changes: Mapping[str, Any]
    entry: Entry


class DutyOrder(Record, frozen=True, kw_only=True):
    """Members of a unit clock in or out on somebody's word."""

    unit_id: UnitId
    member_ids: tuple[MemberId, ...]
    duty: Duty
    by: str
    via: str
    at: Instant


class Code(Record, frozen=True, kw_only=True):
    """A code by which a member's phone is enrolled: `name` finds it, `hash` is of it all."""

    name: str
    hash: bytes
    member_id: MemberId
    expires_at: Instant
    entry: Entry


class Enrolling(Record, frozen=True, kw_only=True):
    """A phone comes with a code; `most` wrong ones and the code of that name is void."""

    name: str
    hash: bytes
    device_id: DeviceId
    token_hash: bytes
    at: Instant
    most: int


class Phone(Record, frozen=True, kw_only=True):
    """A member's phone as a registrar sees it."""

    id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    member: str
    enrolled_at: Instant
    revoked_at: Instant | None = None


class CodeTaken(Exception):
    """Another unit has this code: nothing was written."""


def masked(tel: str) -> str:
    """Return a telephone number as it may be shown: 138****1234; a short one not at all."""
    return f"{tel[:3]}****{tel[-4:]}" if len(tel) >= TEL_SHOWN else "*" * len(tel)


TEL_SHOWN: Final = 11


class Register(Protocol):
    """What a registrar changes one at a time, and the ends of the log; a part of every store."""

    async def register_unit(self, change: UnitChange, once: Once, answer: Answer) -> None: ...
    async def register_member(self, change: MemberChange, once: Once, answer: Answer) -> None: ...
    async def clock_members(self, order: DutyOrder, once: Once, answer: Answer) -> None: ...
    async def members(self, unit_id: UnitId) -> list[Member]: ...
    async def member(self, member_id: MemberId) -> Member | None: ...
    async def devices(self, unit_id: UnitId) -> list[Phone]: ...
    async def device(self, device_id: DeviceId) -> Phone | None: ...
    async def put_code(self, code: Code) -> bool: ...
    async def enrol(self, enrolling: Enrolling) -> Phone | None: ...
    async def revoke_device(
        self, device_id: DeviceId, entry: Entry, once: Once, answer: Answer
    ) -> None: ...
    async def since(self, incident_id: IncidentId, version: int, limit: int) -> list[Entry]: ...
    async def tail(self) -> Cursor: ...
