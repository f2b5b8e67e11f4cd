"""What the desk needs of the world: a store, an outbound lane to phones, a clock, a bus."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from dispatch.core.alarms import Addressed
from dispatch.core.decision import Decision, Mail
from dispatch.core.events import Entry
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction
from geo.point import Point
from schemas.alarm import Alarm, AlarmId
from schemas.base import (
    DeviceId,
    IncidentId,
    Instant,
    KeyId,
    MemberId,
    Record,
    UnitId,
)
from schemas.closure import Closure, ClosureId
from schemas.incident import Case, Incident
from schemas.notice import Notice, NoticeId
from schemas.unit import Duty, Member, Position, Unit, UnitRow


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
    """A line of the log with its place in it; about an incident, or about a unit alone.

    Beside it whose ground that is, and how the 110 desk names the incident.
    """

    cursor: Cursor
    incident_id: IncidentId | None
    entry: Entry
    juris: str = ""
    source: str = ""
    ext_id: str | None = None
    ext_rev: int | None = None


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


class Broken(Record, frozen=True, kw_only=True):
    """An invariant that does not hold, and the incident or unit where it does not."""

    rule: str
    incident_id: IncidentId | None
    unit_id: UnitId | None = None


class UnitStates(Record, frozen=True, kw_only=True):
    """What decides the states of some units, a column for each fact; ordered by id."""

    unit_ids: Sequence[UnitId]
    engaged: Sequence[bool]
    disabled: Sequence[bool]
    open_offers: Sequence[int]
    on_duty: Sequence[int]
    paused: Sequence[int]


class Channel(StrEnum):
    """A way to a phone that sleeps."""

    PUSH = "push"
    SMS = "sms"


class PushState(StrEnum):
    """What became of a push; all but the first are final."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GONE = "gone"
    FAILED = "failed"
    EXPIRED = "expired"
    HEARD = "heard"
    NOWHERE = "nowhere"
    OVER_BUDGET = "over_budget"


class Unheard(Record, frozen=True, kw_only=True):
    """A reliable frame its phone has not acknowledged, not yet weighed for a push.

    `told`: the phone has acknowledged, or was woken for, an earlier frame about the same thing.
    """

    device_id: DeviceId
    seq: int
    at: Instant
    expires_at: Instant
    frame: msgspec.Raw
    address: PushAddress | None
    tel: bool
    told: bool


class Push(Record, frozen=True, kw_only=True):
    """A phone to be woken for a frame by one channel; `oid`, `pri`, `exp_ms` are all it tells."""

    device_id: DeviceId
    seq: int
    channel: Channel
    written_at: Instant
    next_at: Instant
    expires_at: Instant
    oid: str | None
    pri: int | None
    exp_ms: float


class Claimed(Record, frozen=True, kw_only=True):
    """A push taken to be tried (`waiting`), or one that was settled instead of being taken."""

    push: Push
    state: PushState
    tries: int
    to: PushAddress


class Settled(Record, frozen=True, kw_only=True):
    """How a try went; `next_at` only where there will be another."""

    device_id: DeviceId
    seq: int
    channel: Channel
    state: PushState
    next_at: Instant | None
    note: str = ""


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


OUTBOX_MOST: Final = 256
"""Rows that wait for one phone; above that the oldest notices go, never an offer or assignment."""


class Notices(Protocol):
    """What becomes of a notice: sent in batches, delivered, read; a part of every store."""

    async def put_notice(
        self, notice: Notice, unit_ids: Sequence[UnitId] | None, once: Once, answer: Answer
    ) -> None: ...
    async def post_notice(self, most: int, now: Instant) -> list[Sealed] | None: ...
    async def withdraw_notice(self, notice: Notice) -> bool: ...
    async def read_notice(
        self, notice_id: NoticeId, device_id: DeviceId, once: Once, answer: Answer, now: Instant
    ) -> bool: ...
    async def notice(self, notice_id: NoticeId) -> Notice | None: ...
    async def notices(self, scope: str, before: NoticeId | None, limit: int) -> list[Notice]: ...
    async def waiting_notices(self, now: Instant) -> list[tuple[DeviceId, int]]: ...
    async def notice_mail(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]: ...


