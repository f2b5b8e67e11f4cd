"""Roads that are closed for a while: as they are kept, and their bodies over REST."""

from enum import StrEnum
from typing import Any, NewType

from schemas.base import Instant, Record
from schemas.notices import Polygon
from schemas.rest import Body, Reason, View

ClosureId = NewType("ClosureId", str)


class Closure(Record, frozen=True, kw_only=True):
    """A closure: in force from `at` until it expires, or somebody ends it before.

    `polygon` is GeoJSON as it was drawn, with its `datum`; `juris` the deepest that holds it all.
    """

    id: ClosureId
    polygon: dict[str, Any]
    reason: str
    juris: str
    by: str
    at: Instant
    expires_at: Instant
    ended_at: Instant | None = None
    ended_by: str | None = None


class Effect(StrEnum):
    """What a closure does to the search."""

    CLOSED = "closed"
    NONE = "none"


class CloseRoads(Body, frozen=True, kw_only=True):
    """No unit is led over the roads in a polygon, by whatever way of moving, until then."""

    polygon: Polygon
    reason: Reason
    expires_at: Instant


class ClosureView(View, frozen=True, kw_only=True):
    """A closure; `segments` are the stretches of road it closes, and `why` there may be none."""

    id: str
    polygon: dict[str, Any]
    reason: str
    jurisdiction: str
    by: str
    at: Instant
    expires_at: Instant
    ended_at: Instant | None
    ended_by: str | None
    effect: Effect
    segments: int
    why: str | None


class ClosurePage(View, frozen=True, kw_only=True):
    """Closures in force, newest first; `next` is the cursor of the following page."""

    items: list[ClosureView]
    next: str | None = None
