"""Whose phone it is, where it is woken, who is on duty; and API keys."""

from schemas.base import DeviceId, Instant, KeyId, MemberId, Record, UnitId
from schemas.unit import Duty


class PushAddress(Record, frozen=True, kw_only=True):
    """Where a phone that sleeps is woken: `webpush`, `hook`, or a `tel` for SMS; never logged."""

    kind: str
    a: str


class Identity(Record, frozen=True, kw_only=True):
    """Whose phone this is; when its token ends, and whether it was fetched and never used."""

    device_id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    juris: str
    head: int = 0
    acked: int = 0
    expires_at: Instant | None = None
    unused: bool = False
    push: PushAddress | None = None


class Key(Record, frozen=True, kw_only=True):
    """An API key as the store knows it: by the hash of its token."""

    id: KeyId
    name: str
    role: str
    juris: str
    hash: bytes


class DutyChange(Record, frozen=True, kw_only=True):
    """A member clocks in or out."""

    device_id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    duty: Duty
    at: Instant
