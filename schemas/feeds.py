"""What is told to whoever follows: the log line by line, and what came of a 110 desk's calls."""

from enum import StrEnum
from typing import Any

from schemas.base import Instant
from schemas.rest import View


class FollowedEvent(View, frozen=True, kw_only=True):
    """A line of the log; about an incident (n counts its lines), or about a unit alone."""

    incident_id: str | None
    unit_id: str | None
    jurisdiction: str
    n: int | None
    type: str
    by: str
    via: str
    at: Instant
    data: dict[str, Any]
    trace: str | None = None
    """The work that wrote it, as in the header Kapok-Trace and in the service's own log."""


class Fact(StrEnum):
    """What a 110 desk hears of its call."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    ARRIVED = "arrived"
    CONTROLLED = "controlled"
    RESULT = "result"


class FeedbackView(View, frozen=True, kw_only=True, omit_defaults=True):
    """One fact; `result` and `why` come with the last, `into` where it was merged."""

    incident_id: str
    source: str
    ext_id: str
    ext_rev: int | None
    fact: Fact
    at: Instant
    result: str | None = None
    why: str | None = None
    into: str | None = None
    to: str | None = None


class FeedbackPage(View, frozen=True, kw_only=True):
    """Oldest first; `next` is where to go on, also from an empty page."""

    items: list[FeedbackView]
    next: str
