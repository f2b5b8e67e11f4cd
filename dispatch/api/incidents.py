"""/v1/incidents: open, list, read; what a person may do with one stands in `actions`."""

import re
from typing import Annotated, Final

from litestar import Controller, Response, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec.structs import replace

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.answers import created
from dispatch.api.bodies import Strict, in_utc
from dispatch.api.given import UUID, TheCall, TheDatum, TheDesk, TheGrant, TheIncident
from dispatch.api.if_match import etag
from dispatch.api.places import incident_in, named
from dispatch.api.promises import change, listing, reading
from dispatch.api.timeline import event_view
from dispatch.auth import Right
from dispatch.desk.answers import brief_view, incident_view
from schemas import rest
from schemas.base import IncidentId
from schemas.incident import Status

TIMELINE_MARK: Final = "timeline"
INCIDENTS_MARK: Final = "incidents"
NUMBER: Final = re.compile(r"[0-9]{1,9}")

Statuses = Annotated[
    list[Status] | None,
    QueryParameter(description="Only incidents of this status; may be repeated."),
]


class Incidents(Controller):
    """Incidents of one's jurisdiction."""

    path = "/v1/incidents"
    tags = ("incidents",)
    return_dto = None

    @post(
        operation_id="open_incident",
        summary="Open an incident",
        description="A call comes in. The answer shows who was asked.",
        opt=needs(Right.REPORT),
        dto=Strict[rest.OpenIncident],
        status_code=201,
        responses=change(201),
    )
    async def open_one(self, data: JSONBody[rest.OpenIncident], call: TheCall) -> Response[bytes]:
        """Open an incident, once."""
        body = call_in_utc(data)
        with call.in_flight.hold(call.once):
            outcome = await call.desk.open(body, call.grant, call.once, call.received_at)
        return created(outcome, call.asked)

    @get(
        operation_id="list_incidents",
        summary="List incidents",
        description="Newest first. Offers and assignments are left out: read the incident itself.",
        opt=needs(Right.SEE_INCIDENTS),
        responses=listing(),
    )
    async def page_of(
        self,
        desk: TheDesk,
        grant: TheGrant,
        asked: TheDatum,
        status: Statuses = None,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> Response[rest.IncidentPage]:
        """Return a page of incidents."""
        before = IncidentId(cursors.decode(cursor, INCIDENTS_MARK, UUID)) if cursor else None
        found = await desk.incidents(grant, status=status or [], before=before, limit=limit + 1)
        page, last = cursors.cut(found, limit)
        following = cursors.encode(INCIDENTS_MARK, last.id) if last else None
        items = [incident_in(asked, brief_view(incident)) for incident in page]
        return Response(rest.IncidentPage(items=items, next=following), headers=named(asked))

    @get(
        "/{incident_id:str}",
        operation_id="get_incident",
        summary="Read an incident",
        description="With all its offers and assignments.",
        opt=needs(Right.SEE_INCIDENTS),
        responses=reading(),
    )
    async def read(
        self, desk: TheDesk, grant: TheGrant, incident: TheIncident, asked: TheDatum
    ) -> Response[rest.IncidentView]:
        """Return an incident."""
        view = incident_view(await desk.case(incident, grant))
        headers = {**named(asked), **etag(view.version)}
        return Response(incident_in(asked, view), headers=headers)

    @get(
        "/{incident_id:str}/timeline",
        operation_id="get_timeline",
        summary="Read what happened",
        description="Every fact in the order it was written down; n has no gaps.",
        opt=needs(Right.SEE_INCIDENTS),
        responses=reading(),
    )
    async def timeline(
        self,
        desk: TheDesk,
        grant: TheGrant,
        incident: TheIncident,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> rest.Timeline:
        """Return a page of the incident's log."""
        after = int(cursors.decode(cursor, TIMELINE_MARK, NUMBER)) if cursor else 0
        found = await desk.timeline(incident, grant, after, limit + 1)
        page, last = cursors.cut(found, limit)
        following = cursors.encode(TIMELINE_MARK, str(last.n)) if last else None
        return rest.Timeline(items=[event_view(entry) for entry in page], next=following)


def call_in_utc(body: rest.OpenIncident) -> rest.OpenIncident:
    """Return the body with the instant of its call in UTC."""
    if body.called_at is None:
        return body
    return replace(body, called_at=in_utc(body.called_at, "/called_at"))
