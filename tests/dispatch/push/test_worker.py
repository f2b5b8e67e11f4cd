"""From a frame nobody heard to a request of a real receiver: the worker over a store in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from dispatch.core.commands import Cancel
from dispatch.ports import Claimed, Settled, StoreAway, Unheard
from dispatch.push.target import Target
from dispatch.push.verdict import Heard
from dispatch.push.webhook import Sender, Webhook
from dispatch.push.worker import AT_ONCE, HURRIED_MOST, LEASE_S, LOOK_EVERY_S, Worker
from dispatch.store.memory import MemoryStore
from dispatch.telemetry import Metrics
from schemas.base import DeviceId, Instant, UnitId
from tests.contract.town import OK, ONE, TWO, Town, devices, members, once, places, units
from tests.dispatch.push.letters import HERE, SECRET
from tests.dispatch.push.receiver import Receiver, answer, distinct, receiver
from tests.fakes import ManualClock

pytestmark = pytest.mark.asyncio
D1, D2 = DeviceId("d1"), DeviceId("d2")
SOON_S: Final = 0.2
AWAY: Final = answer("503 Service Unavailable")


class Stuck:
    """A sender that says yes to all once it is freed."""

    def __init__(self) -> None:
        self.sent: list[Claimed] = []
        self._full = asyncio.Event()
        self._free = asyncio.Event()

    async def send(self, claimed: Claimed) -> Heard:
        """Wait, then say yes."""
        self.sent.append(claimed)
        if len(self.sent) == AT_ONCE:
            self._full.set()
        await self._free.wait()
        return Heard(status=204)

    async def full(self) -> None:
        """Wait until as much is under way as may be."""
        await self._full.wait()

    def free(self) -> None:
        """Let everything through from now on."""
        self._free.set()


class Faulty:
    """A sender with a fault of ours in it."""

    async def send(self, claimed: Claimed) -> Heard:
        """Fail in a way nobody has thought of."""
        raise LookupError(claimed.push.seq)


class ShakyStore(MemoryStore):
    """A store in memory that is away for some of its methods, or has a fault, when it is told."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        super().__init__(now)
        self.unable: set[str] = set()
        self.faulty = False
        self.failed = asyncio.Event()

    async def settle_push(self, settled: Settled, now: Instant) -> None:
        """Note how a try went, unless it is away."""
        self._fail("settle_push")
        await super().settle_push(settled, now)

    async def unheard(
        self,
        asleep: Sequence[DeviceId],
        written_by: Instant,
        own_by: Instant,
        now: Instant,
        limit: int,
    ) -> list[Unheard]:
        """Return what was not heard, unless it is away."""
        self._fail("unheard")
        return await super().unheard(asleep, written_by, own_by, now, limit)

    def _fail(self, method: str) -> None:
        if self.faulty:
            self.failed.set()
            raise LookupError(method)
        if method in self.unable:
            self.failed.set()
            raise StoreAway(method)


