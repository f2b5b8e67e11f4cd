"""What can be asked of a case."""

from geo.datum import Datum
from schemas.base import AssignmentId, IncidentId, Instant, OfferId, Record, UnitId
from schemas.incident import Incident, Mode
from schemas.plan import IncidentKind, Need, Rung
from schemas.wire import Assistance, Reached


class Open(Record, frozen=True, kw_only=True):
    """A call came in. `trusted` opens it at once; a feed's lower priorities wait for triage.

    `taken_on` is the unit that reported it and goes by itself.
    """

    incident: Incident
    trusted: bool
    taken_on: UnitId | None = None


class Triage(Record, frozen=True, kw_only=True):
    """A person opens what was reported, or rejects it."""

    accept: bool
    why: str = ""


class Accept(Record, frozen=True, kw_only=True):
    """A unit will go. `at` is the tap."""

    unit_id: UnitId
    offer_id: OfferId
    at: Instant
    crew: tuple[str, ...] = ()


class Decline(Record, frozen=True, kw_only=True):
    """A unit will not go."""

    unit_id: UnitId
    offer_id: OfferId
    why: str = ""


class SeeOffer(Record, frozen=True, kw_only=True):
    """A human saw the offer."""

    unit_id: UnitId
    offer_id: OfferId


class SeeTask(Record, frozen=True, kw_only=True):
    """A human saw the task."""

    unit_id: UnitId
    task_id: AssignmentId


class Report(Record, frozen=True, kw_only=True):
    """A member says how far the unit has come. `at` is when it was so."""

    unit_id: UnitId
    task_id: AssignmentId
    reached: Reached
    at: Instant
    note: str = ""
    outcome: str = ""


class Located(Record, frozen=True, kw_only=True):
    """A unit's fixes say how far it has come: under way, or there. `at` is the fix."""

    unit_id: UnitId
    task_id: AssignmentId
    reached: Reached
    at: Instant


class Cancel(Record, frozen=True, kw_only=True):
    """Nobody needs to go any more."""

    why: str


class Resolve(Record, frozen=True, kw_only=True):
    """A person says the matter is settled."""

    note: str = ""


class CloseFile(Record, frozen=True, kw_only=True):
    """The file is closed with a result code."""

    result: str
    note: str = ""


class Wake(Record, frozen=True, kw_only=True):
    """A clock of the case has come."""


class UnitGone(Record, frozen=True, kw_only=True):
    """A unit can no longer answer: `engaged` elsewhere, or its crew has left."""

    unit_id: UnitId
    engaged: bool


# A person at the desk, about units. ----------------------------------------------------------


class Ask(Record, frozen=True, kw_only=True):
    """Offer the incident to this unit, whatever the ranking says."""

    unit_id: UnitId
    slot: int | None = None


class Order(Record, frozen=True, kw_only=True):
    """Send this unit without asking it; `slot` None takes a free one, or adds one."""

    unit_id: UnitId
    slot: int | None = None


class WithdrawOffer(Record, frozen=True, kw_only=True):
    """Call an offer back."""

    offer_id: OfferId
    why: str


class Release(Record, frozen=True, kw_only=True):
    """Send a unit home."""

    task_id: AssignmentId
    why: str


class Reassign(Record, frozen=True, kw_only=True):
    """Send a unit to another incident instead."""

    task_id: AssignmentId
    to: IncidentId
    why: str


class Pin(Record, frozen=True, kw_only=True):
    """Let nobody overtake this unit, or let it be overtaken again."""

    task_id: AssignmentId
    pinned: bool


# A person at the desk, about the incident. ---------------------------------------------------


class Place(Record, frozen=True, kw_only=True):
    """Where it is, WGS-84, as it was given, and to whom it belongs."""

    lon: float
    lat: float
    given_lon: float
    given_lat: float
    given_datum: Datum
    juris: str


class Correct(Record, frozen=True, kw_only=True):
    """What was taken down wrong; None leaves a field as it is."""

    place: Place | None = None
    kind: IncidentKind | None = None
    priority: int | None = None
    needs: tuple[Need, ...] | None = None
    title: str | None = None
    address: str | None = None
    ext_rev: int | None = None


class Supplement(Record, frozen=True, kw_only=True):
    """What became known since."""

    note: str


class Merge(Record, frozen=True, kw_only=True):
    """This is the same as another; whoever is on the way goes there."""

    into: IncidentId


class NoteSplit(Record, frozen=True, kw_only=True):
    """A part of this became an incident of its own."""

    child: IncidentId


class HandOver(Record, frozen=True, kw_only=True):
    """Somebody else takes it on."""

    to: str
    why: str


class Reopen(Record, frozen=True, kw_only=True):
    """It was not over."""

    why: str


class Escalate(Record, frozen=True, kw_only=True):
    """Take a step of the ladder now."""

    rung: Rung
    why: str


class Own(Record, frozen=True, kw_only=True):
    """Somebody answers for the incident; None gives it back."""

    owner: str | None


class SetMode(Record, frozen=True, kw_only=True):
    """Who asks: the engine, or people."""

    mode: Mode


class Assist(Record, frozen=True, kw_only=True):
    """A unit on the task needs more than it has."""

    unit_id: UnitId
    task_id: AssignmentId
    what: Assistance
    n: int = 1
    text: str = ""


Command = (
    Triage
    | Accept
    | Decline
    | SeeOffer
    | SeeTask
    | Report
    | Located
    | Cancel
    | Resolve
    | CloseFile
    | Wake
    | UnitGone
    | Ask
    | Order
    | WithdrawOffer
    | Release
    | Reassign
    | Pin
    | Correct
    | Supplement
    | Merge
    | NoteSplit
    | HandOver
    | Reopen
    | Escalate
    | Own
    | SetMode
    | Assist
)
