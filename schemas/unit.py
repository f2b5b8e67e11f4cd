"""What is dispatched: units, their members and devices, and how they are seen."""

from enum import StrEnum
from typing import Final

from geo.eta import Moves
from schemas.base import DeviceId, Instant, MemberId, Record, UnitId


class UnitKind(StrEnum):
    """Where a unit has its home post."""

    POLICE_POST = "police_post"
    VILLAGE = "village"
    RESIDENTIAL = "residential"
    ENTERPRISE = "enterprise"
    MALL = "mall"
    SCHOOL = "school"
    KINDERGARTEN = "kindergarten"
    MARKET = "market"
    HOSPITAL = "hospital"
    OFFICE = "office"


class Capability(StrEnum):
    """What a unit can bring; an incident's need names some of them."""

    AED = "aed"
    LIFE_BUOY = "life_buoy"
    ROPE = "rope"
    EXTINGUISHER = "extinguisher"
    SHIELD = "shield"
    FORK = "fork"
    BATON = "baton"
    FIRST_AID = "first_aid"
    RADIO = "radio"
    STRETCHER = "stretcher"


class UnitState(StrEnum):
    """What a unit is free for; the link to its phones is another axis."""

    OFF = "off"
    AVAILABLE = "available"
    PAUSED = "paused"
    OFFERED = "offered"
    ENGAGED = "engaged"
    DISABLED = "disabled"


class Duty(StrEnum):
    """What a member has clocked."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class Link(StrEnum):
    """How well a unit's phones are heard; never ends anything by itself."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


class Unit(Record, frozen=True, kw_only=True):
    """A unit as it is kept: the facts that outlive a shift."""

    id: UnitId
    code: str
    name: str
    kind: UnitKind
    juris: str
    lon: float
    lat: float
    moves: Moves = Moves.FOOT
    capabilities: tuple[Capability, ...] = ()
    min_crew: int = 1
    fixed: bool = True
    disabled: bool = False


ON_PAPER: Final = "paper"
"""A consent that the registrar has in writing."""


class Member(Record, frozen=True, kw_only=True):
    """A person of a unit. The telephone number leaves the store unmasked only for an SMS to it."""

    id: MemberId
    unit_id: UnitId
    name: str
    tel: str = ""
    leader: bool = False
    duty: Duty = Duty.OFF
    consent: str | None = ON_PAPER
    """The version of the policy that was agreed to; None: no position of his may be kept."""


class Device(Record, frozen=True, kw_only=True):
    """A phone that may open the socket; its token is known only by its hash (SHA-256)."""

    id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    token_hash: bytes
    head: int = 0
    acked: int = 0


class Position(Record, frozen=True, kw_only=True):
    """Where a unit was last seen, WGS-84."""

    unit_id: UnitId
    lon: float
    lat: float
    acc_m: float
    at: Instant


class UnitRow(Record, frozen=True, kw_only=True):
    """A unit with all that decides whether it may be asked, as the store reads it."""

    unit: Unit
    on_duty: int = 0
    paused: int = 0
    engaged: bool = False
    open_offers: int = 0
    offers: int = 0
    accepts: int = 0
    asked_24h: int = 0
    pushable: int = 0
    position: Position | None = None
