"""GET /v1/events: the log as it grows, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter, SkipValidation
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from dispatch.api.access import bearer_of, needs
from dispatch.api.facade import Desk
from dispatch.api.given import TheDesk, TheGrant
from dispatch.api.log_place import cursor_of, place_of
from dispatch.api.problems import AnyRequest
from dispatch.api.promises import EVENT_STREAM, following
from dispatch.auth import Grant, Right, rights
from dispatch.core.errors import Overloaded, RateLimited, Refusal, Unauthenticated
from dispatch.ports import Cursor, Logged
from geo.jurisdiction import within
from schemas.feeds import FollowedEvent

LAST_EVENT_ID: Final = "Last-Event-ID"
PAGE: Final = 100
"""Lines read at once: what one stream may hold in memory."""
EVERY_S: Final = 0.5
HEARTBEAT_S: Final = 15.0
SEND_WITHIN_S: Final = 10.0
"""A reader that takes longer over a page is cut off; it resumes where it was."""
RETRY_MS: Final = 2000
PER_KEY: Final = 4
STREAMS_MOST: Final = 256

After = Annotated[
    str | None,
    QueryParameter(
        description="The id of the last line that was seen. Without it: what happens from now on."
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name=LAST_EVENT_ID,
        description="As browsers send it when they come back; goes before `after`.",
    ),
]


class Streams:
    """The streams of this process, counted by key."""

    def __init__(
        self,
        per_key: int = PER_KEY,
        *,
        every_s: float = EVERY_S,
        send_s: float = SEND_WITHIN_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._per_key = per_key
        self._open: dict[str, int] = {}
        self.every_s = every_s
        self.send_s = send_s
        self.heartbeat_s = heartbeat_s

    def require_room(self, key: str) -> None:
        """Refuse one stream too many."""
        if self._open.get(key, 0) >= self._per_key:
            raise RateLimited(f"a key may follow by {self._per_key} streams at a time")
        if sum(self._open.values()) >= STREAMS_MOST:
            raise Overloaded("too many streams are open")

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Count a stream while it is open."""
        self._open[key] = self._open.get(key, 0) + 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


TheStreams = NamedDependency[SkipValidation[Streams]]


def visible(logged: Logged, grant: Grant) -> bool:
    """Tell whether a line is about the asker's jurisdiction, and something he may see."""
    right = Right.SEE_UNITS if logged.incident_id is None else Right.SEE_INCIDENTS
    return right in rights(grant) and within(logged.juris, grant.juris)


class EventStream(ASGIResponse):
    """A response that goes on until its reader leaves, is too slow, or loses his key.

    It ends with the epoch too: the place of who comes again is refused then.
    """

    __slots__ = ("_after", "_desk", "_epoch", "_grant", "_streams", "_token")

    def __init__(
        self, desk: Desk, streams: Streams, token: str, grant: Grant, after: Cursor, epoch: str
    ) -> None:
        super().__init__(media_type=EVENT_STREAM)
        self._desk = desk
        self._streams = streams
        self._token = token
        self._grant = grant
        self._after = after
        self._epoch = epoch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        self._streams.require_room(self._grant.key_id)
        with self._streams.hold(self._grant.key_id):
            await send(_start())
            writing = asyncio.ensure_future(self._write(send))
            leaving = asyncio.ensure_future(_left(receive))
            try:
                await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (writing, leaving):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _write(self, send: Send) -> None:
        with suppress(TimeoutError):
            async for part in self._parts():
                async with asyncio.timeout(self._streams.send_s):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _parts(self) -> AsyncIterator[bytes]:
        """Yield pages of lines, and a sign of life where there are none."""
        place, quiet_s = self._after, 0.0
        yield f"retry: {RETRY_MS}\nid: {self._id(place)}\n\n".encode()
        while grant := self._grant_now():
            page = await self._page(place)
            if self._desk.epoch() != self._epoch:
                return
            lines = b"".join(self._line(logged) for logged in page if visible(logged, grant))
            place = page[-1].cursor if page else place
            if lines:
                yield lines
                quiet_s = 0.0
            elif quiet_s >= self._streams.heartbeat_s:
                yield f": still here\nid: {self._id(place)}\n\n".encode()
                quiet_s = 0.0
            if len(page) < PAGE:
                await asyncio.sleep(self._streams.every_s)
                quiet_s += self._streams.every_s

    async def _page(self, place: Cursor) -> list[Logged]:
        """Read on; while the store is away there is nothing new."""
        try:
            return await self._desk.events(place, PAGE)
        except Refusal:
            return []

    def _grant_now(self) -> Grant | None:
        """Return what the key may see now: a revoked one sees nothing more."""
        try:
            grant = self._desk.keyring.authenticate(self._token)
        except Unauthenticated:
            return None
        return grant if Right.FOLLOW in rights(grant) else None

    def _id(self, place: Cursor) -> str:
        return cursor_of(place, self._epoch)

    def _line(self, logged: Logged) -> bytes:
        return b"id: %s\ndata: %s\n\n" % (self._id(logged.cursor).encode(), _told(logged))


def _start() -> HTTPResponseStartEvent:
    headers = [(b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode())]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _told(logged: Logged) -> bytes:
    entry = logged.entry
    told = FollowedEvent(
        incident_id=logged.incident_id,
        unit_id=entry.unit_id,
        jurisdiction=logged.juris,
        n=entry.n or None,
        type=entry.type,
        by=entry.by,
        via=entry.via,
        at=entry.at,
        data=entry.data,
        trace=entry.trace or None,
    )
    return msgspec.json.encode(told)


@get(
    "/v1/events",
    operation_id="follow_events",
    summary="Follow what happens",
    description="Server-sent events: each is one line of the log, its id where to resume. Nothing"
    " is missed or told twice by who resumes there. A comment each 15 s says that all is well."
    " 410: the place is of a log before a restore; begin without one.",
    tags=["events"],
    opt=needs(Right.FOLLOW),
    media_type=EVENT_STREAM,
    responses=following(),
)
async def follow(
    request: AnyRequest,
    desk: TheDesk,
    grant: TheGrant,
    streams: TheStreams,
    after: After = None,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Open a stream."""
    streams.require_room(grant.key_id)
    epoch = desk.epoch()
    place = await _begin(desk, epoch, after, last_event_id)
    return EventStream(desk, streams, bearer_of(request), grant, place, epoch)


async def _begin(desk: Desk, epoch: str, after: str | None, last: str | None) -> Cursor:
    if last is not None:
        return place_of(last, epoch, LAST_EVENT_ID)
    return place_of(after, epoch) if after is not None else await desk.log_end()
