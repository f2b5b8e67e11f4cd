"""Moments that come by themselves."""

from schemas.base import IncidentId, Record, UnitId


class Due(Record, frozen=True, kw_only=True):
    """A moment that has come for an incident; `unit_id` where it is about one unit."""

    id: int
    incident_id: IncidentId
    kind: str
    unit_id: UnitId | None
