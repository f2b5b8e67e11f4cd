"""Notices: kept, then sent in batches by a job that any process goes on with; replayed, counted."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import shapely
import structlog

from dispatch.auth import Grant, Right
from dispatch.core.errors import Conflict, Forbidden, IdReuse, Invalid, NotFound, Unavailable
from dispatch.core.notices import KEPT, withdrawn
from dispatch.desk import answers
from dispatch.desk.in_flight import InFlight
from dispatch.desk.rounds import rounds
from dispatch.desk.words import EVERYWHERE
from dispatch.live.fleet import Fleet
from dispatch.live.room import Room, Work
from dispatch.live.roster import Roster
from dispatch.ports import (
    OUTBOX_MOST,
    AlreadyAnswered,
    Answer,
    Clock,
    Identity,
    Once,
    Outbound,
    Outbox,
    Sealed,
    Store,
    StoreAway,
)
from geo.geojson import Area, BadFeatureError, Feature, read_area
from geo.jurisdiction import within
from geo.point import Box, Point
from schemas import wire
from schemas.base import DeviceId, UnitId
from schemas.notice import Notice, NoticeId
from schemas.notices import NoticeView, SendNotice

log = structlog.get_logger()

BATCH: Final = 500
"""Phones written to in one transaction: an offer never waits behind more."""
SLICE: Final = 25
"""Phones written to in one turn of the loop, for the same reason: a millisecond."""
BREATH_S: Final = 0.01
GIVES_WAY_S: Final = 0.05
"""How long a batch waits for decisions under way, all in all: a flood of them stops no notice."""
LOOK_EVERY_S: Final = 1.0
LIFE_MOST: Final = timedelta(days=7)
TRIES: Final = 3


class Notices:
    """What is told to many phones; whose last acknowledgement leaves some of it out is known."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        fleet: Fleet,
        roster: Roster,
        decisions: InFlight | None = None,
        room: Room | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._fleet = fleet
        self._roster = roster
        self._decisions = InFlight() if decisions is None else decisions
        self._room = room or Room()
        self._outbound: Outbound | None = None
        self._waiting: dict[DeviceId, int] = {}
        self._new = asyncio.Event()
        self._unsure = False
        self._told: Callable[[str, Sequence[Sealed]], None] | None = None
        self._untold: Callable[[], None] = lambda: None
        self.found_mail: Callable[[DeviceId, int], None] = lambda *_: None
        self._following: deque[Sealed] = deque()

    def send_through(self, outbound: Outbound) -> None:
        """Hand committed frames to this lane from now on."""
        self._outbound = outbound

    def tell_through(
        self, told: Callable[[str, Sequence[Sealed]], None], untold: Callable[[], None]
    ) -> None:
        """Say to other processes what was written, or that something may have been, from now on."""
        self._told, self._untold = told, untold

    def follow(self, sealed: Sequence[Sealed]) -> None:
        """Hand over what another process has written, a slice in each turn of the loop."""
        idle = not self._following
        self._following.extend(sealed)
        if idle and self._following:
            asyncio.get_running_loop().call_soon(self._follow_on)

    def _follow_on(self) -> None:
        rows = [self._following.popleft() for _ in range(min(SLICE, len(self._following)))]
        self._hand_over(rows)
        if self._following:
            asyncio.get_running_loop().call_soon(self._follow_on)

    async def recover(self) -> None:
        """Learn for which phones notices wait; what was not sent to its end goes on."""
        await self.read_again()
        self._new.set()

    async def read_again(self) -> None:
        """Learn what waits by the store; what was heard of meanwhile is newer, and stays."""
        before = dict(self._waiting)
        found = dict(await self._store.waiting_notices(self._clock.now()))
        for device_id, seq in before.items():
            if device_id not in found and self._waiting.get(device_id) == seq:
                del self._waiting[device_id]
        for device_id, seq in found.items():
            known = self._waiting.get(device_id, 0)
            self._waiting[device_id] = max(seq, known)
            self._roster.sealed(device_id, seq)
            if seq > known:
                self.found_mail(device_id, seq)

    # What people do. -----------------------------------------------------------------------------

    async def send(self, body: SendNotice, grant: Grant, once: Once) -> tuple[Answer, bool]:
        """Keep a notice and begin to send it, once; tell whether it was answered before."""
        grant.require(Right.NOTIFY)
        notice = self._notice(body, grant)
        unit_ids = self._inside(body, notice.juris)
        answer = _created(notice)
        for _ in range(TRIES):
            try:
                if (earlier := await self._earlier(once)) is not None:
                    return earlier, True
                self._room.require(Work.NOTICES)
                await self._store.put_notice(notice, unit_ids, once, answer)
            except AlreadyAnswered:
                continue
            except StoreAway:
                await asyncio.sleep(BREATH_S)
            else:
                self._new.set()
                return answer, False
        raise Unavailable("the store does not answer; try again")

    async def withdraw(self, notice_id: NoticeId, grant: Grant) -> Notice:
        """Take a notice back: who was not told is not, and who was is told so."""
        grant.require(Right.NOTIFY)
        notice = await self.notice(notice_id, grant)
        now = self._clock.now()
        if notice.withdrawn_at is not None:
            return notice
        if notice.expires_at <= now:
            raise Conflict("the notice has expired", state="expired")
        try:
            await self._store.withdraw_notice(withdrawn(notice, f"key:{grant.key_id}", now))
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away
        self._new.set()
        return await self.notice(notice_id, grant)

    async def notice(self, notice_id: NoticeId, grant: Grant) -> Notice:
        """Return a notice of the asker's jurisdiction, with its counts."""
        grant.require(Right.NOTIFY)
        try:
            notice = await self._store.notice(notice_id)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away
        if notice is None or not within(notice.juris, grant.juris):
            raise NotFound("no such notice")
        return notice

    async def page(self, grant: Grant, before: NoticeId | None, limit: int) -> list[Notice]:
        """Return notices of the asker's jurisdiction, newest first, without counts."""
        grant.require(Right.NOTIFY)
        try:
            return await self._store.notices(grant.juris, before, limit)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away

    async def _earlier(self, once: Once) -> Answer | None:
        loaded = await self._store.load(None, once)
        if loaded.answer is not None and not loaded.same_payload:
            raise IdReuse("this id was used with another payload")
        return loaded.answer

    def _notice(self, body: SendNotice, grant: Grant) -> Notice:
        """Return the notice a body describes; refuse what cannot be."""
        now = self._clock.now()
        juris = body.jurisdiction or grant.juris
        if not within(juris, grant.juris):
            raise Forbidden("the notice goes beyond your jurisdiction")
        expires_at = body.expires_at or now + KEPT
        if not now < expires_at <= now + LIFE_MOST:
            raise Invalid("it must end after now, and within 7 days", path="$.expires_at")
        return Notice(
            id=NoticeId(self._clock.new_id()),
            level=body.level,
            text=body.text,
            juris=juris,
            by=f"key:{grant.key_id}",
            at=now,
            expires_at=expires_at,
            need_read=body.need_read,
            drill=body.drill,
            polygon=msgspec.to_builtins(body.polygon) if body.polygon else None,
        )

    def _inside(self, body: SendNotice, juris: str) -> list[UnitId] | None:
        """Return the units that stand in the polygon now; `None` where there is none."""
        if body.polygon is None:
            return None
        area = _area(body)
        shapely.prepare(area)
        now_s = self._clock.now().timestamp()
        west, south, east, north = area.bounds
        near = self._fleet.inside(Box(west, south, east, north), now_s)
        return sorted(u for u in near if self._stands(u, area, juris, now_s))

    def _stands(self, unit_id: UnitId, area: Area, juris: str, now_s: float) -> bool:
        unit = self._fleet.unit(unit_id)
        place: Point = self._fleet.standing(unit_id, now_s).place
        of_juris = unit is not None and within(unit.juris, juris)
        return of_juris and bool(shapely.intersects_xy(area, place.lon, place.lat))

    # The job. ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what waits to be sent, batch by batch, until cancelled."""
        await rounds("notices", self.go_on, self._new, self._clock, LOOK_EVERY_S)

    async def go_on(self) -> None:
        """Send what waits; where a batch was written and nobody heard of it, learn of it first."""
        if self._unsure:
            await self.recover()
            self._untold()
        self._unsure = True
        await self.send_waiting()
        self._unsure = False

    async def send_waiting(self) -> int:
        """Send every notice as far as there is room; return how many rows were written."""
        sent = 0
        while self._room.has(Work.NOTICES):
            rows = await self._store.post_notice(BATCH, self._clock.now())
            if rows is None:
                break
            sent += len(rows)
            if self._told is not None:
                self._told(EVERYWHERE, rows)
            await self._tell(rows)
        return sent

    async def _tell(self, rows: Sequence[Sealed]) -> None:
        """Hand a batch over in slices, and leave room for decisions before each and the next."""
        till_s = asyncio.get_running_loop().time() + GIVES_WAY_S
        for start in range(0, len(rows), SLICE):
            await self._give_way(till_s)
            self._hand_over(rows[start : start + SLICE])
            await asyncio.sleep(0)
        await asyncio.sleep(BREATH_S)
        await self._give_way(till_s)

    async def _give_way(self, till_s: float) -> None:
        """Wait while decisions are being written, till a moment of the loop's time at most."""
        try:
            async with asyncio.timeout_at(till_s):
                await self._decisions.quiet()
        except TimeoutError:
            pass

    def _hand_over(self, rows: Sequence[Sealed]) -> None:
        """Let phones' streams grow and write to them, without a wait between the two."""
        for row in rows:
            self._roster.sealed(row.device_id, row.seq)
            self._waiting[row.device_id] = row.seq
        if self._outbound is not None:
            self._outbound.push(rows)

    # What phones do. -----------------------------------------------------------------------------

    def unheard(self) -> int:
        """Return how many phones have a notice that they did not acknowledge."""
        return len(self._waiting)

    async def learn(self, device_id: DeviceId, after: int) -> None:
        """Learn by the store whether notices wait for a phone above a seq; raise `StoreAway`.

        Who wrote one may have died before he said so.
        """
        rows = await self._store.notice_mail(device_id, after, OUTBOX_MOST, self._clock.now())
        if rows:
            self._waiting[device_id] = max(rows[-1].seq, self.till(device_id))

    def till(self, device_id: DeviceId) -> int:
        """Return the seq of the last notice a phone has not acknowledged; 0 where it has all."""
        return self._waiting.get(device_id, 0)

    def acknowledged(self, device_id: DeviceId, seq: int) -> None:
        """Note how far a phone has its mail."""
        if self._waiting.get(device_id, seq + 1) <= seq:
            del self._waiting[device_id]

    async def mail(self, device_id: DeviceId, after: int, limit: int) -> Sequence[Outbox]:
        """Return the notices that wait for a phone; raise `StoreAway` while they cannot be read."""
        till = self.till(device_id)
        rows = await self._store.notice_mail(device_id, after, limit, self._clock.now())
        if not rows and after == 0 and self.till(device_id) == till:
            self._waiting.pop(device_id, None)
        return rows

    async def read(self, identity: Identity, frame: wire.NoticeRead, once: Once) -> Answer:
        """Note that a member has read a notice; again, where he said so before."""
        answer = answers.done(frame.id, {})
        for _ in range(TRIES):
            try:
                if (earlier := await self._earlier(once)) is not None:
                    return earlier
                known = await self._store.read_notice(
                    NoticeId(frame.nid), identity.device_id, once, answer, self._clock.now()
                )
            except AlreadyAnswered:
                continue
            except StoreAway:
                await asyncio.sleep(BREATH_S)
            else:
                if not known:
                    raise NotFound("no such notice", path="nid")
                return answer
        raise Unavailable("the store does not answer; try again")


