"""What the REST API asks of the desk."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from dispatch.auth import Grant, Keyring, Right
from dispatch.core.commands import Command, Place
from dispatch.core.events import Entry
from dispatch.ports import Answer, Clock, Logged, Once
from dispatch.ports import Cursor as LogCursor
from geo.point import Box
from schemas.actions import SplitIncident
from schemas.alarm import Alarm, AlarmId
from schemas.base import IncidentId, Instant, UnitId
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

    def candidates(self, body: OpenIncident, grant: Grant) -> Candidates:
        """Return who would be asked; nothing is sent."""

    def units(
        self, grant: Grant, *, juris: str | None, box: Box | None, after: UnitId | None, limit: int
    ) -> list[UnitView]:
        """Return at most `limit` units with an id above `after`, by id, WGS-84; the box is too."""

    def unit(self, unit_id: UnitId, grant: Grant) -> UnitView:
        """Return one unit, WGS-84."""

    def ready(self) -> Mapping[str, bool]:
        """Tell of each part whether it is ready."""
