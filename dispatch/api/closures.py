"""/v1/closures: roads that no unit is led over for a while."""

from typing import Final

from litestar import Controller, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from msgspec.structs import replace

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.answers import made
from dispatch.api.bodies import Strict, in_utc
from dispatch.api.given import UUID, TheDesk, TheGrant, TheInFlight, TheOnce, id_in
from dispatch.api.promises import listing, reading, registering
from dispatch.auth import Right
from schemas import closure as bodies
from schemas.closure import ClosureId

MARK: Final = "closures"
CLOSED: Final = {
    **registering(bodies.ClosureView, 201),
    201: ResponseSpec(
        bodies.ClosureView,
        generate_examples=False,
        description="It is in force; `effect` says whether there are roads it closes.",
    ),
}


class ClosureDesk(Controller):
    """Closures of one's jurisdiction, and those that reach into it."""

    path = "/v1/closures"
    tags = ("closures",)
    return_dto = None

    @post(
        operation_id="close_roads",
        summary="Close roads",
        description="No unit is led over the roads in the polygon until `expires_at`, whatever"
        " its way of moving. In force at once here, and within a second in every other process;"
        " whoever is ranked from then on is ranked without them.",
        opt=needs(Right.CLOSE_ROADS),
        dto=Strict[bodies.CloseRoads],
        status_code=201,
        responses=CLOSED,
    )
    async def close(
        self,
        data: JSONBody[bodies.CloseRoads],
        desk: TheDesk,
        grant: TheGrant,
        once: TheOnce,
        in_flight: TheInFlight,
    ) -> Response[bytes]:
        """Close roads, once."""
        body = replace(data, expires_at=in_utc(data.expires_at, "/expires_at"))
        with in_flight.hold(once):
            answer, replayed = await desk.closures.close(body, grant, once)
        return made(answer, "/v1/closures", replayed=replayed)

    @get(
        operation_id="list_closures",
        summary="List closures",
        description="Those in force, newest first: of one's jurisdiction, and of the larger ones"
        " that it is part of. Polygons are as they were drawn, in the datum each names.",
        opt=needs(Right.SEE_UNITS),
        responses=listing(),
    )
    async def page_of(
        self,
        desk: TheDesk,
        grant: TheGrant,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> bodies.ClosurePage:
        """Return a page of closures."""
        before = ClosureId(cursors.decode(cursor, MARK, UUID)) if cursor else None
        found = await desk.closures.page(grant, before, limit + 1)
        page, last = cursors.cut(found, limit)
        following = cursors.encode(MARK, last.id) if last else None
        return bodies.ClosurePage(items=page, next=following)

    @get(
        "/{closure_id:str}",
        operation_id="get_closure",
        summary="Read a closure",
        description="In force or not.",
        opt=needs(Right.SEE_UNITS),
        responses=reading(),
    )
    async def read(
        self, desk: TheDesk, grant: TheGrant, closure_id: FromPath[str]
    ) -> bodies.ClosureView:
        """Return a closure."""
        return await desk.closures.closure(_id(closure_id), grant)

    @delete(
        "/{closure_id:str}",
        operation_id="end_closure",
        summary="Open roads again",
        description="Before the closure expires. Ending it again changes nothing, so no"
        " idempotency key is needed.",
        opt=needs(Right.CLOSE_ROADS),
        status_code=200,
        responses=reading(),
    )
    async def end(
        self, desk: TheDesk, grant: TheGrant, closure_id: FromPath[str]
    ) -> bodies.ClosureView:
        """End a closure."""
        return await desk.closures.end(_id(closure_id), grant)


def _id(text: str) -> ClosureId:
    return ClosureId(id_in(text, UUID, "no such closure"))
