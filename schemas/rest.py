"""The bodies of the REST API, and RFC 9457 problems. Inputs refuse unknown fields."""

from typing import Annotated, Any, dataclass_transform

import msgspec
from msgspec import Meta

from geo.datum import Datum
from geo.eta import Moves, Quality
from schemas.base import Instant, Lat, Lon
from schemas.incident import AssignmentState, Mode, OfferState, Role, Status
from schemas.plan import IncidentKind, Level, Need
from schemas.unit import Capability, Link, UnitKind, UnitState

Priority = Annotated[int, Meta(ge=1, le=4)]
Title = Annotated[str, Meta(min_length=1, max_length=80)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class View(msgspec.Struct, frozen=True, kw_only=True):
    """A response body."""


class Place(Body, frozen=True, kw_only=True):
    """A position that names its datum."""

    lon: Lon
    lat: Lat
    datum: Datum


class NeedBody(Need, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A need as a caller states it: bounded, and with no unknown field."""

    role: Annotated[str, Meta(min_length=1, max_length=40)] = "responder"
    capabilities: Annotated[tuple[Capability, ...], Meta(max_length=16)] = ()


class OpenIncident(Body, frozen=True, kw_only=True):
    """A call comes in."""

    kind: IncidentKind
    priority: Priority
    position: Place
    title: Title
    address: Annotated[str, Meta(max_length=120)] = ""
    note: Annotated[str, Meta(max_length=300)] = ""
    called_at: Instant | None = None
    source: Annotated[str, Meta(max_length=40)] = ""
    ext_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    ext_rev: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    needs: Annotated[list[NeedBody], Meta(min_length=1, max_length=8)] | None = None
    drill: bool


class Triage(Body, frozen=True, kw_only=True):
    """Open what was reported, or reject it with a reason."""

    accept: bool
    why: Annotated[str, Meta(max_length=500)] = ""


class Cancel(Body, frozen=True, kw_only=True):
    """Nobody needs to go any more."""

    why: Reason


class Resolve(Body, frozen=True, kw_only=True):
    """The matter is settled."""

    note: Annotated[str, Meta(max_length=500)] = ""


class CloseIncident(Body, frozen=True, kw_only=True):
    """The file is closed, with what came of it."""

    result: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$(?!\n)")]
    note: Annotated[str, Meta(max_length=500)] = ""


class Position(View, frozen=True, kw_only=True):
    """WGS-84 unless `datum` says otherwise."""

    lon: float
    lat: float
    datum: Datum = Datum.WGS84


class OfferView(View, frozen=True, kw_only=True):
    """One question to one unit."""

    id: str
    unit_id: str
    slot: int
    state: OfferState
    eta_s: float
    distance_m: float
    quality: Quality
    ring_s: int
    sent_at: Instant
    lapse_at: Instant
    exp_at: Instant
    delivered_at: Instant | None
    seen_at: Instant | None
    ended_at: Instant | None


class AssignmentView(View, frozen=True, kw_only=True):
    """One unit's task; a pinned one is never overtaken."""

    id: str
    unit_id: str
    slot: int
    state: AssignmentState
    role: Role
    pinned: bool = False
    eta_s: float
    arrive_at: Instant
    assigned_at: Instant
    en_route_at: Instant | None
    arrived_at: Instant | None
    controlled_at: Instant | None
    ended_at: Instant | None


class IncidentView(View, frozen=True, kw_only=True):
    """An incident; the four firsts are reported, en_route, controlled and resolved."""

    id: str
    kind: IncidentKind
    priority: int
    status: Status
    position: Position
    jurisdiction: str
    title: str
    address: str
    note: str
    source: str
    ext_id: str | None
    ext_rev: int | None
    drill: bool
    level: Level
    mode: Mode
    needs: tuple[Need, ...]
    ring_s: int
    shortfall: str | None
    called_at: Instant
    opened_at: Instant
    en_route_at: Instant | None
    arrived_at: Instant | None
    controlled_at: Instant | None
    resolved_at: Instant | None
    ended_at: Instant | None
    result: str | None
    owner: str | None = None
    merged_into: str | None = None
    version: int
    offers: tuple[OfferView, ...] = ()
    assignments: tuple[AssignmentView, ...] = ()


class IncidentPage(View, frozen=True, kw_only=True):
    """Newest first; `next` is the cursor of the following page, absent on the last."""

    items: list[IncidentView]
    next: str | None = None


class EventView(View, frozen=True, kw_only=True):
    """A line of an incident's timeline; n has no gaps, `trace` names the work that wrote it."""

    n: int
    type: str
    by: str
    via: str
    at: Instant
    data: dict[str, Any]
    trace: str | None = None


class Timeline(View, frozen=True, kw_only=True):
    """What happened, oldest first."""

    items: list[EventView]
    next: str | None = None


class CandidateView(View, frozen=True, kw_only=True):
    """A unit that would be asked; `p` is its chance of being there within the ring's seconds.

    `told_by`: the router whose ETA it is; null for our own reckoning.
    """

    unit_id: str
    code: str
    name: str
    kind: UnitKind
    moves: Moves
    slot: int
    eta_s: float
    distance_m: float
    quality: Quality
    ring_s: int
    p: float
    asked_24h: int
    reasons: tuple[str, ...]
    told_by: str | None = None


class Candidates(View, frozen=True, kw_only=True):
    """Who would be asked, in order; nothing was sent. `left_out` counts the others by reason.

    `partial`: another process is not heard now, so positions of its phones are up to a minute old.
    """

    quality: Quality
    ring_s: int
    p_arrive: float
    candidates: list[CandidateView]
    left_out: dict[str, int]
    shortfall: str | None
    partial: bool = False


class UnitView(View, frozen=True, kw_only=True):
    """A unit as the command centre sees it."""

    id: str
    code: str
    name: str
    kind: UnitKind
    jurisdiction: str
    state: UnitState
    link: Link
    moves: Moves
    capabilities: tuple[Capability, ...]
    home: Position
    position: Position
    position_age_s: float | None
    on_duty: int
    min_crew: int = 1
    fixed: bool = True


class UnitPage(View, frozen=True, kw_only=True):
    """Ordered by id."""

    items: list[UnitView]
    next: str | None = None


class Fault(View, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong: `pointer` is a JSON pointer into the body, `parameter` names one beside it."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(View, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details; `code` is the contract, `state` what stood in the way.

    Of `precondition_failed`: the `version` there is now, and what `changes` led to it from the one
    that was named. By `trace` the request is found in the service's own log.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[Fault] | None = None
    state: str | None = None
    version: int | None = None
    changes: list[EventView] | None = None
    trace: str | None = None


class Health(View, frozen=True, kw_only=True):
    """The process is up; nothing more is said."""

    status: str = "up"


class Readiness(View, frozen=True, kw_only=True):
    """Whether requests can be served, and which part of the service holds it up.

    `degraded` names what does not, and is not as it should be: `picture` while another process that
    lives is not heard, `room` while the store is nearly full, `archive_room` while its archive is.
    """

    ready: bool
    parts: dict[str, bool]
    degraded: list[str] = []
