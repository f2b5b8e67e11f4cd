"""GET /v1/feedback: what a 110 desk hears of its calls, pulled by cursor."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from litestar import get
from litestar.params import QueryParameter

from dispatch.api.access import needs
from dispatch.api.cursor import DEFAULT_LIMIT, Limit
from dispatch.api.given import TheDesk, TheGrant
from dispatch.api.log_place import cursor_of, place_of
from dispatch.api.promises import resuming
from dispatch.auth import Right
from dispatch.core.events import Event
from dispatch.ports import Cursor, Logged
from geo.jurisdiction import within
from schemas.feeds import Fact, FeedbackPage, FeedbackView
from schemas.incident import Status

SCAN: Final = 500
SCANS_MOST: Final = 20
"""Lines of the log that one request looks through: at most `SCAN` times as many."""

Data = Mapping[str, Any]

REACHED: Final[Mapping[str, Fact]] = {
    Status.RESPONDING: Fact.ACCEPTED,
    Status.ON_SCENE: Fact.ARRIVED,
    Status.CONTROLLED: Fact.CONTROLLED,
}
RESULTS: Final[Mapping[Event, Callable[[Data], dict[str, str | None]]]] = {
    Event.CLOSED: lambda d: {"result": d["result"], "why": d.get("note") or None},
    Event.CANCELLED: lambda d: {"result": Status.CANCELLED, "why": d.get("why")},
    Event.REJECTED: lambda d: {"result": Status.REJECTED, "why": d.get("why") or None},
    Event.MERGED: lambda d: {"result": Status.MERGED, "into": d["into"]},
    Event.HANDED_OVER: lambda d: {
        "result": Status.HANDED_OVER,
        "why": d.get("why"),
        "to": d.get("to"),
    },
}

After = Annotated[
    str | None, QueryParameter(description="The `next` of the page before; absent for the first.")
]


@get(
    "/v1/feedback",
    operation_id="get_feedback",
    summary="Hear what came of one's calls",
    description="Of incidents with an `ext_id`: received, accepted, arrived, controlled, result."
    " Ask again with `next`, also after an empty page; without it after 410.",
    tags=["events"],
    opt=needs(Right.READ_FEEDBACK),
    responses=resuming(),
)
async def feedback(
    desk: TheDesk, grant: TheGrant, after: After = None, limit: Limit = DEFAULT_LIMIT
) -> FeedbackPage:
    """Return a page of facts."""
    epoch = desk.epoch()
    place = place_of(after, epoch) if after else Cursor()
    items: list[FeedbackView] = []
    for _ in range(SCANS_MOST):
        page = await desk.events(place, SCAN)
        for logged in page:
            if len(items) >= limit:
                return FeedbackPage(items=items, next=cursor_of(place, epoch))
            place = logged.cursor
            if within(logged.juris, grant.juris) and (view := fact_of(logged)):
                items.append(view)
        if len(page) < SCAN:
            break
    return FeedbackPage(items=items, next=cursor_of(place, epoch))


def fact_of(logged: Logged) -> FeedbackView | None:
    """Return what a line of the log means to the 110 desk, where it means anything."""
    if logged.incident_id is None or logged.ext_id is None:
        return None
    fact, more = _meaning(logged)
    if fact is None:
        return None
    return FeedbackView(
        incident_id=logged.incident_id,
        source=logged.source,
        ext_id=logged.ext_id,
        ext_rev=logged.ext_rev,
        fact=fact,
        at=logged.entry.at,
        **more,
    )


def _meaning(logged: Logged) -> tuple[Fact | None, dict[str, str | None]]:
    entry = logged.entry
    if entry.type is Event.REPORTED:
        return Fact.RECEIVED, {}
    if entry.type is Event.STATUS:
        return REACHED.get(entry.data["after"]), {}
    said = RESULTS.get(entry.type)
    return (Fact.RESULT, said(entry.data)) if said else (None, {})
