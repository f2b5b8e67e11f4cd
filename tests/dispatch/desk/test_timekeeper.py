"""Processes that share a database whose clock is stepped: one time for all, and it goes on."""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dispatch.core.service_time import STEP_S, Offset, Reading
from dispatch.desk.timekeeper import ROUND_TRIP_MOST_S, Timekeeper
from dispatch.ports import LIVE_S, Node, NodeId, StoreAway
from dispatch.store.memory import MemoryStore
from dispatch.telemetry import Metrics
from schemas.base import Instant
from tests.fakes import START, ManualClock

pytestmark = pytest.mark.asyncio

HOUR: Final = 3600.0
OLD_S: Final = LIVE_S + 1
"""Long enough for what a process says of its time to count."""
NEAR: Final = timedelta(seconds=0.1)


class Watch:
    """A process's hands, on the uptime of its own machine."""

    def __init__(self) -> None:
        self.up_s = 1000.0
        self.jump(START - timedelta(days=1), Offset())

    def now(self) -> Instant:
        """Return the time, which never goes back."""
        passed = timedelta(seconds=self.up_s - self._since_s)
        self._last: Instant = max(self._last, self._offset.time(self._at + passed))
        return self._last

    def elapsed_s(self) -> float:
        """Return how long its machine has been up."""
        return self.up_s

    def follow(self, at: Instant, offset: Offset) -> None:
        """Take a time that is not earlier."""
        self._at, self._since_s, self._offset = at, self.up_s, offset

    def jump(self, at: Instant, offset: Offset) -> None:
        """Take any time."""
        self.follow(at, offset)
        self._last = offset.time(at)


class Far:
    """The store as one process sees it: each question takes that process a while."""

    def __init__(self, store: MemoryStore, process: "Process") -> None:
        self._store, self._process = store, process

    async def time(self) -> Reading:
        """Return what the store says, on its way for a while."""
        reading = await self._store.time()
        self._process.watch.up_s += self._process.round_trip_s
        return reading

    async def set_offset(self, offset: Offset) -> bool:
        """Hand on."""
        return await self._store.set_offset(offset)

    async def reach(self, time: Instant) -> None:
        """Hand on, unless the store is away."""
        if self._process.store_is_away:
            raise StoreAway("nobody answers")
        await self._store.reach(time)


class Process:
    """One process: its hands, and who sets them."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self.watch, self.metrics = Watch(), Metrics()
        self.round_trip_s = 0.0
        self.store_is_away = False
        self.store = store
        self.keeper = Timekeeper(Far(store, self), self.watch, self.metrics)
        self.name = NodeId(name)
        self.started_at = START

    async def start(self) -> None:
        """Take the first time."""
        await self.keeper.start()
        self.started_at = self.watch.now()

    async def beat(self) -> None:
        """Say the own time to the others."""
        node = Node(id=self.name, host="boot-1", pid=7, started_at=self.started_at)
        await self.store.beat(node, self.watch.now())


class Site:
    """A database whose clock can be stepped, and processes on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.processes: list[Process] = []

    async def join(self, *names: str) -> list[Process]:
        """Start processes."""
        new = [Process(self.store, name) for name in names]
        for process in new:
            await process.start()
            self.processes.append(process)
        return new

    async def settled(self, *names: str) -> list[Process]:
        """Start processes, and let them be there long enough to be believed."""
        new = await self.join(*names)
        await self.passes(OLD_S)
        return new

    async def passes(self, seconds: float, *stopped: Process) -> None:
        """Let time pass, for all but the machines that are stopped."""
        self.clock.advance(seconds)
        for process in self.processes:
            if process not in stopped:
                process.watch.up_s += seconds
                await process.beat()

    def step(self, seconds: float) -> None:
        """Set the database's clock."""
        self.clock.advance(seconds)

    async def look(self, times: int = 2) -> None:
        """Let every process look at the time, as it does twice a second."""
        for _ in range(times):
            for process in self.processes:
                await process.keeper.look()
            await self.passes(0.5)


