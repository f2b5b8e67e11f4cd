"""What the REST API asks of the desk."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from dispatch.auth import Grant, Keyring, Right
from dispatch.core.commands import Command
from dispatch.core.events import Entry
from dispatch.ports import Answer, Clock, Once
from geo.point import Box
from schemas.base import IncidentId, Instant, UnitId
from schemas.incident import Case, Incident
from schemas.rest import Candidates, OpenIncident, UnitView


class Outcome(Protocol):
    """The answer of a change; `replayed` when it was given before."""

    @property
    def answer(self) -> Answer:
        """Return the answer: of a change to an incident, the JSON of its `IncidentView`."""

    @property
    def replayed(self) -> bool:
        """Tell whether the change was carried out by an earlier request."""


class Desk(Protocol):
    """Every read and every change; all raise `Refusal`, and `NotFound` for what is out of scope."""

    @property
    def clock(self) -> Clock:
        """Return the clock all instants are read from."""

    @property
    def keyring(self) -> Keyring:
        """Return the API keys in force."""

    async def open(
        self, body: OpenIncident, grant: Grant, once: Once, received_at: Instant
    ) -> Outcome:
        """Open an incident, once."""

    async def act(
        self, incident_id: IncidentId, command: Command, grant: Grant, right: Right, once: Once
    ) -> Outcome:
        """Carry out a command on an incident, once."""

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
