"""An incident, its offers and assignments: the rows of one case."""

from enum import StrEnum

from geo.datum import Datum
from geo.eta import Quality
from schemas.base import AssignmentId, IncidentId, Instant, OfferId, Record, UnitId
from schemas.plan import IncidentKind, Level, Need


class Status(StrEnum):
    """Where an incident stands."""

    REPORTED = "reported"
    OPEN = "open"
    DISPATCHING = "dispatching"
    RESPONDING = "responding"
    ON_SCENE = "on_scene"
    CONTROLLED = "controlled"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    MERGED = "merged"
    HANDED_OVER = "handed_over"


class Mode(StrEnum):
    """Who asks: the engine, the engine with a person's consent, or a person."""

    AUTO = "auto"
    ASSIST = "assist"
    MANUAL = "manual"


class OfferState(StrEnum):
    """Where one question to one unit stands."""

    OPEN = "open"
    LAPSED = "lapsed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"
    CANCELLED = "cancelled"


class AssignmentState(StrEnum):
    """Where one unit's task stands."""

    ASSIGNED = "assigned"
    EN_ROUTE = "en_route"
    ARRIVED = "arrived"
    CONTROLLED = "controlled"
    RESOLVED = "resolved"
    ABORTED = "aborted"
    OVERTAKEN = "overtaken"
    RELEASED = "released"
    REASSIGNED = "reassigned"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


class Role(StrEnum):
    """Whether an assignment holds its slot or goes on behind the one that does."""

    PRIMARY = "primary"
    BACKUP = "backup"


class AssignmentKind(StrEnum):
    """How an assignment came about."""

    OFFER = "offer"
    ORDER = "order"


class Concern(StrEnum):
    """What was noticed about a unit that was sent, each once.

    `UNCONFIRMED`: its fixes say that it is there, and no person has said so yet.
    """

    UNSEEN = "unseen"
    STILL = "still"
    NO_SHOW = "no_show"
    SILENT = "silent"
    RECEDING = "receding"
    UNSURE = "unsure"
    UNCONFIRMED = "unconfirmed"


class Incident(Record, frozen=True, kw_only=True):
    """Something that needs a response. lon, lat are WGS-84; `given` keeps the place as it came."""

    id: IncidentId
    kind: IncidentKind
    priority: int
    lon: float
    lat: float
    given_lon: float
    given_lat: float
    given_datum: Datum
    juris: str
    title: str
    status: Status
    called_at: Instant
    opened_at: Instant
    address: str = ""
    note: str = ""
    source: str = ""
    ext_id: str | None = None
    ext_rev: int | None = None
    drill: bool = False
    level: Level = Level.GRID
    mode: Mode = Mode.AUTO
    needs: tuple[Need, ...] = (Need(),)
    ring_s: int = 180
    step: int = 0
    shortfall: str | None = None
    search_at: Instant | None = None
    owner: str | None = None
    merged_into: IncidentId | None = None
    reopened_at: Instant | None = None
    en_route_at: Instant | None = None
    arrived_at: Instant | None = None
    controlled_at: Instant | None = None
    resolved_at: Instant | None = None
    ended_at: Instant | None = None
    result: str | None = None
    version: int = 0


class Offer(Record, frozen=True, kw_only=True):
    """One unit asked for one slot of one incident. Sent, delivered and seen are three facts.

    `barred`: a person called it back, so the engine does not ask this unit again.
    """

    id: OfferId
    incident_id: IncidentId
    unit_id: UnitId
    slot: int
    state: OfferState
    eta_s: float
    distance_m: float
    quality: Quality
    ring_s: int
    sent_at: Instant
    lapse_at: Instant
    exp_at: Instant
    rev: int = 1
    barred: bool = False
    delivered_at: Instant | None = None
    seen_at: Instant | None = None
    ended_at: Instant | None = None


class Assignment(Record, frozen=True, kw_only=True):
    """A unit's task. `arrive_at` is the instant it is expected on the scene.

    `warned` is what was noticed of it; a unit in which `NO_SHOW` was noticed yields its slot to
    anybody who will go.
    """

    id: AssignmentId
    incident_id: IncidentId
    unit_id: UnitId
    slot: int
    state: AssignmentState
    eta_s: float
    arrive_at: Instant
    assigned_at: Instant
    by: str
    offer_id: OfferId | None = None
    role: Role = Role.PRIMARY
    kind: AssignmentKind = AssignmentKind.OFFER
    ring_s: int | None = None
    crew: tuple[str, ...] = ()
    rev: int = 1
    pinned: bool = False
    warned: tuple[Concern, ...] = ()
    seen_at: Instant | None = None
    en_route_at: Instant | None = None
    arrived_at: Instant | None = None
    controlled_at: Instant | None = None
    ended_at: Instant | None = None


class Case(Record, frozen=True, kw_only=True):
    """The aggregate of a decision: an incident with all its offers and assignments."""

    incident: Incident
    offers: tuple[Offer, ...] = ()
    assignments: tuple[Assignment, ...] = ()