class Streets:
    """A town whose phones sleep, a receiver, and workers between them."""

    def __init__(
        self, town: Town, store: ShakyStore, there: Receiver, stack: AsyncExitStack
    ) -> None:
        self.town = town
        self.store = store
        self.there = there
        self.clock = town.clock
        self.metrics = Metrics()
        self.awake: set[DeviceId] = set()
        self.changed: list[UnitId] = []
        self.flushed = 0
        self.on_flush: Callable[[], Awaitable[None]] | None = None
        self._stack = stack
        self._worker: Worker | None = None

    async def worker(
        self,
        sender: Sender | None = None,
        *,
        sms_per_hour: int = 100,
        within_s: float = SOON_S,
    ) -> Worker:
        """Start a worker anew; whatever another knew is not known to it."""
        if sender is None:
            webhook = Webhook(
                Target.of(self.there.url), SECRET, lambda: "e1", self.clock, within_s=within_s
            )
            sender = await self._stack.enter_async_context(webhook)
        self._worker = Worker(
            store=self.town.store,
            clock=self.clock,
            sender=sender,
            metrics=self.metrics,
            jitter=lambda most_s: most_s,
            asleep=lambda device: device not in self.awake,
            settle_acks=self._settle,
            unit_changed=self.changed.append,
            sms_per_hour=sms_per_hour,
        )
        return self._worker

    def hurry(self, device_id: DeviceId) -> None:
        """Name a phone to the newest worker."""
        assert self._worker is not None
        self._worker.hurry(device_id)

    async def _settle(self) -> None:
        self.flushed += 1
        if self.on_flush is not None:
            await self.on_flush()

    def count(self, channel: str, outcome: str) -> float:
        """Return what a metric counts."""
        return sample(self.metrics.registry, "kapok_push_total", channel=channel, outcome=outcome)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return a number of a registry; what was never counted is 0."""
    return registry.get_sample_value(name, labels) or 0.0


async def rounds(worker: Worker, clock: ManualClock, seconds: float = 0.0) -> None:
    """Let time pass, then let the worker look, and wait for what it started."""
    clock.advance(seconds)
    await worker.round()
    await worker.idle()


@pytest_asyncio.fixture
async def streets() -> AsyncIterator[Streets]:
    """Three units; the phones of the first can be woken."""
    clock = ManualClock()
    memory = ShakyStore(clock.now)
    town = Town(memory, memory.put_units)
    town.clock = clock
    await memory.put_jurisdictions(places())
    await memory.put_units(units())
    await memory.put_members(members())
    await memory.put_devices(devices())
    await memory.put_push_addresses({D1: HERE, D2: HERE})
    async with receiver() as there, AsyncExitStack() as stack:
        yield Streets(town, memory, there, stack)


# When. -------------------------------------------------------------------------------------------


async def test_a_frame_that_is_not_acknowledged_is_pushed_before_three_and_a_half_seconds(
    streets: Streets,
) -> None:
    """Looking every quarter second: not before three seconds, and at the next look after."""
    worker = await streets.worker()
    await streets.town.open()
    looks = 0
    while not streets.there.requests:
        await rounds(worker, streets.clock, LOOK_EVERY_S)
        looks += 1
        assert looks * LOOK_EVERY_S < 3.5
    assert looks * LOOK_EVERY_S >= 3.0
    assert {request.told["device"] for request in streets.there.requests} == {"d1", "d2"}
    assert all(request.is_ours for request in streets.there.requests)


async def test_what_is_acknowledged_in_time_wakes_nobody(streets: Streets) -> None:
    """Acknowledgements that wait to be written down count: they are written first."""
    worker = await streets.worker()
    await streets.town.open()

    async def acks() -> None:
        await streets.town.told("d1", 1)
        await streets.town.told("d2", 1)

    streets.on_flush = acks
    await rounds(worker, streets.clock, 3)
    assert streets.there.requests == []
    assert streets.flushed == 1


async def test_a_phone_that_sleeps_is_pushed_at_once(streets: Streets) -> None:
    """The one that was named; its colleague has three seconds."""
    worker = await streets.worker()
    streets.awake = {D2}
    await streets.town.open()
    worker.hurry(D1)
    await rounds(worker, streets.clock)
    assert [request.told["device"] for request in streets.there.requests] == ["d1"]


async def test_a_phone_that_is_back_is_not_hurried(streets: Streets) -> None:
    """It was replaced by its own new socket before anybody looked."""
    worker = await streets.worker()
    await streets.town.open()
    worker.hurry(D1)
    streets.awake = {D1}
    await rounds(worker, streets.clock)
    assert streets.there.requests == []


async def test_whoever_accepted_is_not_woken_for_it_within_ten_seconds(streets: Streets) -> None:
    """Not even when the app goes to sleep at once; the colleague is."""
    worker = await streets.worker()
    case = await streets.town.open()
    await streets.town.told("d1", 1)
    await streets.town.told("d2", 1)
    yes = streets.town.acceptance(case, ONE, "d1")
    await streets.town.store.commit(yes, once("tap-1"), OK, streets.clock.now())
    worker.hurry(D1)
    await rounds(worker, streets.clock, 9.5)
    assert {request.told["device"] for request in streets.there.requests} == {"d2"}
    await rounds(worker, streets.clock, 0.5)
    assert "d1" in {request.told["device"] for request in streets.there.requests}


async def test_an_urgent_frame_still_not_heard_at_ten_seconds_goes_out_by_sms(
    streets: Streets,
) -> None:
    """Under a key of its own, to the member's number."""
    worker = await streets.worker()
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await streets.town.told("d2", 1)
    await rounds(worker, streets.clock, 6.9)
    assert {request.told["channel"] for request in streets.there.requests} == {"push"}
    await rounds(worker, streets.clock, 0.1)
    sms = [request for request in streets.there.requests if request.told["channel"] == "sms"]
    assert [(r.key, r.told["to"]) for r in sms] == [
        ("e1:d1:1:sms", {"k": "tel", "a": "13800000000"})
    ]


async def test_an_expired_offer_is_not_pushed(streets: Streets) -> None:
    """Neither weighed late nor sent late."""
    case = await streets.town.open()
    worker = await streets.worker()
    streets.clock.at = streets.town.offer(case).exp_at
    await rounds(worker, streets.clock)
    assert streets.there.requests == []


