"""A berth is kept filled, whatever its worker does. Workers here are small programs."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from dispatch.cli.berth import SILENT_S, Berth
from dispatch.cli.port import Port
from tests.patience import until

pytestmark = pytest.mark.asyncio

BOUND_S: Final = 30.0
USUAL: Final = """
import time
print("ready", flush=True)
while True:
    time.sleep(0.1)
    print("beat", flush=True)
"""
HOPELESS: Final = "raise SystemExit(9)"


@asynccontextmanager
async def kept(
    program: str, sockets: int = 1, silent_s: float = SILENT_S
) -> AsyncIterator[tuple[Berth, list[EventDict]]]:
    """Keep a berth of a port filled with a program; hand over the log's events too."""
    stop = asyncio.Event()
    with Port.opened("127.0.0.1", 0, sockets) as port, capture_logs() as events:
        command = (sys.executable, "-I", "-S", "-c", program)
        berth = Berth(0, port, {}, silent_s=silent_s, program=command)
        running = asyncio.create_task(berth.run(stop))
        try:
            yield berth, events
        finally:
            stop.set()
            await asyncio.wait_for(running, BOUND_S)


def named(events: list[EventDict], name: str) -> list[Any]:
    """Return the events of a name."""
    return [event for event in events if event["event"] == name]


async def another(berth: Berth, before: int | None) -> int:
    """Wait for a worker other than the one before."""
    await until(lambda: berth.worker not in {None, before})
    assert berth.worker is not None
    return berth.worker


async def test_a_worker_that_ends_is_followed_by_another() -> None:
    """And the log says with which code it ended."""
    async with kept(USUAL) as (berth, events):
        first = await another(berth, None)
        os.kill(first, signal.SIGKILL)
        await another(berth, first)
    (ended,) = named(events, "worker_ended")
    assert ended["code"] == -signal.SIGKILL
    assert [event["berth"] for event in named(events, "ready")] == [0, 0]


async def test_a_worker_that_falls_silent_is_killed_and_followed_by_another() -> None:
    """It is there and does nothing: nobody else would notice."""
    async with kept(USUAL, silent_s=1.0) as (berth, events):
        first = await another(berth, None)
        os.kill(first, signal.SIGSTOP)
        await another(berth, first)
    (silent,) = named(events, "worker_silent")
    assert silent["worker"] == first


async def test_one_that_never_serves_is_tried_again_and_again_more_slowly() -> None:
    """Each failure is in the log; callers are not kept waiting for it."""
    async with kept(HOPELESS, sockets=2) as (berth, events):
        await until(lambda: len(named(events, "worker_ended")) >= 3)
        assert berth.worker is None
    pauses = [event["again_in_s"] for event in named(events, "worker_ended")]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert {event["code"] for event in named(events, "worker_ended")} == {9}


async def test_a_worker_can_be_relieved() -> None:
    """It is told to go, another comes at once, and no failure is told of."""
    async with kept(USUAL, sockets=2) as (berth, events):
        first = await another(berth, None)
        assert await berth.replace()
        assert berth.worker not in {None, first}
    assert named(events, "worker_ended") == []


async def test_a_program_that_cannot_be_started_is_tried_again() -> None:
    """The system may have no room for one more process now, and a moment later it has."""
    stop = asyncio.Event()
    with Port.opened("127.0.0.1", 0) as port, capture_logs() as events:
        berth = Berth(0, port, {}, program=("/dev/null/nothing",))
        running = asyncio.create_task(berth.run(stop))
        await until(lambda: len(named(events, "worker_not_started")) >= 2)
        stop.set()
        await asyncio.wait_for(running, BOUND_S)
    assert berth.worker is None
