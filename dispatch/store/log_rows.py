"""Rows of the log, turned into what the ports promise."""

import msgspec

from dispatch.core.events import Entry, Event
from dispatch.store.pools import Row


def entry(r: Row) -> Entry:
    """Return a line of the log; of no incident it has no number."""
    return Entry(
        n=r["n"] or 0,
        type=Event(r["type"]),
        by=r["by"],
        via=r["via"],
        at=r["at"],
        unit_id=r["unit_id"],
        data=msgspec.json.decode(r["data"]),
        trace=r["trace"] or "",
    )
