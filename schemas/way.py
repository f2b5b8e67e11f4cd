"""The way of a unit to an incident, to be drawn: an answer of the REST API."""

from typing import Any, Literal

from geo.eta import Quality
from schemas.rest import View


class WayProperties(View, frozen=True, kw_only=True):
    """Whose way it is, how long it takes with the turnout, and how far it is.

    `by`: the router that told it; null for a straight line, which `quality` names too.
    """

    unit_id: str
    eta_s: float
    distance_m: float
    by: str | None
    quality: Quality


class WayFeature(View, frozen=True, kw_only=True):
    """A way as a feature of GeoJSON, in the datum asked for, from the unit to the incident."""

    properties: WayProperties
    geometry: dict[str, Any]
    type: Literal["Feature"] = "Feature"
