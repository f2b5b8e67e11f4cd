"""What can be asked of a case."""

from schemas.base import AssignmentId, Instant, OfferId, Record, UnitId
from schemas.incident import Incident
from schemas.wire import Reached


class Open(Record, frozen=True, kw_only=True):
    """A call came in. `trusted` opens it at once; a feed's lower priorities wait for triage."""

    incident: Incident
    trusted: bool


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


Command = (
    Triage
    | Accept
    | Decline
    | SeeOffer
    | SeeTask
    | Report
    | Cancel
    | Resolve
    | CloseFile
    | Wake
    | UnitGone
)
