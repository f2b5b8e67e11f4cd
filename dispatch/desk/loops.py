"""What runs by itself: clocks of cases, positions to disk, acknowledgements, memory read again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from math import ceil
from typing import Final

import structlog

from dispatch.auth import Grant, Role
from dispatch.core.errors import Refusal, Temporary
from dispatch.desk.agreement import Agreement
from dispatch.desk.desk import Desk
from dispatch.desk.phones import Phones
from dispatch.desk.self_check import SelfCheck
from dispatch.live.room import Work
from dispatch.ports import Due, StoreAway
from dispatch.trace import begin
from geo.point import Point
from schemas.base import UnitId
from schemas.unit import Position

log = structlog.get_logger()

DUE_EVERY_S: Final = 0.25
DUE_MOST: Final = 100
DUE_AT_ONCE: Final = 8
ACKS_EVERY_S: Final = 0.25
ADDRESSES_EVERY_S: Final = 0.5
SETTLE_EVERY_S: Final = 0.1
POSITIONS_EVERY_S: Final = 1.0
POSITIONS_MOST: Final = 1000
"""Written in one statement, and looked at in one turn of the loop: some 3 ms."""
STEPS_EVERY_S: Final = 0.5
REREAD_EVERY_S: Final = 10.0
SWEEP_SOON_S: Final = 0.5
KEYS_EVERY_S: Final = 1.0
FORGET_EVERY_S: Final = 60.0
FORGET_MOST: Final = 5000
CHECK_EVERY_S: Final = 10.0

Beat = tuple[float, Callable[[], Awaitable[None]]]


class Loops:
    """The desk's own tasks. Each survives the store's absence; each ends with the group."""

    def __init__(self, desk: Desk, phones: Phones) -> None:
        self._desk = desk
        self._phones = phones
        self._agreement = Agreement(desk)
        self._tasks: list[asyncio.Task[None]] = []
        self._also: list[Beat] = []

    def also(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do one thing more every so many seconds, from the start on."""
        self._also.append((seconds, work))

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start everything in a group."""
        beats: list[Beat] = [
            *self._also,
            (ACKS_EVERY_S, self._phones.flush_acks),
            (ADDRESSES_EVERY_S, self._phones.sleepers.flush),
            (SETTLE_EVERY_S, self.settle_positions),
            (POSITIONS_EVERY_S, self.keep_positions),
            (STEPS_EVERY_S, self._phones.arrivals.write_down),
            (SWEEP_SOON_S, self.reread_freed),
            (REREAD_EVERY_S, self.compare_states),
            (KEYS_EVERY_S, self.reread_keys),
            (KEYS_EVERY_S, self.follow_registry),
            (FORGET_EVERY_S, self.forget),
            (CHECK_EVERY_S, self._agreement.check),
            (CHECK_EVERY_S, SelfCheck(self._desk).run),
        ]
        self._tasks = [group.create_task(self._every(s, work)) for s, work in beats]
        self._tasks.append(group.create_task(self._due()))
        self._tasks.append(group.create_task(self._desk.notices.run()))
        self._tasks.append(group.create_task(self._desk.alarms.run()))
        self._tasks.append(group.create_task(self._desk.closures.run()))
        self._desk.alive = self.alive

    def alive(self) -> bool:
        """Say whether all of them still run."""
        return not any(task.done() for task in self._tasks)

    def stop(self) -> None:
        """End them."""
        for task in self._tasks:
            task.cancel()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            begin(self._desk.clock.new_trace())
            try:
                await work()
            except StoreAway as away:
                self._desk.store_answers = False
                log.warning("store_away", work=work.__name__, error=str(away))
            except Exception:
                # The other loops keep the clocks of incidents running: one fault must not end them.
                log.exception("loop_failed", work=work.__name__)
                self._desk.metrics.clock_failures.inc()
            else:
                # Only what asks the store every time knows that it answers.
                self._desk.store_answers |= work == self.follow_registry

    # Clocks. ---------------------------------------------------------------------------------

    async def _due(self) -> None:
        """Sleep to the next look, at most a quarter second; then run what has come."""
        while True:
            try:
                async with asyncio.timeout(DUE_EVERY_S):
                    await self._desk.poke.wait()
            except TimeoutError:
                pass
            self._desk.poke.clear()
            begin(self._desk.clock.new_trace())
            try:
                await self.run_due()
            except StoreAway as away:
                log.warning("store_away", work="due", error=str(away))
                await asyncio.sleep(DUE_EVERY_S)

    async def run_due(self) -> int:
        """Run every moment that has come; return how many."""
        await self._search_again()
        ran = 0
        while rows := await self._desk.store.claim_due(DUE_MOST, self._desk.clock.now()):
            ran += len(rows)
            turn = asyncio.Semaphore(DUE_AT_ONCE)
            await asyncio.gather(*(self._tick(due, turn) for due in rows))
            if len(rows) < DUE_MOST:
                break
        return ran

    async def _tick(self, due: Due, turn: asyncio.Semaphore) -> None:
        async with turn:
            begin(due.trace or self._desk.clock.new_trace())
            try:
                await self._desk.tick(due)
            except Refusal as refusal:
                log.warning("clock_refused", incident=due.incident_id, code=refusal.code)
                if due.kind == "order" and not isinstance(refusal, Temporary):
                    # The unit cannot go there any more, and will not tomorrow either.
                    await self._desk.store.drop_due(due.id)
            except Exception:
                # One incident that cannot be decided must not stop the clocks of all others; its
                # row stays, and is tried again when its lease is over.
                log.exception("clock_failed", incident=due.incident_id)
                self._desk.metrics.clock_failures.inc()
                await self._desk.clock_failed(due.incident_id)

    async def _search_again(self) -> None:
        """Search at once for those short of units, when one has become free."""
        soon, self._desk.soon = self._desk.soon, set()
        for incident_id in sorted(soon):
            wake = Due(id=0, incident_id=incident_id, kind="wake", unit_id=None)
            await self._tick(wake, asyncio.Semaphore(1))

    # Memory and store. -----------------------------------------------------------------------

    async def settle_positions(self) -> None:
        """Put the positions that came since onto their roads, so that no search has to."""
        self._desk.fleet.settle()

    async def keep_positions(self) -> None:
        """Write down who has moved, some at a time: thousands at once would stop the loop.

        Where the store has no room they wait in memory.
        """
        if not self._desk.room.has(Work.POSITIONS):
            return
        for _ in range(ceil(self._desk.fleet.moved() / POSITIONS_MOST)):
            kept = self._desk.fleet.to_keep(POSITIONS_MOST)
            if kept:
                await self._desk.store.checkpoint([_position(*row) for row in kept])

    async def reread_freed(self) -> None:
        """Read again the cases and units that may be other than memory thinks."""
        await self._desk.catch_up()
        ids, self._desk.reread = self._desk.reread, set()
        if ids:
            await self._desk.refresh(sorted(ids))

    async def compare_states(self) -> None:
        """Read again every unit whose state is other than the store says: memory is only a hint."""
        await self._agreement.states()

    async def reread_keys(self) -> None:
        """Take the API keys in force: a revoked one opens nothing a second later."""
        keys = await self._desk.store.keys()
        self._desk.keyring.replace(
            (k.hash, Grant(key_id=k.id, role=Role(k.role), juris=k.juris)) for k in keys
        )

    async def follow_registry(self) -> None:
        """Take imports and revocations a second after they are committed."""
        if await self._desk.store.registered() != self._desk.registered:
            await self._desk.read_registered()

    async def forget(self) -> None:
        """Delete a bounded part of what nobody asks for any more."""
        gone = await self._desk.store.forget(self._desk.clock.now(), FORGET_MOST)
        if gone:
            log.info("forgotten", rows=gone)


def _position(unit_id: UnitId, place: Point, acc_m: float, at_s: float) -> Position:
    at = datetime.fromtimestamp(at_s, UTC)
    return Position(unit_id=unit_id, lon=place.lon, lat=place.lat, acc_m=acc_m, at=at)
