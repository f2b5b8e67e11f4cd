"""Lines of the event log, and places in it."""

from dispatch.core.events import Entry
from schemas.base import IncidentId, Record


class Cursor(Record, frozen=True, kw_only=True):
    """A place in the log; opaque to whoever is handed it."""

    xid: str = "0"
    id: int = 0


class Logged(Record, frozen=True, kw_only=True):
    """A line of the log with its place in it; about an incident, or about a unit alone.

    Beside it whose ground that is, and how the 110 desk names the incident.
    """

    cursor: Cursor
    incident_id: IncidentId | None
    entry: Entry
    juris: str = ""
    source: str = ""
    ext_id: str | None = None
    ext_rev: int | None = None
