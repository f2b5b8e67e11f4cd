"""A place in the log as it is handed out: with the epoch of the log it lies in."""

import re
from typing import Final

from dispatch.api import cursor as cursors
from dispatch.api.problems import Code, Refused, bad_parameter
from dispatch.ports import Cursor

MARK: Final = "events"
PLACE: Final = re.compile(r"(?P<xid>[0-9]{1,18}):(?P<id>[0-9]{1,18})(?:@(?P<epoch>[\w+-]{1,64}))?")
"""Places were once handed out without an epoch: such a one counts as of the present log."""


def cursor_of(place: Cursor, epoch: str) -> str:
    """Return a place in the log of an epoch as it is handed out."""
    return cursors.encode(MARK, f"{place.xid}:{place.id}@{epoch}")


def place_of(cursor: str, epoch: str, parameter: str = "after") -> Cursor:
    """Return the place in the log a cursor names.

    Raises:
        Refused: it lies in the log of another epoch, or the log never gave it.
    """
    try:
        found = PLACE.fullmatch(cursors.decode(cursor, MARK, PLACE))
    except Refused as error:
        raise bad_parameter(parameter, "this list gave no such cursor") from error
    assert found is not None, "decoding lets nothing else through"  # noqa: S101 - said just above
    if found["epoch"] not in {None, epoch}:
        raise Refused(
            Code.PLACE_GONE,
            f"{parameter}: the database was restored, or another took its place, since this was "
            "handed out; what followed there may be other now: read again from the start",
        )
    return Cursor(xid=found["xid"], id=int(found["id"]))
