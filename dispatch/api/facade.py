"""What the REST API asks of the desk."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from dispatch.auth import Grant, Keyring, Right
from dispatch.core.commands import Command, Place
from dispatch.core.events import Entry
from dispatch.desk.coverage import City, Summary
from dispatch.desk.ring_maps import Drawn
from dispatch.desk.routes import DrawnWay
from dispatch.ports import Answer, Clock, Logged, Once
from dispatch.ports import Cursor as LogCursor
from geo.point import Box, Point
from geo.roads.travel import Travel
from schemas.actions import SplitIncident
from schemas.alarm import Alarm, AlarmId
from schemas.base import IncidentId, Instant, UnitId
from schemas.closure import CloseRoads, ClosureId, ClosureView
from schemas.incident import Case, Incident
from schemas.notice import Notice, NoticeId
from schemas.notices import SendNotice
from schemas.rest import Candidates, OpenIncident, UnitView
from schemas.rest import Place as GivenPlace

Making = Callable[[Case, Instant], Command]
"""Says what is meant once the case is there: whose offer it is, and when."""


class Outcome(Protocol):
    """The answer of a change; `replayed` when it was given before."""

    @property
    def answer(self) -> Answer:
        """Return the answer: of a change to an incident, the JSON of its `IncidentView`."""

    @property
    def replayed(self) -> bool:
        """Tell whether the change was carried out by an earlier request."""


class Notices(Protocol):
    """What is told to many phones."""

    async def send(self, body: SendNotice, grant: Grant, once: Once) -> tuple[Answer, bool]:
        """Keep a notice to be sent, once; tell whether it was answered before."""

    async def withdraw(self, notice_id: NoticeId, grant: Grant) -> Notice:
        """Take a notice back."""

    async def notice(self, notice_id: NoticeId, grant: Grant) -> Notice:
        """Return a notice with its counts."""

    async def page(self, grant: Grant, before: NoticeId | None, limit: int) -> list[Notice]:
        """Return at most `limit` notices before `before`, newest first."""


class Alarms(Protocol):
    """What rings, and who is there to hear it."""

    async def attend(self, juris: str, grant: Grant) -> Instant:
        """Note that somebody is at a desk; return until when."""

    async def page(
        self, grant: Grant, addressee: str | None, before: AlarmId | None, limit: int
    ) -> list[Alarm]:
        """Return at most `limit` open alarms before `before`, newest first."""

    async def acknowledge(self, alarm_id: AlarmId, note: str, grant: Grant) -> Alarm:
        """Take note of an alarm."""


class Closures(Protocol):
    """Which roads are closed."""

    async def close(self, body: CloseRoads, grant: Grant, once: Once) -> tuple[Answer, bool]:
        """Close roads, once; tell whether it was answered before."""

    async def end(self, closure_id: ClosureId, grant: Grant) -> ClosureView:
        """End a closure before its time."""

    async def closure(self, closure_id: ClosureId, grant: Grant) -> ClosureView:
        """Return a closure, in force or not."""

    async def page(self, grant: Grant, before: ClosureId | None, limit: int) -> list[ClosureView]:
        """Return at most `limit` closures in force before `before`, newest first."""


class RingMaps(Protocol):
    """What is within some seconds of a place."""

    async def around(
        self, place: Point, travels: Sequence[Travel], rings_s: Sequence[int]
    ) -> list[Drawn]:
        """Return the rings of a place in WGS-84, the widest first."""


class Coverage(Protocol):
    """How well the city is covered."""

    async def of(self, grant: Grant, juris: str | None, level: int | None) -> Summary:
        """Return how a jurisdiction is covered, and each of its parts at a level below."""

    async def grids(self, grant: Grant, juris: str | None) -> tuple[City, list[int]]:
        """Return how the city is covered, and which of its grids lie in a jurisdiction."""

    def name(self, path: str) -> str:
        """Return the name of a jurisdiction."""


class Desk(Protocol):
    """Every read and every change; all raise `Refusal`, and `NotFound` for what is out of scope."""

    @property
    def clock(self) -> Clock:
        """Return the clock all instants are read from."""

    @property
    def notices(self) -> Notices:
        """Return what sends notices."""

    @property
    def alarms(self) -> Alarms:
        """Return what keeps alarms."""

    @property
    def closures(self) -> Closures:
        """Return what closes roads."""

    @property
    def ring_maps(self) -> RingMaps:
        """Return what draws rings."""

    @property
    def coverage(self) -> Coverage:
        """Return what tells how well the city is covered."""

    @property
    def keyring(self) -> Keyring:
        """Return the API keys in force."""

    async def open(
        self, body: OpenIncident, grant: Grant, once: Once, received_at: Instant
    ) -> Outcome:
        """Open an incident, once."""

    async def act(
        self,
        incident_id: IncidentId,
        command: Command | Making,
        grant: Grant,
        right: Right,
        once: Once,
        *,
        via: str = "api",
        expect: int | None = None,
    ) -> Outcome:
        """Carry out a command on an incident, once; raise `Outdated` for another version."""

    async def split(
        self,
        parent_id: IncidentId,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        *,
        expect: int | None = None,
    ) -> Outcome:
        """Open a part of an incident as one of its own, once."""

    def place(self, position: GivenPlace, scope: str | None) -> Place:
        """Return a position in WGS-84 with its jurisdiction; refuse what lies outside."""

    async def events(self, after: LogCursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, of all jurisdictions; nothing later comes below it."""

    async def log_end(self) -> LogCursor:
        """Return where the log ends now."""

    def epoch(self) -> str:
        """Return which life of the store the places in the log are of."""

    async def case(self, incident_id: IncidentId, grant: Grant) -> Case:
        """Return an incident with its offers and assignments."""

    async def incidents(
        self, grant: Grant, *, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return at most `limit` incidents before `before`, newest first; no status means any."""

    async def timeline(
        self, incident_id: IncidentId, grant: Grant, after: int, limit: int
    ) -> list[Entry]:
        """Return at most `limit` entries with n above `after`, in order of n."""

    async def candidates(self, body: OpenIncident, grant: Grant) -> Candidates:
        """Return who would be asked; nothing is sent."""

    def units(
        self, grant: Grant, *, juris: str | None, box: Box | None, after: UnitId | None, limit: int
    ) -> list[UnitView]:
        """Return at most `limit` units with an id above `after`, by id, WGS-84; the box is too."""

    def unit(self, unit_id: UnitId, grant: Grant) -> UnitView:
        """Return one unit, WGS-84."""

    async def way(self, incident_id: IncidentId, unit_id: UnitId, grant: Grant) -> DrawnWay:
        """Return the way a unit would take to an incident, WGS-84."""

    def degraded(self) -> list[str]:
        """Return what is not as it should be, though requests are served."""
        ...

    def ready(self) -> Mapping[str, bool]:
        """Tell of each part whether it is ready."""
