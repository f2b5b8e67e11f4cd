"""One incident a minute of the service's own, through every stage: whether the whole way is open.

It is opened, offered, accepted and closed like any other, by the same code, on the same disk. What
keeps it apart from the city is its jurisdiction (`dispatch.core.hidden`): no grant sees it, no
real unit is asked for it, its own unit is asked for nothing else.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import structlog

from dispatch.auth import DEVICE_PREFIX, Grant, Right, Role, token_hash
from dispatch.core.commands import Cancel, CloseFile, Command, Open
from dispatch.core.hidden import HIDDEN
from dispatch.core.lifecycle import OVER
from dispatch.core.plans import plan_for
from dispatch.desk import answers
from dispatch.desk.canary_phone import CanaryPhone, Line
from dispatch.desk.desk import Desk
from dispatch.desk.scope import actor_of
from dispatch.ports import Once
from geo.datum import Datum
from schemas import wire
from schemas.alarm import AlarmKind
from schemas.base import DeviceId, IncidentId, Instant, KeyId, UnitId, ms
from schemas.incident import Case, Incident, Status
from schemas.plan import IncidentKind

log = structlog.get_logger()

EVERY_S: Final = 60.0
WORK: Final = "canary"
LEASE: Final = timedelta(seconds=EVERY_S - 5)
"""Less than the minute between two: whoever sent the last may send the next."""
WITHIN_S: Final = 30.0
LOOK_EVERY_S: Final = 0.1
KEPT: Final = timedelta(hours=1)
FORGET_MOST: Final = 100
TOKEN_LIVES: Final = timedelta(minutes=5)
STAGES: Final = (
    *("opened", "offered", "delivered", "seen", "accepted"),
    *("en_route", "arrived", "controlled", "resolved", "closed"),
)
LEFT_MOST: Final = 20
ALIVE: Final = tuple(status for status in Status if status not in OVER)
GRANT: Final = Grant(key_id=KeyId(HIDDEN), role=Role.COMMANDER, juris=HIDDEN)
UNIT: Final = UnitId(HIDDEN)
DEVICE: Final = DeviceId(HIDDEN)

Dial = Callable[[], AbstractAsyncContextManager[Line]]


class Lost(Exception):
    """The canary came to its end, and the disk does not say so."""


class Canary:
    """Sends one incident through all stages, in one process of an installation at a time."""

    def __init__(self, desk: Desk, dial: Dial, new_token: Callable[[str], str]) -> None:
        self._desk = desk
        self._dial = dial
        self._new_token = new_token
        self._stage = STAGES[0]
        self._at: Instant = desk.clock.now()

    async def run(self) -> None:
        """Send one, unless another process does; a failure rings once until it works again."""
        now = self._desk.clock.now()
        if not await self._desk.store.claim_turn(WORK, now + LEASE, now):
            return
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._fly()
        except Exception as error:
            # Whatever it is: to find out that something is wrong is what the canary is for.
            log.exception("canary_failed", stage=self._stage)
            self._desk.metrics.canary_failures.labels(self._stage).inc()
            await self._ended(error)
        else:
            self._desk.metrics.canary_last_success.set(self._desk.clock.now().timestamp())
            await self._ended(None)
        await self._desk.store.forget_canaries(self._desk.clock.now() - KEPT, FORGET_MOST)

    async def _ended(self, error: Exception | None) -> None:
        """Ring at every city, where the one before came through."""
        news = await self._desk.store.canary_ended(well=error is None)
        if error is None or not news:
            return
        words = f"the service's own incident stopped before it was {self._stage}"
        for city in self._desk.places.children(None):
            await self._desk.alarms.ring(AlarmKind.CANARY, words, city.path)

    # Its way. --------------------------------------------------------------------------------

    async def _fly(self) -> None:
        self._begin("opened")
        token = await self._prepared()
        async with self._dial() as line:
            phone = CanaryPhone(line, self._desk.clock.now)
            await phone.hello(token)
            incident_id = await self._opened()
            await self._asked(incident_id, phone)
            await self._served(phone)
            await self._closed(incident_id)

    async def _prepared(self) -> str:
        """Be registered, with nothing left of a canary that died; return the phone's token."""
        desk = self._desk
        await desk.store.put_canary()
        if UNIT not in desk.fleet:
            await desk.read_registered()
        for left in await desk.store.incidents(HIDDEN, ALIVE, None, LEFT_MOST):
            await self._act(left.id, Cancel(why="left by a canary before"), Right.CANCEL)
        await desk.refresh([UNIT])
        token, now = self._new_token(DEVICE_PREFIX), desk.clock.now()
        await desk.store.add_token(DEVICE, token_hash(token), now + TOKEN_LIVES, now)
        return token

    async def _opened(self) -> IncidentId:
        self._begin("opened")
        incident = self._incident()
        command = Open(incident=incident, trusted=True)
        await self._desk.begin(command, actor_of(GRANT), self._once(), answers.created)
        self._reached("offered")
        return incident.id

    async def _asked(self, incident_id: IncidentId, phone: CanaryPhone) -> None:
        """Be asked, and say yes."""
        offer = await phone.told("offer", "oid")
        self._reached("delivered")
        await self._delivered(incident_id)
        self._reached("seen")
        await phone.done(wire.OfferSeen(id=self._id(), oid=offer["oid"]))
        self._reached("accepted")
        await phone.done(
            wire.OfferReply(
                id=self._id(),
                oid=offer["oid"],
                rev=offer["rev"],
                at=self._ms(),
                r=wire.Answer.ACCEPT,
            )
        )

    async def _delivered(self, incident_id: IncidentId) -> None:
        """Wait until the acknowledgement is on disk; they are written down together."""
        while True:
            if (await self._case(incident_id)).offers[0].delivered_at is not None:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _served(self, phone: CanaryPhone) -> None:
        """Go, be there, and end it."""
        task = await phone.told("assign", "aid")
        for step in (
            wire.Reached.EN_ROUTE,
            wire.Reached.ARRIVED,
            wire.Reached.CONTROLLED,
            wire.Reached.RESOLVED,
        ):
            self._reached(step)
            await phone.done(wire.Progress(id=self._id(), aid=task["aid"], s=step, at=self._ms()))
        self._reached("closed")
        await phone.told("assign.end", "aid", task["aid"])

    async def _closed(self, incident_id: IncidentId) -> None:
        """Close the file, and read on disk whether all of it was written."""
        await self._act(incident_id, CloseFile(result="canary"), Right.CLOSE)
        case = await self._case(incident_id)
        incident = case.incident
        firsts = (incident.en_route_at, incident.arrived_at, incident.controlled_at)
        if incident.status is not Status.CLOSED or None in firsts or not case.offers[0].seen_at:
            raise Lost(incident.status)
        self._reached("")

    # Its time. -------------------------------------------------------------------------------

    def _begin(self, stage: str) -> None:
        self._stage, self._at = stage, self._desk.clock.now()

    def _reached(self, following: str) -> None:
        """Note how long the present stage took, and go on to the one that follows."""
        took_s = (self._desk.clock.now() - self._at).total_seconds()
        self._desk.metrics.canary_s.labels(self._stage).observe(took_s)
        self._begin(following)

    # Its hand. -------------------------------------------------------------------------------

    async def _act(self, incident_id: IncidentId, command: Command, right: Right) -> None:
        await self._desk.act(incident_id, command, GRANT, right, self._once())

    async def _case(self, incident_id: IncidentId) -> Case:
        return await self._desk.case(incident_id, GRANT)

    def _once(self) -> Once:
        return Once(scope=f"key:{HIDDEN}", id=self._id(), digest=b"")

    def _id(self) -> str:
        return self._desk.clock.new_id()

    def _ms(self) -> float:
        return ms(self._desk.clock.now())

    def _incident(self) -> Incident:
        now, plan = self._desk.clock.now(), plan_for(IncidentKind.OTHER, 3)
        return Incident(
            id=IncidentId(self._id()),
            kind=IncidentKind.OTHER,
            priority=3,
            lon=0,
            lat=0,
            given_lon=0,
            given_lat=0,
            given_datum=Datum.WGS84,
            juris=HIDDEN,
            title=HIDDEN,
            status=Status.REPORTED,
            called_at=now,
            opened_at=now,
            source=HIDDEN,
            drill=True,
            needs=plan.needs,
            ring_s=plan.ring_s,
        )
