"""Looks for frames no phone has acknowledged, and sees that their phones are woken.

All it knows is in the store: whoever dies in the middle leaves a lease that ends, and the push goes
out again under the same key. At least once is promised; exactly once is not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from dispatch.ports import (
    Channel,
    Claimed,
    Clock,
    PushState,
    Settled,
    Store,
    StoreAway,
    Unheard,
)
from dispatch.push.plan import due, pushes
from dispatch.push.verdict import Heard, Jitter, settle
from dispatch.push.webhook import Sender
from dispatch.telemetry import Metrics
from dispatch.trace import begin
from schemas.base import DeviceId, UnitId

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.25
"""With three seconds of patience: out before 3.5 s (protocol, section 11)."""
GATHER_S: Final = 0.05
"""What falls asleep together is looked at together: at most twenty looks a second."""
LOOK_MOST: Final = 500
AT_ONCE: Final = 32
LEASE_S: Final = 8.0
"""Longer than a request may take; a dead worker's pushes go out again after it."""
HURRIED_MOST: Final = 1000
"""Phones looked at before their patience has run out, in one look; the others a look later."""


class Worker:
    """One loop, and at most `AT_ONCE` requests under way."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        sender: Sender,
        metrics: Metrics,
        jitter: Jitter,
        asleep: Callable[[DeviceId], bool],
        settle_acks: Callable[[], Awaitable[None]],
        unit_changed: Callable[[UnitId], None],
        sms_per_hour: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sender = sender
        self._metrics = metrics
        self._jitter = jitter
        self._asleep = asleep
        self._settle_acks = settle_acks
        self._unit_changed = unit_changed
        self._sms_per_hour = sms_per_hour
        self._hurried: dict[DeviceId, None] = {}
        self._poke = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def hurry(self, device_id: DeviceId) -> None:
        """Look at a phone now: it has fallen asleep, is gone, or was written to while it was."""
        self._hurried[device_id] = None
        self._poke.set()

    async def run(self) -> None:
        """Work until cancelled; survives the store's absence."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._poke.wait()
                await asyncio.sleep(GATHER_S)
                self._poke.clear()
                await self._survive()
        finally:
            await self._give_up()

    async def _survive(self) -> None:
        begin(self._clock.new_trace())
        try:
            await self.round()
        except StoreAway as away:
            log.warning("store_away", work="push", error=str(away))
            await asyncio.sleep(LOOK_EVERY_S)
        except Exception:
            # A fault of ours must not end the only way to phones that sleep.
            log.exception("push_round_failed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _give_up(self) -> None:
        """Leave what is under way to its lease."""
        for task in self._sending:
            task.cancel()
        await self.idle()

    async def round(self) -> None:
        """Weigh what was not heard, and start what is due."""
        await self._settle_acks()
        await self.weigh()
        await self.start()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._sending:
            await asyncio.wait(self._sending)

    # What nobody heard. --------------------------------------------------------------------------

    async def weigh(self) -> None:
        """Decide on every frame whose time has come, once."""
        hurried = self._take_hurried()
        rows = await self._unheard(hurried)
        while rows:
            now = self._clock.now()
            sms = self._sms_per_hour > 0
            await self._store.plan_pushes(
                [(row.device_id, row.seq) for row in rows],
                [push for row in rows for push in pushes(row, now, sms=sms)],
            )
            rows = await self._unheard(hurried) if len(rows) == LOOK_MOST else []

    async def _unheard(self, hurried: Sequence[DeviceId]) -> list[Unheard]:
        now = self._clock.now()
        cut = due(now)
        return await self._store.unheard(hurried, cut.written_by, cut.own_by, now, LOOK_MOST)

    def _take_hurried(self) -> list[DeviceId]:
        """Return who is to be looked at before its time; a phone that is back is not."""
        taken = list(self._hurried)[:HURRIED_MOST]
        for device_id in taken:
            del self._hurried[device_id]
        if self._hurried:
            self._poke.set()
        return [device_id for device_id in taken if self._asleep(device_id)]

    # What is due. --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start what is due, as far as there is room."""
        while room := AT_ONCE - len(self._sending):
            claimed = await self._store.claim_pushes(
                room, self._clock.now(), LEASE_S, self._sms_per_hour
            )
            for one in claimed:
                self._take(one)
            if len(claimed) < room:
                return

    def _take(self, claimed: Claimed) -> None:
        if claimed.state is not PushState.WAITING:
            self._count(claimed.push.channel, claimed.state)
            return
        task = asyncio.create_task(self._send(claimed))
        self._sending.add(task)
        self._metrics.push_sending.labels(claimed.push.channel).inc()
        task.add_done_callback(lambda done: self._sent(done, claimed.push.channel))

    def _sent(self, task: asyncio.Task[None], channel: Channel) -> None:
        self._sending.discard(task)
        self._metrics.push_sending.labels(channel).dec()
        self._poke.set()

    async def _send(self, claimed: Claimed) -> None:
        begin(self._clock.new_trace())
        try:
            heard = await self._sender.send(claimed)
            await self._settle(claimed, heard)
        except StoreAway:
            # Not written down: the lease ends, and it goes out again under the same key.
            self._count(claimed.push.channel, "unsettled")
        except Exception:
            log.exception("push_failed", device=claimed.push.device_id, seq=claimed.push.seq)
            self._count(claimed.push.channel, "unsettled")

    async def _settle(self, claimed: Claimed, heard: Heard) -> None:
        now = self._clock.now()
        settled = settle(claimed, heard, now, self._jitter)
        await self._store.settle_push(settled, now)
        self._tell(claimed, settled)
        if settled.state is PushState.SENT:
            waited = now - claimed.push.written_at
            self._metrics.push_s.labels(settled.channel).observe(waited.total_seconds())
            self._metrics.woken(claimed.push.oid, settled.channel)
        if settled.state is PushState.GONE and settled.channel is Channel.PUSH:
            await self._forget(claimed)

    async def _forget(self, claimed: Claimed) -> None:
        """Drop an address that leads nowhere: its unit cannot be reached by it any more."""
        device_id = claimed.push.device_id
        for unit_id in await self._store.drop_push_address(device_id, claimed.to):
            self._unit_changed(unit_id)

    # Telling. ------------------------------------------------------------------------------------

    def _tell(self, claimed: Claimed, settled: Settled) -> None:
        self._count(settled.channel, settled.state)
        if settled.state is not PushState.SENT:
            log.warning(
                "push_not_sent",
                device=settled.device_id,
                seq=settled.seq,
                channel=settled.channel,
                state=settled.state,
                tries=claimed.tries,
                note=settled.note,
            )

    def _count(self, channel: Channel, outcome: str) -> None:
        self._metrics.pushes.labels(channel, outcome).inc()
        if outcome == PushState.OVER_BUDGET:
            log.warning("sms_budget_reached", per_hour=self._sms_per_hour)