@pytest.mark.parametrize("step_s", [HOUR, -HOUR, 2 * STEP_S])
@pytest.mark.parametrize("names", ["a", "abc"])
async def test_a_step_moves_nobodys_time(step_s: float, names: str) -> None:
    """Alone or among others; what is left of it is told, and grows less."""
    site = Site()
    processes = await site.settled(*names)
    before = processes[0].watch.now()
    site.step(step_s)
    for process in processes:
        await process.beat()
    with capture_logs() as log:
        await site.look(4)
    assert [line["event"] for line in log] == ["clock_stepped"]
    for process in processes:
        assert abs(process.watch.now() - before - timedelta(seconds=2)) <= NEAR
        assert abs(process.keeper.ahead_s() + step_s) < 1
        told = process.metrics.registry.get_sample_value("kapok_clock_absorbing_seconds")
        assert told == process.keeper.ahead_s()
    assert len({p.watch.now() for p in processes}) == 1


async def test_a_step_is_absorbed_in_the_end() -> None:
    """An hour in twenty; then the service goes by the database again."""
    site = Site()
    (process,) = await site.settled("a")
    site.step(HOUR)
    await site.look(4)
    for _ in range(21):
        await site.passes(HOUR)
        await process.keeper.look()
    assert process.keeper.ahead_s() == 0
    assert process.watch.now() == site.clock.now()


async def test_one_reading_moves_nothing() -> None:
    """Nor do two that tell of different things."""
    site = Site()
    (process,) = await site.settled("a")
    site.step(HOUR)
    await process.keeper.look()
    site.step(-HOUR)
    await process.keeper.look()
    site.step(HOUR)
    await process.keeper.look()
    site.step(HOUR)
    await process.keeper.look()
    assert (await site.store.time()).offset == Offset()
    await process.keeper.look()
    assert (await site.store.time()).offset.version == 1


async def test_what_is_no_step_is_taken_at_once_but_never_backwards() -> None:
    """Forwards it is there; backwards the time stands until it has come."""
    site = Site()
    (process,) = await site.settled("a")
    site.step(STEP_S)
    await process.keeper.look()
    assert process.watch.now() == site.clock.now()
    stood_at = process.watch.now()
    site.step(-STEP_S)
    await process.keeper.look()
    assert process.watch.now() == stood_at
    await site.passes(STEP_S + 1)
    await process.keeper.look()
    assert process.watch.now() == site.clock.now() == stood_at + timedelta(seconds=1)


async def test_what_the_round_trip_explains_is_no_difference() -> None:
    """And one that took too long says nothing."""
    site = Site()
    (process,) = await site.settled("a")
    before = process.watch.now()
    process.round_trip_s = 0.4
    site.clock.advance(0.1)
    await process.keeper.look()
    assert process.watch.now() == before + timedelta(seconds=0.4)
    process.round_trip_s = ROUND_TRIP_MOST_S + 0.1
    site.step(HOUR)
    await process.keeper.look()
    await process.keeper.look()
    assert (await site.store.time()).offset == Offset()


async def test_a_machine_that_stood_still_jumps_alone() -> None:
    """The others go by the database's clock, so it is right; nobody else is moved."""
    site = Site()
    stopped, *others = await site.settled("a", "b", "c")
    await site.passes(HOUR, stopped)
    with capture_logs() as log:
        await site.look()
    assert [line["event"] for line in log] == ["clock_jumped"]
    assert {p.watch.now() for p in (stopped, *others)} == {site.clock.now()}
    assert (await site.store.time()).offset == Offset()


async def test_who_stood_still_while_the_clock_was_stepped_is_led_by_the_others() -> None:
    """They have written down what is left of it."""
    site = Site()
    stopped, other = await site.settled("a", "b")
    site.step(-HOUR)
    await other.beat()
    for _ in range(2):
        await other.keeper.look()
        await site.passes(300, stopped)
    await other.keeper.look()
    await site.look(3)
    assert stopped.watch.now() == other.watch.now()
    assert (await site.store.time()).offset.version == 1