async def test_an_offer_that_expires_while_it_waits_is_not_sent_again(streets: Streets) -> None:
    """The last try that was due after the hard end is not made."""
    streets.there.will(AWAY, AWAY)
    worker = await streets.worker(sms_per_hour=0)
    case = await streets.town.open()
    await rounds(worker, streets.clock, 3)
    streets.clock.at = streets.town.offer(case).exp_at
    await rounds(worker, streets.clock)
    assert len(streets.there.requests) == 2
    assert streets.count("push", "expired") == 2


async def test_a_withdrawn_offer_is_not_sent_again(streets: Streets) -> None:
    """The end takes its place; it reaches the phone that was rung."""
    streets.there.will(AWAY, AWAY)
    worker = await streets.worker(sms_per_hour=0)
    case = await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await streets.town.act(case, Cancel(why="false alarm"))
    await rounds(worker, streets.clock, 3)
    assert streets.count("push", "heard") == 2
    assert {(r.told["device"], r.told["seq"]) for r in streets.there.requests[2:]} == {
        ("d1", 2),
        ("d2", 2),
    }


# How it goes wrong. ------------------------------------------------------------------------------


async def test_a_receiver_that_fails_is_asked_again_with_the_same_key(streets: Streets) -> None:
    """After a pause that doubles."""
    streets.there.will(AWAY, AWAY, AWAY)
    streets.awake = {D2}
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    worker.hurry(D1)
    await rounds(worker, streets.clock)
    for pause_s in (1, 2, 4):
        await rounds(worker, streets.clock, pause_s - 0.001)
        await streets.town.told("d2", 1)
        before = len(streets.there.requests)
        await rounds(worker, streets.clock, 0.001)
        assert len(streets.there.requests) == before + 1
    assert distinct(streets.there.keys) == 1
    assert (streets.count("push", "waiting"), streets.count("push", "sent")) == (3, 1)


async def test_a_receiver_that_hangs_is_asked_again(streets: Streets) -> None:
    """It may have taken the push: at least once, under the same key."""
    streets.there.will("hang", "drop")
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await rounds(worker, streets.clock, 1)
    assert len(streets.there.requests) == 4
    assert distinct(streets.there.keys) == 2
    assert streets.count("push", "sent") == 2


async def test_a_receiver_that_says_no_is_not_asked_again(streets: Streets) -> None:
    """A push it will never take is over."""
    streets.there.will(answer("400 Bad Request"), answer("400 Bad Request"))
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await rounds(worker, streets.clock, 60)
    assert len(streets.there.requests) == 2
    assert streets.count("push", "refused") == 2


async def test_an_address_that_is_gone_is_dropped(streets: Streets) -> None:
    """And its unit is read again: it cannot be reached by it any more."""
    streets.there.will(answer("410 Gone"), answer("410 Gone"))
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    found = {i.device_id: i.push for _, i in await streets.town.store.identities()}
    assert (found[D1], found[D2]) == (None, None)
    assert streets.changed == [ONE, ONE]
    assert streets.count("push", "gone") == 2


async def test_a_worker_killed_in_the_middle_of_sending_is_replaced(streets: Streets) -> None:
    """The next one knows nothing but the store: the push goes out again when the lease ends."""
    streets.there.will("hang")
    dying = asyncio.create_task((await streets.worker(sms_per_hour=0, within_s=60)).run())
    streets.awake = {D2}
    await streets.town.open()
    streets.hurry(D1)
    await streets.there.came.wait()
    await killed(dying)
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.told("d2", 1)
    await rounds(worker, streets.clock, LEASE_S - 0.001)
    assert len(streets.there.requests) == 1
    await rounds(worker, streets.clock, 0.001)
    assert streets.there.keys == ["e1:d1:1:push", "e1:d1:1:push"]
    assert streets.count("push", "sent") == 1


async def test_a_yes_that_could_not_be_written_down_is_sent_again(streets: Streets) -> None:
    """At least once is promised; the receiver knows a repeat by its key."""
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    streets.store.unable = {"settle_push"}
    await rounds(worker, streets.clock, 3)
    assert streets.count("push", "unsettled") == 2
    streets.store.unable = set()
    await rounds(worker, streets.clock, LEASE_S)
    assert (len(streets.there.keys), distinct(streets.there.keys)) == (4, 2)


async def test_a_fault_of_ours_in_one_push_does_not_end_the_others(streets: Streets) -> None:
    """It is counted, and tried again when its lease ends."""
    worker = await streets.worker(Faulty(), sms_per_hour=0)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    assert streets.count("push", "unsettled") == 2