def _area(body: SendNotice) -> Area:
    """Return the polygon in WGS-84; refuse what is none."""
    assert body.polygon is not None  # noqa: S101 - who calls has looked
    geometry = {"type": body.polygon.type, "coordinates": body.polygon.coordinates}
    try:
        return read_area(Feature(1, {}, geometry), body.polygon.datum)
    except BadFeatureError as error:
        raise Invalid(error.reason, path="$.polygon") from error


def _created(notice: Notice) -> Answer:
    body = msgspec.json.encode(notice_view(notice))
    return Answer(status=answers.CREATED, body=msgspec.Raw(body))


def notice_view(notice: Notice, *, counted: bool = True) -> NoticeView:
    """Return a notice as the command centre reads it; lists leave the counts out."""
    return NoticeView(
        id=notice.id,
        level=notice.level,
        text=notice.text,
        jurisdiction=notice.juris,
        polygon=notice.polygon,
        by=notice.by,
        at=notice.at,
        expires_at=notice.expires_at,
        need_read=notice.need_read,
        drill=notice.drill,
        sent_at=notice.sent_at,
        withdrawn_at=notice.withdrawn_at,
        withdrawn_by=notice.withdrawn_by,
        addressed=notice.addressed if counted else None,
        delivered=notice.delivered if counted else None,
        read=notice.read if counted else None,
    )
