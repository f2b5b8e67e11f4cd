"""What is shown of an incident's log."""

from dispatch.core.events import Entry
from schemas.rest import EventView


def event_view(entry: Entry) -> EventView:
    """Return a line of the timeline; the unit it is about stands among its data."""
    about = {"unit_id": entry.unit_id} if entry.unit_id else {}
    return EventView(
        n=entry.n,
        type=entry.type,
        by=entry.by,
        via=entry.via,
        at=entry.at,
        data={**about, **entry.data},
        trace=entry.trace or None,
    )