@pytest.mark.parametrize("step_s", [HOUR, -HOUR])
async def test_who_joins_takes_the_same_time(step_s: float) -> None:
    """Before a step is written down by what the others say, afterwards by that."""
    site = Site()
    (first,) = await site.settled("a")
    site.step(step_s)
    await first.beat()
    (early,) = await site.join("b")
    assert abs(early.watch.now() - first.watch.now()) <= NEAR
    await site.look(4)
    (late,) = await site.join("c")
    await site.look(1)
    assert abs(early.watch.now() - first.watch.now()) <= NEAR
    assert abs(late.watch.now() - first.watch.now()) <= NEAR
    assert (await site.store.time()).offset.version == 1


async def test_who_joined_by_a_stepped_clock_persuades_nobody() -> None:
    """He came before the others had said anything, and is the one who goes back."""
    site = Site()
    (first,) = await site.settled("a")
    before = first.watch.now()
    site.step(HOUR)
    (early,) = await site.join("b")
    assert early.watch.now() == site.clock.now()
    await early.beat()
    await first.beat()
    await site.look(4)
    assert abs(first.watch.now() - before - timedelta(seconds=2)) <= NEAR
    assert abs(early.watch.now() - first.watch.now()) <= NEAR


@pytest.mark.parametrize("step_s", [HOUR, -HOUR])
async def test_who_starts_after_all_others_goes_on_where_they_ended(step_s: float) -> None:
    """By what was written down of a step; and never before what was reached."""
    site = Site()
    (first,) = await site.settled("a")
    site.step(step_s)
    await site.look(4)
    await first.keeper.reach()
    await site.store.leave(first.name)
    site.processes.clear()
    (second,) = await site.join("b")
    assert abs(second.watch.now() - first.watch.now()) <= NEAR


async def test_a_clock_set_back_while_nobody_lived_stops_nothing() -> None:
    """Who starts goes on from what was reached, and writes down what that is ahead."""
    site = Site()
    (first,) = await site.settled("a")
    await first.keeper.reach()
    reached = first.watch.now()
    await site.store.leave(first.name)
    site.processes.clear()
    site.step(-HOUR)
    (second,) = await site.join("b")
    assert second.watch.now() == reached
    await site.look(3)
    assert (await site.store.time()).offset.version == 1
    assert abs(second.watch.now() - reached - timedelta(seconds=1.5)) <= NEAR


async def test_a_store_that_is_away_is_told_the_next_time() -> None:
    """What was reached is not worth a word to anybody."""
    site = Site()
    (process,) = await site.settled("a")
    process.store_is_away = True
    await process.keeper.reach()
    process.store_is_away = False
    await process.keeper.reach()
    assert (await site.store.time()).reached == process.watch.now()


async def test_a_time_that_is_in_doubt_is_not_written_down() -> None:
    """Until it is known who was stepped."""
    site = Site()
    (process,) = await site.settled("a")
    await process.keeper.reach()
    reached = (await site.store.time()).reached
    site.step(-HOUR)
    await process.keeper.look()
    await process.keeper.reach()
    assert (await site.store.time()).reached == reached
    await site.look()
    await process.keeper.reach()
    assert (await site.store.time()).reached > reached


@given(st.lists(st.tuples(st.floats(-10_000, 10_000), st.floats(4, 3000)), max_size=6))
async def test_whatever_the_clock_does_all_have_one_time_that_goes_on(
    steps: list[tuple[float, float]],
) -> None:
    """It is off what has passed by what is no step, and a twentieth of what passed."""
    site = Site()
    processes = await site.settled("a", "b")
    began, passed_s = processes[0].watch.now(), 0.0
    for step_s, seconds in steps:
        before = [p.watch.now() for p in processes]
        site.step(step_s)
        for process in processes:
            await process.beat()
        await site.look(3)
        await site.passes(seconds)
        await site.look(1)
        passed_s += seconds + 2
        assert all(p.watch.now() >= then for p, then in zip(processes, before, strict=True))
        assert abs(processes[0].watch.now() - processes[1].watch.now()) <= NEAR
    gone_s = (processes[0].watch.now() - began).total_seconds()
    assert abs(gone_s - passed_s) <= STEP_S * len(steps) * 2 + 0.06 * passed_s
