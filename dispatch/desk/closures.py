"""Closed roads: kept, taken by every process within a second, and opened when their time is up."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import shapely
import structlog

from dispatch.auth import Grant, Right
from dispatch.core.errors import Conflict, Forbidden, IdReuse, Invalid, NotFound, Unavailable
from dispatch.desk import answers
from dispatch.desk.scope import available
from dispatch.ports import AlreadyAnswered, Answer, Clock, Once, Store, StoreAway
from geo.datum import Datum
from geo.distance import metres
from geo.eta import EtaModel
from geo.geojson import Area, BadFeatureError, Feature, read_area
from geo.jurisdiction import JurisdictionIndex, within
from geo.point import Point
from geo.road_eta import RoadNetwork
from geo.roads.closed import Cuts
from schemas.base import Instant
from schemas.closure import CloseRoads, Closure, ClosureId, ClosureView, Effect

log = structlog.get_logger()

OPEN_MOST: Final = 500
VERTICES_MOST: Final = 200
SEGMENTS_MOST: Final = 20_000
"""More of them would be written for longer than an offer may wait."""
EXTENT_MOST_M: Final = 20_000.0
"""From west to east, and from south to north."""
LIFE_MOST_DAYS: Final = 30
LOOK_EVERY_S: Final = 0.5
TRIES: Final = 3
BREATH_S: Final = 0.01
DAY_S: Final = 86_400
NO_ROADS: Final = "no roads are loaded"
NO_ROAD_THERE: Final = "no road passes through the polygon"
OVER: Final = "it is over"
NOTHING: Final = Cuts.whole(np.zeros(0, np.int32))


class _Closed(NamedTuple):
    closure: Closure
    shut: Cuts


class Closures:
    """The closures in force: on disk first, then in this process's roads."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        places: Callable[[], JurisdictionIndex],
        model: EtaModel,
        every_s: float = LOOK_EVERY_S,
        segments_most: int = SEGMENTS_MOST,
    ) -> None:
        self._store = store
        self._clock = clock
        self._places = places
        self._every_s = every_s
        self._segments_most = segments_most
        self._roads = model if isinstance(model, RoadNetwork) else None
        self._closed: dict[ClosureId, _Closed] = {}
        self._followed = -1
        self._turn = asyncio.Lock()
        self.changes = 0

    # What people do. -----------------------------------------------------------------------------

    async def close(self, body: CloseRoads, grant: Grant, once: Once) -> tuple[Answer, bool]:
        """Close roads, once; tell whether it was answered before."""
        grant.require(Right.CLOSE_ROADS)
        for _ in range(TRIES):
            try:
                if (earlier := await self._earlier(once)) is not None:
                    return earlier, True
                return await self._keep(body, grant, once), False
            except AlreadyAnswered:
                continue
            except StoreAway:
                await asyncio.sleep(BREATH_S)
        raise Unavailable("the store does not answer; try again")

    async def _keep(self, body: CloseRoads, grant: Grant, once: Once) -> Answer:
        area = _area(body)
        closure = self._closure(body, area, grant)
        closed = _Closed(closure, await self._cuts(area))
        if len(closed.shut.segments) > self._segments_most:
            raise Invalid(
                f"it closes more than {self._segments_most:,} stretches of road", path="$.polygon"
            )
        answer = Answer(status=answers.CREATED, body=_json(self._view(closed, closure.at)))
        async with self._turn:
            if not await self._store.put_closure(closure, OPEN_MOST, once, answer):
                raise Conflict(f"{OPEN_MOST} closures are in force", state="full")
            self._put(closed)
        log.info(
            "roads_closed", closure=closure.id, juris=closure.juris, n=len(closed.shut.segments)
        )
        return answer

    async def end(self, closure_id: ClosureId, grant: Grant) -> ClosureView:
        """End a closure before its time; ended again it is as it was."""
        grant.require(Right.CLOSE_ROADS)
        closure = await self._seen(closure_id, grant)
        if not within(closure.juris, grant.juris):
            raise Forbidden("the closure goes beyond your jurisdiction")
        async with self._turn:
            with available():
                await self._store.end_closure(closure_id, f"key:{grant.key_id}", self._clock.now())
            self._drop(closure_id)
        return await self.closure(closure_id, grant)

    async def closure(self, closure_id: ClosureId, grant: Grant) -> ClosureView:
        """Return a closure of the asker's jurisdiction, or of one that it lies in."""
        grant.require(Right.SEE_UNITS)
        return await self._told(await self._seen(closure_id, grant))

    async def page(self, grant: Grant, before: ClosureId | None, limit: int) -> list[ClosureView]:
        """Return those in force that concern the asker's jurisdiction, newest first."""
        grant.require(Right.SEE_UNITS)
        with available():
            found = await self._store.closures(grant.juris, before, limit, self._clock.now())
        return [await self._told(closure) for closure in found]

    async def _earlier(self, once: Once) -> Answer | None:
        loaded = await self._store.load(None, once)
        if loaded.answer is not None and not loaded.same_payload:
            raise IdReuse("this id was used with another payload")
        return loaded.answer

    async def _seen(self, closure_id: ClosureId, grant: Grant) -> Closure:
        with available():
            closure = await self._store.closure(closure_id)
        if closure is None or not (
            within(closure.juris, grant.juris) or within(grant.juris, closure.juris)
        ):
            raise NotFound("no such closure")
        return closure

    def _closure(self, body: CloseRoads, area: Area, grant: Grant) -> Closure:
        """Return the closure a body describes; refuse what cannot be."""
        now = self._clock.now()
        if not 0 < (body.expires_at - now).total_seconds() <= LIFE_MOST_DAYS * DAY_S:
            raise Invalid(
                f"it must end after now, and within {LIFE_MOST_DAYS} days", path="$.expires_at"
            )
        juris = holder(self._places(), area)
        if juris is None:
            raise Invalid("it does not lie within the city", path="$.polygon")
        if not within(juris, grant.juris):
            raise Forbidden("the polygon goes beyond your jurisdiction")
        return Closure(
            id=ClosureId(self._clock.new_id()),
            polygon=msgspec.to_builtins(body.polygon),
            reason=body.reason,
            juris=juris,
            by=f"key:{grant.key_id}",
            at=now,
            expires_at=body.expires_at,
        )

    async def _told(self, closure: Closure) -> ClosureView:
        """Return a closure as the command centre reads it, with what it does in this process."""
        known = self._closed.get(closure.id)
        shut = known.shut if known else await self._cuts(_drawn(closure))
        return self._view(_Closed(closure, shut), self._clock.now())

    def _view(self, closed: _Closed, now: Instant) -> ClosureView:
        closure, why = closed.closure, self._why_not(closed, now)
        return ClosureView(
            id=closure.id,
            polygon=closure.polygon,
            reason=closure.reason,
            jurisdiction=closure.juris,
            by=closure.by,
            at=closure.at,
            expires_at=closure.expires_at,
            ended_at=closure.ended_at,
            ended_by=closure.ended_by,
            effect=Effect.NONE if why else Effect.CLOSED,
            segments=0 if why else len(closed.shut.segments),
            why=why,
        )

    def _why_not(self, closed: _Closed, now: Instant) -> str | None:
        """Return why a closure closes no road, None where it does."""
        if closed.closure.ended_at is not None or closed.closure.expires_at <= now:
            return OVER
        if self._roads is None:
            return NO_ROADS
        return None if len(closed.shut.segments) else NO_ROAD_THERE

    # What this process holds. --------------------------------------------------------------------

    async def recover(self) -> None:
        """Close again what is closed on disk."""
        self._followed = -1
        await self.follow()

    async def run(self) -> None:
        """Follow what others close and end, and open what has expired, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.follow()
            except StoreAway as away:
                log.warning("store_away", work="closures", error=str(away))

    async def follow(self) -> None:
        """Open what has expired, store or no store; then take what has changed on disk."""
        self._expire(self._clock.now())
        async with self._turn:
            changes = await self._store.closure_changes()
            if changes != self._followed:
                found = await self._store.open_closures(OPEN_MOST, self._clock.now())
                await self._take({closure.id: closure for closure in found})
                self._followed = changes

    def _expire(self, now: Instant) -> None:
        over = [i for i, closed in self._closed.items() if closed.closure.expires_at <= now]
        for closure_id in over:
            self._drop(closure_id)

    async def _take(self, found: dict[ClosureId, Closure]) -> None:
        for closure_id in self._closed.keys() - found.keys():
            self._drop(closure_id)
        for closure_id in sorted(found.keys() - self._closed.keys()):
            closure = found[closure_id]
            self._put(_Closed(closure, await self._cuts(_drawn(closure))))

    def _put(self, closed: _Closed) -> None:
        self._closed[closed.closure.id] = closed
        self.changes += 1
        if self._roads is not None:
            self._roads.close(closed.shut)

    def _drop(self, closure_id: ClosureId) -> None:
        closed = self._closed.pop(closure_id, None)
        if closed is None:
            return
        self.changes += 1
        if self._roads is not None:
            self._roads.reopen(closed.shut)

    async def _cuts(self, area: Area) -> Cuts:
        """Return what an area shuts; in a thread, for it may be much, and reads the map only."""
        if self._roads is None:
            return NOTHING
        return await asyncio.to_thread(self._roads.cuts, area)


def holder(places: JurisdictionIndex, area: Area) -> str | None:
    """Return the path of the deepest jurisdiction that holds all of an area, None outside all."""
    held: str | None = None
    while True:
        below = next((p.path for p in places.children(held) if p.polygon.covers(area)), None)
        if below is None:
            return held
        held = below


def _area(body: CloseRoads) -> Area:
    """Return the polygon in WGS-84; refuse what is none, or too large."""
    try:
        area = _read(msgspec.to_builtins(body.polygon))
    except BadFeatureError as error:
        raise Invalid(error.reason, path="$.polygon") from error
    if shapely.get_num_coordinates(area) > VERTICES_MOST:
        raise Invalid(f"it has more than {VERTICES_MOST} vertices", path="$.polygon.coordinates")
    west, south, east, north = area.bounds
    across = metres(Point(west, (south + north) / 2), Point(east, (south + north) / 2))
    along = metres(Point(west, south), Point(west, north))
    if max(across, along) > EXTENT_MOST_M:
        raise Invalid(f"it is wider than {EXTENT_MOST_M / 1000:.0f} km", path="$.polygon")
    return area


def _drawn(closure: Closure) -> Area:
    return _read(closure.polygon)


def _read(polygon: dict[str, Any]) -> Area:
    return read_area(Feature(1, {}, polygon), Datum(polygon["datum"]))


def _json(view: ClosureView) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(view))
