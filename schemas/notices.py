"""The bodies of notices and alarms over REST. Inputs refuse unknown fields."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from geo.datum import Datum
from schemas.alarm import AlarmKind
from schemas.base import Instant, Path
from schemas.notice import NoticeLevel
from schemas.plan import Level
from schemas.rest import Body, View

Words = Annotated[str, Meta(max_length=500)]


class Polygon(Body, frozen=True, kw_only=True):
    """A GeoJSON Polygon or MultiPolygon that names its datum."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: Annotated[list[Any], Meta(min_length=1, max_length=100)]
    datum: Datum


class SendNotice(Body, frozen=True, kw_only=True):
    """A text for all phones of a jurisdiction, or of the units that stand in a polygon now."""

    level: NoticeLevel
    text: Annotated[str, Meta(min_length=1, max_length=1000)]
    jurisdiction: Path | None = None
    polygon: Polygon | None = None
    expires_at: Instant | None = None
    need_read: bool = False
    drill: bool


class WithdrawNotice(Body, frozen=True, kw_only=True):
    """Nothing to add."""


class NoticeView(View, frozen=True, kw_only=True):
    """A notice; `sent_at` is when the last phone's row was written. Lists leave the counts out."""

    id: str
    level: NoticeLevel
    text: str
    jurisdiction: str
    polygon: dict[str, Any] | None
    by: str
    at: Instant
    expires_at: Instant
    need_read: bool
    drill: bool
    sent_at: Instant | None
    withdrawn_at: Instant | None
    withdrawn_by: str | None
    addressed: int | None
    delivered: int | None
    read: int | None


class NoticePage(View, frozen=True, kw_only=True):
    """Newest first; `next` is the cursor of the following page, absent on the last."""

    items: list[NoticeView]
    next: str | None = None


class AtDesk(Body, frozen=True, kw_only=True):
    """Somebody is at the desk of this jurisdiction for the next 60 s."""

    jurisdiction: Path


class Present(View, frozen=True, kw_only=True):
    """Until when the desk counts as staffed, unless it is said again."""

    jurisdiction: str
    until: Instant


class AcknowledgeAlarm(Body, frozen=True, kw_only=True):
    """Somebody has taken note, and sees to it."""

    note: Words = ""


class AlarmView(View, frozen=True, kw_only=True):
    """An alarm: what, where, and which desk is asked now; none for a moment after it was raised."""

    id: str
    kind: AlarmKind
    reason: str
    jurisdiction: str
    incident_id: str | None
    unit_id: str | None
    drill: bool
    raised_at: Instant
    addressee: str | None
    level: Level | None
    next_at: Instant | None
    acknowledged_by: str | None
    acknowledged_at: Instant | None
    note: str
    ended_at: Instant | None


class AlarmPage(View, frozen=True, kw_only=True):
    """Open alarms, newest first; `next` is the cursor of the following page, absent on the last."""

    items: list[AlarmView]
    next: str | None = None
