"""Moments that come by themselves."""

from schemas.base import IncidentId, Record, UnitId


class Due(Record, frozen=True, kw_only=True):
    """A moment that has come for an incident; `unit_id` where it is about one unit.

    `trace` is the work of another incident that it follows from; a wake follows from none.
    """

    id: int
    incident_id: IncidentId
    kind: str
    unit_id: UnitId | None
    trace: str = ""