class Alarms(Protocol):
    """Alarms, and who is at which desk to hear them; a part of every store."""

    async def raise_alarm(self, alarm: Alarm) -> bool: ...
    async def claim_alarms(self, limit: int, now: Instant) -> list[Alarm]: ...
    async def address_alarm(self, alarm: Alarm, to: Addressed, entry: Entry) -> bool: ...
    async def acknowledge_alarm(
        self, alarm_id: AlarmId, by: str, note: str, entry: Entry
    ) -> bool: ...
    async def alarm(self, alarm_id: AlarmId) -> Alarm | None: ...
    async def alarms(
        self, scope: str, addressee: str | None, before: AlarmId | None, limit: int
    ) -> list[Alarm]: ...
    async def attend(self, key_id: KeyId, juris: str, until: Instant) -> None: ...
    async def present(self, now: Instant) -> frozenset[str]: ...


class Closures(Protocol):
    """Which roads are closed, and till when; a part of every store."""

    async def put_closure(
        self, closure: Closure, most: int, once: Once, answer: Answer
    ) -> bool: ...
    async def end_closure(self, closure_id: ClosureId, by: str, now: Instant) -> bool: ...
    async def closure(self, closure_id: ClosureId) -> Closure | None: ...
    async def open_closures(self, most: int, now: Instant) -> list[Closure]: ...
    async def closures(
        self, scope: str, before: ClosureId | None, limit: int, now: Instant
    ) -> list[Closure]: ...
    async def closure_changes(self) -> int: ...


class Checks(Protocol):
    """What a process compares its memory with, and whose turn it is; a part of every store."""

    async def broken(self, most: int) -> list[Broken]: ...
    async def unit_states(self, after: UnitId | None, limit: int) -> UnitStates: ...
    async def live_versions(self) -> dict[IncidentId, int]: ...
    async def claim_turn(self, work: str, until: Instant, now: Instant) -> bool: ...


class Canaries(Protocol):
    """The service's own incidents, apart from all others; a part of every store."""

    async def put_canary(self) -> None: ...
    async def canary_ended(self, *, well: bool) -> bool: ...
    async def forget_canaries(self, before: Instant, most: int) -> int: ...


class Store(Register, Notices, Alarms, Checks, Canaries, Closures, Protocol):
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
    async def identities(
        self, device_id: DeviceId | None = None
    ) -> list[tuple[bytes, Identity]]: ...
    async def identify(self, token_hash: bytes) -> Identity | None: ...
    async def add_token(
        self, device_id: DeviceId, token_hash: bytes, ends: Instant, old_ends: Instant
    ) -> Instant | None: ...
    async def use_token(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None: ...
    async def keys(self) -> list[Key]: ...
    async def active_cases(self) -> list[Case]: ...
    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]: ...
    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]: ...
    async def events(self, after: Cursor, limit: int) -> list[Logged]: ...
    async def forget(self, now: Instant, most: int) -> int: ...
    async def put_push_addresses(
        self, addresses: Mapping[DeviceId, PushAddress | None]
    ) -> list[UnitId]: ...
    async def drop_push_address(
        self, device_id: DeviceId, address: PushAddress
    ) -> list[UnitId]: ...
    async def unheard(
        self,
        asleep: Sequence[DeviceId],
        written_by: Instant,
        own_by: Instant,
        now: Instant,
        limit: int,
    ) -> list[Unheard]: ...
    async def plan_pushes(
        self, weighed: Sequence[tuple[DeviceId, int]], pushes: Sequence[Push]
    ) -> None: ...
    async def claim_pushes(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int
    ) -> list[Claimed]: ...
    async def settle_push(self, settled: Settled, now: Instant) -> None: ...
    async def epoch(self) -> str: ...
    async def renew_epoch(self, epoch: str, device_id: DeviceId, seq: int) -> str: ...
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


class RouterAway(Exception):
    """A router said nothing of use in time; our own reckoning takes its place."""


class Start(NamedTuple):
    """Where a way begins, and how it is gone."""

    place: Point
    moves: Moves


class Leg(NamedTuple):
    """How long a way takes on the road, without turnout, and how far it is; inf: there is none."""

    seconds: float
    metres: float


class Way(NamedTuple):
    """A way on the map, from its start to its end."""

    line: tuple[Point, ...]
    leg: Leg


class Router(Protocol):
    """Somebody else's road seconds. Answers within a fixed time or raises `RouterAway`."""

    @property
    def name(self) -> str: ...
    async def legs(self, place: Point, starts: Sequence[Start]) -> list[Leg]: ...
    async def way(self, start: Start, place: Point) -> Way: ...
