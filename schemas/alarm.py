"""An alarm: something a person has to look at, and the desk that is asked to."""

from enum import StrEnum
from typing import NewType

from schemas.base import IncidentId, Instant, Record, UnitId
from schemas.plan import Level

AlarmId = NewType("AlarmId", str)


class AlarmKind(StrEnum):
    """What an alarm is about: a step of the ladder, a unit, or the service itself."""

    OPERATOR = "operator"
    POLICE = "police"
    STREET = "street"
    PROFESSIONALS = "professionals"
    ASSISTANCE = "assistance"
    UNSEEN = "order_unseen"
    NO_SHOW = "no_show"
    SILENT = "silent_on_scene"
    CLOCK = "clock_failed"
    LOST_ROWS = "rows_lost"
    CANARY = "canary_failed"
    PARTIAL = "picture_partial"


class Alarm(Record, frozen=True, kw_only=True):
    """An alarm as it is kept: open until somebody acknowledges it, or its incident is over.

    `juris` is where it happened, `addressee` the desk that is asked now, `level` how high that is.
    Both are None until a desk was chosen; `next_at` is when the next one is.
    """

    id: AlarmId
    kind: AlarmKind
    reason: str
    juris: str
    raised_at: Instant
    incident_id: IncidentId | None = None
    unit_id: UnitId | None = None
    drill: bool = False
    addressee: str | None = None
    level: Level | None = None
    next_at: Instant | None = None
    acknowledged_by: str | None = None
    acknowledged_at: Instant | None = None
    note: str = ""
    ended_at: Instant | None = None
