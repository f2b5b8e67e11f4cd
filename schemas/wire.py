"""The unit socket: every frame of `kapok.v1.json`, its error codes and its close codes.

`docs/reference/protocol.md` is the contract; these structs are its one definition. Client frames
skip fields they do not know. Times are milliseconds since the epoch, UTC; server times may carry a
fraction.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, dataclass_transform

import msgspec
from msgspec import Meta, Raw

from geo.datum import Datum
from geo.eta import Quality
from schemas.incident import AssignmentKind, AssignmentState, Role
from schemas.notice import NoticeLevel
from schemas.plan import IncidentKind
from schemas.unit import Duty, UnitState

SUBPROTOCOL: Final = "kapok.v1.json"
FRAME_IN_MAX: Final = 16 * 1024
FRAME_OUT_MAX: Final = 64 * 1024
BATCH_MAX: Final = 60
ROW_MAX: Final = 16
POLICY_CHARS: Final = 64
HELLO_WITHIN_S: Final = 10.0
HEARTBEAT_MAX_S: Final = 300
TWIN_FRAMES_MAX: Final = 20

CommandId = Annotated[str, Meta(min_length=16, max_length=36, pattern=r"^[0-9A-Za-z-]+$(?!\n)")]
Ref = Annotated[str, Meta(min_length=1, max_length=36)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]
Ms = Annotated[float, Meta(ge=0, le=1e14)]
Note = Annotated[str, Meta(max_length=500)]
Crew = Annotated[list[Ref], Meta(max_length=20)]


class ErrorCode(StrEnum):
    """Why a frame was refused; the connection stays open."""

    BAD_FRAME = "bad_frame"
    UNKNOWN_TYPE = "unknown_type"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONSENT_REQUIRED = "consent_required"
    CONFLICT = "conflict"
    TAKEN = "taken"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    STALE = "stale"
    NOT_ON_DUTY = "not_on_duty"
    ID_REUSE = "id_reuse"
    NOT_READY = "not_ready"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"


TEMPORARY: Final = frozenset(
    {ErrorCode.NOT_READY, ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED, ErrorCode.INTERNAL}
)
"""Worth the same id again, after `retry_ms`; never kept as the reply of a command."""


class Close(IntEnum):
    """Close codes: 40xx stop, 41xx back off, 42xx reconnect."""

    PROTOCOL = 4000
    AUTH_INVALID = 4001
    DEVICE_REVOKED = 4002
    REPLACED = 4003
    FORBIDDEN = 4004
    UPGRADE_APP = 4005
    UNIT_DISABLED = 4006
    HELLO_TIMEOUT = 4100
    AUTH_EXPIRED = 4101
    SLOW_CONSUMER = 4102
    RATE_LIMITED = 4103
    SILENT = 4104
    INTERNAL = 4105
    OVERLOADED = 4106
    TOO_MANY_ERRORS = 4107
    DRAINING = 4200
    MOVED = 4201
    RESYNC = 4202


class OfferEndWhy(StrEnum):
    """Why an offer is over."""

    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"
    CANCELLED = "cancelled"
    ANSWERED = "answered"


class AssignEndWhy(StrEnum):
    """Why a task is over."""

    RESOLVED = "resolved"
    RELEASED = "released"
    OVERTAKEN = "overtaken"
    REASSIGNED = "reassigned"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    NO_SHOW = "no_show"


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", omit_defaults=True):
    """One message, one text frame."""


class App(msgspec.Struct, frozen=True, kw_only=True):
    """The client program: name, version, operating system."""

    n: Annotated[str, Meta(max_length=64)] = ""
    v: Annotated[str, Meta(max_length=32)] = ""
    os: Annotated[str, Meta(max_length=64)] = ""


class PushKind(StrEnum):
    """How an app that sleeps is woken; a way of a newer app is none that we know."""

    WEBPUSH = "webpush"
    HOOK = "hook"
    NONE = "none"

    @classmethod
    def _missing_(cls, value: object) -> "PushKind":
        return cls.NONE


class PushAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where to wake this phone; `none` takes an earlier address back."""

    k: PushKind
    a: Annotated[str, Meta(max_length=2048)] | None = None


