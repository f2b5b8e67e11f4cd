"""/v1/coverage: how many free units are near each grid, and how surely somebody arrives."""

from typing import Annotated, Final, Literal

from litestar import Controller, Response, get
from litestar.params import QueryParameter

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.given import TheDatum, TheDesk, TheGrant
from dispatch.api.places import named
from dispatch.api.problems import bad_parameter
from dispatch.api.promises import listing
from dispatch.auth import Right
from dispatch.desk.coverage import City
from geo.coverage import Part
from geo.datum import Datum, point_from_wgs84
from geo.eta import Quality
from geo.jurisdiction import PATH, Level, is_path
from geo.point import Point
from schemas import coverage as views

PARTS: Final = "coverage"
GRIDS: Final = "grids"
GRIDS_MOST: Final = 2000
"""Of a page: about half a megabyte."""

Of = Annotated[
    str | None,
    QueryParameter(description="The jurisdiction that is asked about; else that of the key."),
]
AtLevel = Annotated[
    int | None,
    QueryParameter(
        ge=int(Level.CITY),
        le=int(Level.GRID),
        description="How deep the parts lie: 2 districts, 3 streets, 4 villages, 5 grids; else one"
        " below the jurisdiction.",
    ),
]
GridLimit = Annotated[
    int, QueryParameter(ge=1, le=GRIDS_MOST, description="How many grids a page may have.")
]


Uncovered = Annotated[
    Literal["180", "300"] | None,
    QueryParameter(description="Only grids that have no free unit within so many seconds."),
]
RINGS: Final = ("180", "300")


class CoverageMap(Controller):
    """Coverage of one's jurisdiction."""

    path = "/v1/coverage"
    tags = ("coverage",)

    @get(
        operation_id="get_coverage",
        summary="See how well a jurisdiction is covered",
        description="Sums over its grids, and over those of its parts, by path. Made for the whole"
        " city when somebody asks, at most every 10 s; `age_s` tells how old it is.",
        opt=needs(Right.SEE_UNITS),
        responses=listing(),
    )
    async def sums(
        self,
        desk: TheDesk,
        grant: TheGrant,
        jurisdiction: Of = None,
        level: AtLevel = None,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> views.CoverageView:
        """Return the sums of a jurisdiction, and a page of those of its parts."""
        _require_path(jurisdiction)
        after = cursors.decode(cursor, PARTS, PATH) if cursor else ""
        found = await desk.coverage.of(grant, jurisdiction, level)
        rest = [part for part in found.parts if part.path > after]
        page, last = cursors.cut(rest[: limit + 1], limit)
        city = found.city
        return views.CoverageView(
            at=city.at,
            age_s=round(found.age_s, 1),
            quality=city.quality,
            free_units=city.free_units,
            pending=city.pending,
            straight_line_grids=int(city.far.sum()),
            total=_sum(found.total, desk.coverage.name(found.total.path)),
            parts=[_sum(part, desk.coverage.name(part.path)) for part in page],
            next=cursors.encode(PARTS, last.path) if last else None,
        )

    @get(
        "/grids",
        operation_id="list_covered_grids",
        summary="See how well each grid is covered",
        description="As a FeatureCollection of a place in each grid, by path, for a map.",
        opt=needs(Right.SEE_UNITS),
        responses=listing(),
    )
    async def grids(
        self,
        desk: TheDesk,
        grant: TheGrant,
        asked: TheDatum,
        jurisdiction: Of = None,
        uncovered: Uncovered = None,
        cursor: cursors.Cursor = None,
        limit: GridLimit = cursors.DEFAULT_LIMIT,
    ) -> Response[views.GridPage]:
        """Return a page of grids."""
        _require_path(jurisdiction)
        after = cursors.decode(cursor, GRIDS, PATH) if cursor else ""
        city, inside = await desk.coverage.grids(grant, jurisdiction)
        paths = city.places.paths
        if uncovered is not None:
            covered = city.covered[RINGS.index(uncovered)]
            inside = [grid for grid in inside if not covered.units[grid]]
        rest = [grid for grid in inside if paths[grid] > after]
        page = rest[:limit]
        more = len(rest) > limit
        answer = views.GridPage(
            at=city.at,
            features=[_grid(city, grid, asked) for grid in page],
            next=cursors.encode(GRIDS, paths[page[-1]]) if more else None,
        )
        return Response(answer, headers=named(asked))


def _require_path(jurisdiction: str | None) -> None:
    if jurisdiction is not None and not is_path(jurisdiction):
        raise bad_parameter("jurisdiction", "expected a path like gz.huangpu.xiagang")


def _sum(part: Part, name: str) -> views.CoverageSum:
    within, sure = part.within, part.sure
    return views.CoverageSum(
        jurisdiction=part.path,
        name=name,
        grids=part.places,
        within_180=round(within[0]),
        within_300=round(within[1]),
        sure_180=round(sure[0]),
        sure_300=round(sure[1]),
    )


def _grid(city: City, grid: int, datum: Datum) -> views.GridFeature:
    """Return a grid in the datum asked for."""
    there = Point(float(city.places.lons[grid]), float(city.places.lats[grid]))
    near, wide = city.covered
    return views.GridFeature(
        properties=views.GridProperties(
            jurisdiction=city.places.paths[grid],
            units_180=int(near.units[grid]),
            units_300=int(wide.units[grid]),
            p_180=round(float(near.p[grid]), 3),
            p_300=round(float(wide.p[grid]), 3),
            quality=Quality.STRAIGHT_LINE if city.far[grid] else city.quality,
        ),
        geometry={"type": "Point", "coordinates": list(point_from_wgs84(there, datum))},
    )
