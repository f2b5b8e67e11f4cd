"""GET /v1/incidents/{incident_id}/ways/{unit_id}: the way of a unit, to be drawn on a map."""

from litestar import Controller, Response, get
from shapely import LineString

from dispatch.api.access import needs
from dispatch.api.given import TheDatum, TheDesk, TheGrant, TheIncident, TheUnit
from dispatch.api.places import named
from dispatch.api.promises import reading
from dispatch.api.rings import geometry_in
from dispatch.auth import Right
from schemas.way import WayFeature, WayProperties


class WayMap(Controller):
    """Ways as GeoJSON."""

    path = "/v1/incidents/{incident_id:str}/ways"
    tags = ("incidents",)

    @get(
        "/{unit_id:str}",
        operation_id="get_way",
        summary="Draw the way of a unit",
        description="From where the unit is to the incident, turnout included in `eta_s`: as the"
        " site's router tells it, whose name is `by`; else a straight line, and its `quality`"
        " says so.",
        opt=needs(Right.SEE_INCIDENTS, Right.SEE_UNITS),
        responses=reading(),
    )
    async def way(
        self,
        desk: TheDesk,
        grant: TheGrant,
        asked: TheDatum,
        incident: TheIncident,
        unit: TheUnit,
    ) -> Response[WayFeature]:
        """Return the way as one feature."""
        way = await desk.way(incident, unit, grant)
        feature = WayFeature(
            properties=WayProperties(
                unit_id=unit,
                eta_s=round(way.eta_s, 1),
                distance_m=round(way.distance_m, 1),
                by=way.by,
                quality=way.quality,
            ),
            geometry=geometry_in(asked, LineString(way.line)),
        )
        return Response(feature, headers=named(asked))