# Client to server. -------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ClientFrame(Frame, frozen=True, kw_only=True):
    """What a phone says; any of its frames may carry an acknowledgement."""

    ack: Seq | None = None


class Hello(ClientFrame, frozen=True, kw_only=True, tag="hello"):
    """The first frame, once, within ten seconds."""

    tok: Annotated[str, Meta(max_length=512)]
    datum: Datum
    ts: Ms
    inst: Annotated[str, Meta(min_length=1, max_length=64)]
    app: App | None = None
    epoch: Annotated[str, Meta(max_length=64)] | None = None
    busy: bool = False
    push: PushAddress | None = None


class Ping(ClientFrame, frozen=True, kw_only=True, tag="ping"):
    """Is anybody there?"""

    ts: Ms


class Ack(ClientFrame, frozen=True, kw_only=True, tag="ack"):
    """The highest seq that survives a kill of the app."""


class Activity(StrEnum):
    """What the system lets an app do now; a word of a newer app is some way of doing little."""

    FOREGROUND = "fg"
    BACKGROUND = "bg"
    SLEEP = "sleep"

    @classmethod
    def _missing_(cls, value: object) -> "Activity":
        return cls.BACKGROUND


class Mode(ClientFrame, frozen=True, kw_only=True, tag="mode"):
    """What the app can do now; `hb` is the heartbeat it can keep, in seconds."""

    m: Activity
    hb: Annotated[int, Meta(ge=1, le=HEARTBEAT_MAX_S)] | None = None


class FixRow(msgspec.Struct, frozen=True, array_like=True):
    """One position: time on the device, degrees, accuracy (m; below 0 unknown), speed, heading."""

    t_ms: Ms
    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    acc_m: float
    spd: float | None = None
    hdg: float | None = None
    src: str | None = None


class Loc(ClientFrame, frozen=True, kw_only=True, tag="loc"):
    """Fixes; every row is judged by itself, so the rows come undecoded."""

    d: Datum
    ts: Ms
    f: Annotated[list[Raw], Meta(min_length=1, max_length=BATCH_MAX)]
    bat: float | None = None
    p: int | None = None


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Command(ClientFrame, frozen=True, kw_only=True):
    """What changes something: resent with the same id until ok or err."""

    id: CommandId


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Placed(Command, frozen=True, kw_only=True):
    """A command that may bring along where it was given; a bad place never loses the command.

    `fix` is a row as in `loc`, in `d`; `ts` is now by the phone, and may differ when it is resent.
    """

    d: Datum | None = None
    ts: Ms | None = None
    fix: Annotated[list[Raw], Meta(max_length=ROW_MAX)] | None = None


class DutyCall(StrEnum):
    """What a member clocks."""

    ON = "on"
    PAUSE = "pause"
    OFF = "off"


class SetDuty(Placed, frozen=True, kw_only=True, tag="duty"):
    """This member clocks in or out."""

    s: DutyCall


class Consent(Command, frozen=True, kw_only=True, tag="consent"):
    """This member agrees to be located, by this version of the policy; or does so no more."""

    yes: bool
    policy: Annotated[str, Meta(min_length=1, max_length=POLICY_CHARS)] | None = None


class Refresh(Command, frozen=True, kw_only=True, tag="refresh"):
    """A new token, please; the old one lives until the new one is used, seven days at most."""


class OfferSeen(Command, frozen=True, kw_only=True, tag="offer.seen"):
    """A human saw the offer."""

    oid: Ref


class Answer(StrEnum):
    """What was tapped."""

    ACCEPT = "accept"
    DECLINE = "decline"


class OfferReply(Placed, frozen=True, kw_only=True, tag="offer.reply"):
    """The answer to an offer; `at` is the tap."""

    oid: Ref
    rev: int
    at: Ms
    r: Answer
    why: Note | None = None
    crew: Crew | None = None


