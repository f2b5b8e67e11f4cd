"""What is asked of the desk and changes nothing: from memory what is moving, else from disk."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Final

from dispatch.auth import Grant, Right, rights
from dispatch.core.commands import Place
from dispatch.core.errors import Forbidden, Invalid, NotFound
from dispatch.core.events import Entry
from dispatch.core.plans import plan_for
from dispatch.core.service_time import nearer
from dispatch.desk import answers
from dispatch.desk.picture import Picture
from dispatch.desk.preview import preview
from dispatch.desk.routes import DrawnWay
from dispatch.desk.scope import actor_of, available, in_scope
from dispatch.ports import Cursor, Logged
from geo.datum import point_to_wgs84
from geo.jurisdiction import within
from geo.point import Box, Point
from schemas.base import IncidentId, Instant, UnitId
from schemas.incident import Case, Incident, Status
from schemas.plan import Need
from schemas.rest import Candidates, OpenIncident, UnitView
from schemas.rest import Place as GivenPlace

CALL_EARLY: Final = timedelta(seconds=60)
CALL_OLD: Final = timedelta(hours=24)


class Looks(Picture):
    """Every read; none leaves the asker's jurisdiction."""

    # Incidents. ------------------------------------------------------------------------------

    async def case(self, incident_id: IncidentId, grant: Grant) -> Case:
        """Return a case of the asker's jurisdiction, as it is on disk."""
        grant.require(Right.SEE_INCIDENTS)
        with available():
            loaded = await self.store.load(incident_id, None)
        return in_scope(loaded.case, grant)

    async def incidents(
        self, grant: Grant, *, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of the asker's jurisdiction, newest first."""
        grant.require(Right.SEE_INCIDENTS)
        with available():
            return await self.store.incidents(grant.juris, status, before, limit)

    async def timeline(
        self, incident_id: IncidentId, grant: Grant, after: int, limit: int
    ) -> list[Entry]:
        """Return what happened to an incident, oldest first."""
        await self.case(incident_id, grant)
        with available():
            return await self.store.timeline(incident_id, after, limit)

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, of all jurisdictions; nothing later comes below it."""
        with available():
            return await self.store.events(after, limit)

    async def log_end(self) -> Cursor:
        """Return where the log ends now."""
        with available():
            return await self.store.tail()

    # Units. ----------------------------------------------------------------------------------

    async def candidates(self, body: OpenIncident, grant: Grant) -> Candidates:
        """Return who would be asked by an opening now; nothing is sent."""
        if Right.OPEN not in rights(grant):
            grant.require(Right.SEE_UNITS)
        incident = self.incident(body, grant.role, grant.juris, self.clock.now())
        told = await self.routes.told(incident, None)
        return preview(incident, self._context(incident, actor_of(grant), told), self.fleet)

    def units(
        self, grant: Grant, *, juris: str | None, box: Box | None, after: UnitId | None, limit: int
    ) -> list[UnitView]:
        """Return units of the asker's jurisdiction, ordered by id."""
        grant.require(Right.SEE_UNITS)
        now = self.clock.now()
        inside = self.fleet.inside(box, now.timestamp()) if box else None
        chosen = (
            unit
            for unit in self.fleet.after(after)
            if within(unit.juris, grant.juris)
            and (juris is None or within(unit.juris, juris))
            and (inside is None or unit.id in inside)
        )
        return [answers.unit_view(self.fleet, unit, now) for unit in islice(chosen, limit)]

    def unit(self, unit_id: UnitId, grant: Grant) -> UnitView:
        """Return one unit of the asker's jurisdiction."""
        grant.require(Right.SEE_UNITS)
        unit = self.fleet.unit(unit_id)
        if unit is None:
            raise NotFound("no such unit")
        grant.require(Right.SEE_UNITS, unit.juris)
        return answers.unit_view(self.fleet, unit, self.clock.now())

    async def way(self, incident_id: IncidentId, unit_id: UnitId, grant: Grant) -> DrawnWay:
        """Return the way a unit would take to an incident, both of the asker's jurisdiction."""
        incident = (await self.case(incident_id, grant)).incident
        self.unit(unit_id, grant)
        return await self.routes.way(unit_id, Point(incident.lon, incident.lat))

    # What a call means. ----------------------------------------------------------------------

    def incident(
        self, body: OpenIncident, source: str, scope: str | None, received_at: Instant
    ) -> Incident:
        """Return the incident a body describes; refuse what cannot be."""
        called_at = nearer(body.called_at or received_at, received_at, self.ahead_s())
        if called_at > received_at + CALL_EARLY:
            raise Invalid("called_at lies in the future", path="$.called_at")
        if called_at < received_at - CALL_OLD:
            raise Invalid("called_at is more than 24 h ago", path="$.called_at")
        place = self.place(body.position, scope)
        plan = plan_for(body.kind, body.priority)
        return Incident(
            id=IncidentId(self.clock.new_id()),
            kind=body.kind,
            priority=body.priority,
            lon=place.lon,
            lat=place.lat,
            given_lon=place.given_lon,
            given_lat=place.given_lat,
            given_datum=place.given_datum,
            juris=place.juris,
            title=body.title,
            status=Status.REPORTED,
            called_at=min(called_at, received_at),
            opened_at=received_at,
            address=body.address,
            note=body.note,
            source=body.source or source,
            ext_id=body.ext_id,
            ext_rev=body.ext_rev,
            drill=body.drill,
            needs=_needs(body) or plan.needs,
            ring_s=plan.ring_s,
        )

    def place(self, position: GivenPlace, scope: str | None) -> Place:
        """Return a position in WGS-84 with its jurisdiction; refuse what lies outside."""
        given = Point(position.lon, position.lat)
        here = point_to_wgs84(given, position.datum)
        juris = self.places.deepest(here)
        if juris is None:
            raise Invalid("the position lies outside the city", path="$.position")
        if scope is not None and not within(juris.path, scope):
            raise Forbidden("the position lies outside your jurisdiction")
        return Place(
            lon=here.lon,
            lat=here.lat,
            given_lon=given.lon,
            given_lat=given.lat,
            given_datum=position.datum,
            juris=juris.path,
        )


def _needs(body: OpenIncident) -> tuple[Need, ...]:
    """Return the needs a caller states, as the store gives them back."""
    return tuple(Need(role=n.role, capabilities=n.capabilities) for n in body.needs or ())
