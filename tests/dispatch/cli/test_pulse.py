"""A worker's pulse reaches its parent, and never waits for one that does not listen."""

import asyncio
import os

import pytest

from dispatch.cli.pulse import BEAT, READY, Pulse


@pytest.mark.asyncio
async def test_it_says_ready_and_then_beats() -> None:
    """One line each."""
    theirs, ours = os.pipe()
    pulse = Pulse(ours)
    pulse.ready()
    beating = asyncio.create_task(pulse.run(every_s=0.001))
    heard = b""
    while heard.count(b"\n") < 3:
        await asyncio.sleep(0.001)
        heard += os.read(theirs, 100) if heard else os.read(theirs, len(READY))
    beating.cancel()
    os.close(theirs)
    os.close(ours)
    assert heard.startswith(READY + BEAT + BEAT)


def test_a_full_pipe_does_not_stop_the_worker() -> None:
    """A parent that is stopped for hours costs its workers nothing."""
    theirs, ours = os.pipe()
    pulse = Pulse(ours)
    for _ in range(100_000):
        pulse.ready()
    assert os.read(theirs, len(READY)) == READY
    os.close(theirs)
    pulse.ready()
    os.close(ours)