class AssignSeen(Command, frozen=True, kw_only=True, tag="assign.seen"):
    """A human saw the task."""

    aid: Ref
    rev: int


class Reached(StrEnum):
    """The steps a member reports."""

    EN_ROUTE = "en_route"
    ARRIVED = "arrived"
    CONTROLLED = "controlled"
    RESOLVED = "resolved"
    ABORTED = "aborted"


class Assistance(StrEnum):
    """What a unit on a task may ask for; whatever a newer app calls it, somebody has to come."""

    MORE_UNITS = "more_units"
    POLICE = "police"
    MEDICAL = "medical"
    FIRE = "fire"
    EQUIPMENT = "equipment"

    @classmethod
    def _missing_(cls, value: object) -> "Assistance":
        return cls.MORE_UNITS


class Assist(Command, frozen=True, kw_only=True, tag="assist"):
    """This unit needs more than it has."""

    aid: Ref
    what: Assistance
    n: Annotated[int, Meta(ge=1, le=8)] = 1
    text: Note | None = None


ReportedKind = Annotated[
    str, Meta(max_length=64, extra_json_schema={"examples": [kind.value for kind in IncidentKind]})
]
"""A kind of incident; one of a newer app is `other`."""


class Report(Command, frozen=True, kw_only=True, tag="report"):
    """A unit found something; `self` takes it on at once."""

    kind: ReportedKind
    pri: Annotated[int, Meta(ge=1, le=4)]
    d: Datum
    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    text: Note
    self_: bool = msgspec.field(name="self", default=False)


class Sos(Command, frozen=True, kw_only=True, tag="sos"):
    """This member is in danger, on duty or not; without a place the last one known counts."""

    d: Datum | None = None
    fix: FixRow | None = None


class Progress(Placed, frozen=True, kw_only=True, tag="progress"):
    """How far this member has come."""

    aid: Ref
    s: Reached
    at: Ms
    note: Note | None = None
    outcome: Annotated[str, Meta(max_length=64)] | None = None


class NoticeRead(Command, frozen=True, kw_only=True, tag="notice.read"):
    """A human read the notice."""

    nid: Ref


UnitCommand = (
    SetDuty
    | Consent
    | OfferSeen
    | OfferReply
    | AssignSeen
    | Progress
    | Assist
    | Report
    | Sos
    | Refresh
    | NoticeRead
)
ClientMessage = Hello | Ping | Ack | Loc | Mode | UnitCommand

# Server to client. -------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ServerFrame(Frame, frozen=True, kw_only=True):
    """What the server says; `ts` is set when the frame is written."""

    ts: float = 0


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Reliable(ServerFrame, frozen=True, kw_only=True):
    """A row of the outbox; `seq` is its place in this device's stream."""

    seq: int = 0


