"""/v1/units: which units there are, where, and in which state."""

from typing import Annotated, Final

from litestar import Controller, Response, get
from litestar.params import QueryParameter

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.given import VISIBLE, TheDatum, TheDesk, TheGrant, TheUnit
from dispatch.api.places import box_of, named, unit_in
from dispatch.api.problems import bad_parameter
from dispatch.api.promises import listing, reading
from dispatch.auth import Right
from geo.jurisdiction import is_path
from schemas import rest
from schemas.base import UnitId

MARK: Final = "units"

Under = Annotated[
    str | None, QueryParameter(description="Only units of this jurisdiction and those under it.")
]
Within = Annotated[
    str | None,
    QueryParameter(description="west,south,east,north in the datum asked for: only units there."),
]


class Units(Controller):
    """Units of one's jurisdiction."""

    path = "/v1/units"
    tags = ("units",)

    @get(
        operation_id="list_units",
        summary="List units",
        description="Ordered by id.",
        opt=needs(Right.SEE_UNITS),
        responses=listing(),
    )
    async def page_of(
        self,
        desk: TheDesk,
        grant: TheGrant,
        asked: TheDatum,
        jurisdiction: Under = None,
        box: Within = None,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> Response[rest.UnitPage]:
        """Return a page of units."""
        if jurisdiction is not None and not is_path(jurisdiction):
            raise bad_parameter("jurisdiction", "expected a path like gz.huangpu.xiagang")
        found = desk.units(
            grant,
            juris=jurisdiction,
            box=box_of(box, asked) if box is not None else None,
            after=UnitId(cursors.decode(cursor, MARK, VISIBLE)) if cursor else None,
            limit=limit + 1,
        )
        page, last = cursors.cut(found, limit)
        following = cursors.encode(MARK, last.id) if last else None
        items = [unit_in(asked, unit) for unit in page]
        return Response(rest.UnitPage(items=items, next=following), headers=named(asked))

    @get(
        "/{unit_id:str}",
        operation_id="get_unit",
        summary="Read a unit",
        opt=needs(Right.SEE_UNITS),
        responses=reading(),
    )
    async def read(
        self, desk: TheDesk, grant: TheGrant, unit: TheUnit, asked: TheDatum
    ) -> Response[rest.UnitView]:
        """Return a unit."""
        return Response(unit_in(asked, desk.unit(unit, grant)), headers=named(asked))
