"""What is written down: the append-only log, one entry a fact."""

from enum import StrEnum
from typing import Any

from schemas.base import Instant, Record, UnitId


class Event(StrEnum):
    """Every kind of fact. Names are past tense; they are stored, so they are never renamed."""

    REPORTED = "reported"
    OPENED = "opened"
    REJECTED = "rejected"
    OFFERED = "offered"
    DELIVERED = "offer_delivered"
    SEEN = "offer_seen"
    LAPSED = "offer_lapsed"
    ACCEPTED = "offer_accepted"
    DECLINED = "offer_declined"
    EXPIRED = "offer_expired"
    WITHDRAWN = "offer_withdrawn"
    TAKEN = "offer_taken"
    OFFER_CANCELLED = "offer_cancelled"
    ASSIGNED = "assigned"
    TASK_SEEN = "assignment_seen"
    PROGRESSED = "assignment_progressed"
    LATE = "late_progress"
    BACKED_UP = "became_backup"
    PROMOTED = "became_primary"
    ASSIGNMENT_ENDED = "assignment_ended"
    STATUS = "status_changed"
    WIDENED = "ring_widened"
    ESCALATED = "escalated"
    SHORTFALL = "shortfall"
    FOUND = "shortfall_over"
    CANCELLED = "cancelled"
    RESOLVED = "resolved"
    CLOSED = "closed"
    DUTY = "duty_changed"
    CORRECTED = "corrected"
    SUPPLEMENTED = "supplemented"
    MERGED = "merged"
    SPLIT = "split"
    HANDED_OVER = "handed_over"
    REOPENED = "reopened"
    OWNED = "owner_changed"
    MODE = "mode_changed"
    PINNED = "pinned"
    ASSISTANCE = "assistance_asked"
    UNSEEN = "order_unseen"
    STILL = "not_moving"
    NO_SHOW = "no_show"
    SILENT = "silent_on_scene"
    RECEDING = "going_away"
    UNSURE = "fix_too_old"
    CONFIRMED = "arrival_confirmed"
    ALARM_ADDRESSED = "alarm_addressed"
    ALARM_ACKNOWLEDGED = "alarm_acknowledged"
    UNIT_CREATED = "unit_created"
    UNIT_CHANGED = "unit_changed"
    UNIT_DISABLED = "unit_disabled"
    UNIT_ENABLED = "unit_enabled"
    MEMBER_ADDED = "member_added"
    MEMBER_CHANGED = "member_changed"
    CONSENTED = "consent_given"
    REFUSED = "consent_withdrawn"
    CODE_ISSUED = "enrol_code_issued"
    DEVICE_ENROLLED = "device_enrolled"
    DEVICE_REVOKED = "device_revoked"
    RESTORED = "restored"


class Entry(Record, frozen=True, kw_only=True):
    """One line of the log; the store gives `n` under the incident's lock, from 1, without gaps."""

    type: Event
    by: str
    via: str
    at: Instant
    unit_id: UnitId | None = None
    data: dict[str, Any] = {}
    n: int = 0
    trace: str = ""
    """The work it was written by, once it is: the store notes it beside `n`."""
