"""Work that is done as soon as there is some, and every so often."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from dispatch.desk.rounds import rounds
from dispatch.ports import StoreAway
from dispatch.trace import present
from tests.fakes import ManualClock
from tests.patience import until

pytestmark = pytest.mark.asyncio
NEVER_S = 600.0


class Work:
    """Counts how often it is done, and under which trace ids."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.traces: list[str] = []

    async def __call__(self) -> None:
        """Be done once more; fail while there are faults."""
        self.traces.append(present())
        if self.faults:
            raise self.faults.pop(0)


def going(
    work: Callable[[], Awaitable[object]], new: asyncio.Event, every_s: float
) -> asyncio.Task[None]:
    """Start rounds."""
    return asyncio.create_task(rounds("work", work, new, ManualClock(), every_s))


async def test_what_is_new_is_done_at_once_each_time_under_a_trace_of_its_own() -> None:
    """Nobody waits for the next round."""
    new, work = asyncio.Event(), Work()
    task = going(work, new, NEVER_S)
    new.set()
    await until(lambda: len(work.traces) == 1)
    new.set()
    await until(lambda: len(work.traces) == 2)
    assert len(set(work.traces)) == 2
    task.cancel()


async def test_it_is_done_every_so_often_without_anything_new() -> None:
    """What nobody was told of is found."""
    work = Work()
    task = going(work, asyncio.Event(), 0.0)
    await until(lambda: len(work.traces) > 2)
    assert not task.done()
    task.cancel()


async def test_it_goes_on_while_the_store_is_away() -> None:
    """The log says so."""
    work = Work(StoreAway("gone"))
    with capture_logs() as log:
        task = going(work, asyncio.Event(), 0.0)
        await until(lambda: len(work.traces) > 1)
    assert log == [{"event": "store_away", "work": "work", "error": "gone", "log_level": "warning"}]
    task.cancel()


async def test_a_fault_of_ours_ends_it() -> None:
    """Whoever keeps the task learns of it."""
    task = going(Work(ZeroDivisionError()), asyncio.Event(), 0.0)
    with pytest.raises(ZeroDivisionError):
        await task