async def test_a_phone_named_while_nothing_else_happens_is_looked_at(streets: Streets) -> None:
    """The loop does not sleep out its quarter second."""
    streets.awake = {D2}
    await streets.town.open()
    running = asyncio.create_task((await streets.worker(sms_per_hour=0)).run())
    streets.hurry(D1)
    await streets.there.came.wait()
    await killed(running)
    assert streets.there.keys == ["e1:d1:1:push"]


# Bounds. -----------------------------------------------------------------------------------------


async def test_no_more_requests_are_under_way_than_allowed(streets: Streets) -> None:
    """The others wait in the store; their turn comes when one is done."""
    stuck = Stuck()
    worker = await streets.worker(stuck)
    for _ in range(AT_ONCE):
        await streets.town.open()
    streets.clock.advance(3)
    await worker.round()
    await stuck.full()
    await worker.round()
    gauge = sample(streets.metrics.registry, "kapok_push_sending", channel="push")
    assert (len(stuck.sent), gauge) == (AT_ONCE, AT_ONCE)
    stuck.free()
    await worker.idle()
    await rounds(worker, streets.clock)
    await rounds(worker, streets.clock)
    assert len(stuck.sent) == 2 * AT_ONCE


async def test_sms_end_with_the_hours_budget(streets: Streets) -> None:
    """What is over it is dropped, counted, and costs the push nothing."""
    worker = await streets.worker(sms_per_hour=1)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await rounds(worker, streets.clock, 7)
    assert (streets.count("sms", "sent"), streets.count("sms", "over_budget")) == (1, 1)
    assert streets.count("push", "sent") == 2
    await streets.town.open((TWO,))
    await rounds(worker, streets.clock, 3600)
    assert streets.count("sms", "over_budget") == 1


async def test_each_channel_has_its_own_numbers(streets: Streets) -> None:
    """Counted by outcome; the time from the commit to the yes beside it."""
    worker = await streets.worker()
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    await rounds(worker, streets.clock, 7)
    registry = streets.metrics.registry
    assert (streets.count("push", "sent"), streets.count("sms", "sent")) == (2, 2)
    assert sample(registry, "kapok_push_seconds_sum", channel="push") == 6.0
    assert sample(registry, "kapok_push_seconds_sum", channel="sms") == 20.0
    assert sample(registry, "kapok_push_sending", channel="push") == 0


async def test_a_unit_without_any_way_costs_one_look(streets: Streets) -> None:
    """It is weighed once, and nothing comes of it."""
    await streets.town.store.put_push_addresses({D1: None, D2: None})
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    await rounds(worker, streets.clock, 3)
    assert await nobody_left(streets) == []
    assert streets.there.requests == []


async def test_more_hurried_phones_than_one_look_takes_are_looked_at_later(
    streets: Streets,
) -> None:
    """A whole city that is sent elsewhere does not make one statement."""
    worker = await streets.worker(sms_per_hour=0)
    await streets.town.open()
    for number in range(HURRIED_MOST):
        worker.hurry(DeviceId(f"other-{number}"))
    worker.hurry(D1)
    await rounds(worker, streets.clock)
    assert streets.there.requests == []
    await rounds(worker, streets.clock)
    assert [request.told["device"] for request in streets.there.requests] == ["d1"]


# The loop. ---------------------------------------------------------------------------------------


async def test_the_loop_outlives_a_store_that_is_away(streets: Streets) -> None:
    """It says so, waits a little, and looks again."""
    streets.store.unable = {"unheard"}
    streets.awake = {D2}
    await streets.town.open()
    running = asyncio.create_task((await streets.worker(sms_per_hour=0)).run())
    streets.hurry(D1)
    await streets.store.failed.wait()
    streets.store.unable = set()
    streets.clock.advance(3)
    await streets.there.came.wait()
    await killed(running)
    assert streets.there.requests


async def test_the_loop_outlives_a_fault_of_ours(streets: Streets) -> None:
    """The one way to phones that sleep does not end with one error."""
    streets.store.faulty = True
    await streets.town.open()
    running = asyncio.create_task((await streets.worker(sms_per_hour=0)).run())
    streets.hurry(D1)
    await streets.store.failed.wait()
    streets.store.faulty = False
    streets.clock.advance(3)
    await streets.there.came.wait()
    await killed(running)
    assert streets.there.requests


async def nobody_left(streets: Streets) -> list[Unheard]:
    """Return what nobody has weighed."""
    now = streets.clock.now()
    return await streets.town.store.unheard((), now, now, now, 10)


async def killed(running: asyncio.Task[None]) -> None:
    """Kill a worker."""
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
