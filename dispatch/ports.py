"""What the desk needs of the world: a store, an outbound lane to phones, a clock, a bus."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from dispatch.core.decision import Decision, Mail
from dispatch.core.events import Entry
from geo.jurisdiction import Jurisdiction
from schemas.base import (
    DeviceId,
    IncidentId,
    Instant,
    KeyId,
    MemberId,
    Record,
    UnitId,
)
from schemas.incident import Case, Incident
from schemas.unit import Duty, Member, Position, UnitRow


class Clock(Protocol):
    """The database's time, and new ids (UUIDv7 text)."""

    def now(self) -> Instant: ...
    def new_id(self) -> str: ...


class Once(Record, frozen=True, kw_only=True):
    """Makes a command happen once: who asks, under which id, with what payload (SHA-256)."""

    scope: str
    id: str
    digest: bytes


class Answer(Record, frozen=True, kw_only=True):
    """What a command was answered; kept 24 h with the effect. `body` is JSON."""

    status: int
    body: msgspec.Raw


class Loaded(Record, frozen=True, kw_only=True):
    """What one look brings: the case if there is one, and the earlier answer if there is one."""

    case: Case | None
    answer: Answer | None
    same_payload: bool = True


class Sealed(Record, frozen=True, kw_only=True):
    """A committed frame with its place in one device's stream."""

    device_id: DeviceId
    seq: int
    mail: Mail


class Due(Record, frozen=True, kw_only=True):
    """A moment that has come for an incident; `unit_id` where it is about one unit."""

    id: int
    incident_id: IncidentId
    kind: str
    unit_id: UnitId | None


class Identity(Record, frozen=True, kw_only=True):
    """Whose phone this is."""

    device_id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    juris: str
    head: int = 0
    acked: int = 0


class Key(Record, frozen=True, kw_only=True):
    """An API key as the store knows it: by the hash of its token."""

    id: KeyId
    name: str
    role: str
    juris: str
    hash: bytes


class StaleCase(Exception):
    """Somebody else decided on this incident first: load again, decide again."""


class UnitTaken(Exception):
    """A unit of this decision has another active assignment: nothing was written."""

    def __init__(self, unit_ids: Sequence[UnitId]) -> None:
        super().__init__("unit has an active assignment")
        self.unit_ids = tuple(unit_ids)


class AlreadyAnswered(Exception):
    """The command's id was answered meanwhile: read the answer."""


class StoreAway(Exception):
    """The store does not answer; whether a commit took effect is not known."""


class DutyChange(Record, frozen=True, kw_only=True):
    """A member clocks in or out."""

    device_id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    duty: Duty
    at: Instant


class Outbox(Record, frozen=True, kw_only=True):
    """A committed frame as the store keeps it: JSON of a `schemas.wire.ReliableFrame`."""

    seq: int
    at: Instant
    frame: msgspec.Raw


class Cursor(Record, frozen=True, kw_only=True):
    """A place in the log; opaque to whoever is handed it."""

    xid: str = "0"
    id: int = 0


class Logged(Record, frozen=True, kw_only=True):
    """A line of the log with its place in it; about an incident, or about a unit alone."""

    cursor: Cursor
    incident_id: IncidentId | None
    entry: Entry


class Broken(Record, frozen=True, kw_only=True):
    """An invariant that does not hold, and the incident where it does not."""

    rule: str
    incident_id: IncidentId | None


class Store(Protocol):
    """The only arbiter. Every method is one round trip unless it says otherwise."""

    async def load(self, incident_id: IncidentId | None, once: Once | None) -> Loaded: ...
    async def commit(
        self,
        decision: Decision,
        once: Once | None,
        answer: Answer | None,
        now: Instant,
        due_id: int | None = None,
    ) -> list[Sealed]: ...
    async def remember(self, once: Once, answer: Answer, now: Instant) -> None: ...
    async def incident_of(self, *, offer: str = "", assignment: str = "") -> IncidentId | None: ...
    async def claim_due(self, limit: int, now: Instant) -> list[Due]: ...
    async def next_due(self) -> Instant | None: ...
    async def drop_due(self, due_id: int) -> None: ...
    async def now(self) -> Instant: ...
    async def set_duty(self, change: DutyChange, once: Once, answer: Answer) -> Duty: ...
    async def acknowledge(self, acks: Mapping[DeviceId, int], now: Instant) -> None: ...
    async def outbox(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]: ...
    async def checkpoint(self, positions: Sequence[Position]) -> None: ...
    async def unit_rows(
        self, now: Instant, unit_ids: Sequence[UnitId] | None = None
    ) -> list[UnitRow]: ...
    async def crews(self, unit_ids: Sequence[UnitId] | None = None) -> list[Member]: ...
    async def identities(self) -> list[tuple[bytes, Identity]]: ...
    async def identify(self, token_hash: bytes) -> Identity | None: ...
    async def keys(self) -> list[Key]: ...
    async def active_cases(self) -> list[Case]: ...
    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]: ...
    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]: ...
    async def events(self, after: Cursor, limit: int) -> list[Logged]: ...
    async def forget(self, now: Instant, most: int) -> int: ...
    async def broken(self, most: int) -> list[Broken]: ...
    async def epoch(self) -> str: ...
    async def registered(self) -> int: ...
    async def jurisdictions(self) -> list[Jurisdiction]: ...


class Outbound(Protocol):
    """The way to phones. Never waits: what a full queue drops stays in the outbox."""

    def push(self, sealed: Sequence[Sealed]) -> None: ...
    def close_unit(self, unit_id: UnitId, code: int) -> None: ...
    def close_device(self, device_id: DeviceId, code: int) -> None: ...


class Bus(Protocol):
    """How processes tell each other what was committed."""

    def publish(self, topic: str, message: Mapping[str, Any]) -> None: ...