class Brief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The incident as a phone needs it; the datum of lon, lat is named by the frame around it."""

    iid: str
    kind: IncidentKind
    pri: int
    title: str
    lon: float
    lat: float
    safety: str = ""
    addr: str = ""
    note: str = ""
    tel: str = ""
    drill: bool = False


class OfferFrame(Reliable, frozen=True, kw_only=True, tag="offer"):
    """Will you go? `ttl_ms` is what is left at writing, `exp` the hard end."""

    oid: str
    rev: int
    d: Datum
    inc: Brief
    eta_s: float
    quality: Quality
    dist_m: float
    ttl_ms: float
    exp: float
    role: str
    ring_s: int | None = None


class OfferUpdate(Reliable, frozen=True, kw_only=True, tag="offer.update"):
    """Something of the offer is other than it was."""

    oid: str
    rev: int
    d: Datum
    inc: Brief
    alert: bool
    eta_s: float | None = None


class OfferEnd(Reliable, frozen=True, kw_only=True, tag="offer.end"):
    """The question is no longer asked."""

    oid: str
    why: OfferEndWhy


class AssignFrame(Reliable, frozen=True, kw_only=True, tag="assign"):
    """This is yours."""

    aid: str
    rev: int
    d: Datum
    inc: Brief
    by: str
    kind: AssignmentKind
    role: Role
    eta_s: float
    oid: str | None = None
    ring_s: int | None = None
    crew: tuple[str, ...] = ()
    s: AssignmentState = AssignmentState.ASSIGNED
    confirm: bool = False


class AssignUpdate(Reliable, frozen=True, kw_only=True, tag="assign.update"):
    """Something of the task is other than it was; `s` is how far the unit has come."""

    aid: str
    rev: int
    d: Datum
    inc: Brief
    alert: bool
    role: Role | None = None
    eta_s: float | None = None
    s: AssignmentState | None = None
    confirm: bool = False


class AssignEnd(Reliable, frozen=True, kw_only=True, tag="assign.end"):
    """The task is over."""

    aid: str
    why: AssignEndWhy


class NoticeFrame(Reliable, frozen=True, kw_only=True, tag="notice"):
    """A text for this phone until `exp`; one withdrawn comes again with an `exp` that is past."""

    nid: str
    rev: int
    lvl: NoticeLevel
    text: str
    exp: float
    need_read: bool = False
    drill: bool = False


ReliableFrame = (
    OfferFrame | OfferUpdate | OfferEnd | AssignFrame | AssignUpdate | AssignEnd | NoticeFrame
)


class Cadence(msgspec.Struct, frozen=True):
    """How often to report: seconds, metres moved, seconds between heartbeats."""

    every_s: int
    move_m: int
    hb: int


class Policy(ServerFrame, frozen=True, kw_only=True, tag="policy"):
    """How the phone reports in each state of its unit; `s` is the one it is in."""

    state: dict[str, Cadence]
    batch: int = BATCH_MAX
    acc_max_m: int = 200
    s: str | None = None


class CrewMember(msgspec.Struct, frozen=True, kw_only=True):
    """A colleague of the unit, as its own phones see them."""

    member: str
    name: str
    duty: Duty
    lead: bool = False


class PhoneState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole truth for one phone."""

    duty: Duty
    unit_state: UnitState
    offers: list[OfferFrame]
    assigns: list[AssignFrame]
    crew: list[CrewMember]
    policy: Policy
    consent: bool = True


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds a client has to keep."""

    frame: int = FRAME_IN_MAX
    batch: int = BATCH_MAX
    rate: float = 2.0


class Welcome(ServerFrame, frozen=True, kw_only=True, tag="welcome"):
    """You are known; this is the state; your stream stands at `head`.

    `till`: notices that waited follow, the last of them with this seq; absent: none do.
    """

    epoch: str
    rec: bool
    head: int
    unit: str
    member: str
    juris: str
    state: PhoneState
    now: float
    spread: float
    lim: Limits = Limits()
    exp: float | None = None
    till: int | None = None


class Locate(ServerFrame, frozen=True, kw_only=True, tag="locate"):
    """Say where you are now: your last fix is too old for the task you are on."""


class Pong(ServerFrame, frozen=True, kw_only=True, tag="pong"):
    """Here; `n` rows of a loc were taken, `bad` names the others by index and reason."""

    now: float
    n: int | None = None
    bad: list[tuple[int, str]] | None = None


class Ok(ServerFrame, frozen=True, kw_only=True, tag="ok"):
    """The command is done and on disk; `tr` names the work it was, for whoever asks about it."""

    re: str
    result: dict[str, Any] = {}
    tr: str | None = None


class Err(ServerFrame, frozen=True, kw_only=True, tag="err"):
    """Refused, and nothing changed; `path` names the field, `st` the state that stands."""

    code: ErrorCode
    msg: str
    re: str | None = None
    path: str | None = None
    st: str | None = None
    retry_ms: int | None = None
    tr: str | None = None


ServerMessage = Welcome | Pong | Policy | Locate | Ok | Err | ReliableFrame
