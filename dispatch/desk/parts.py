"""A part of an incident as an incident of its own."""

from schemas.actions import SplitIncident
from schemas.incident import Incident
from schemas.rest import OpenIncident, Place


def part_of(parent: Incident, body: SplitIncident) -> OpenIncident:
    """Return what is to be opened; what the body leaves out is as in the parent."""
    there = Place(lon=parent.given_lon, lat=parent.given_lat, datum=parent.given_datum)
    return OpenIncident(
        kind=body.kind or parent.kind,
        priority=body.priority or parent.priority,
        position=body.position or there,
        title=body.title,
        address=parent.address if body.address is None else body.address,
        note=body.note,
        needs=body.needs,
        drill=parent.drill,
    )
