"""A process that was away reads again before it decides."""

import pytest

from dispatch.core.errors import Unavailable
from dispatch.desk.absence import AWAY_S, Absence
from dispatch.ports import StoreAway

pytestmark = pytest.mark.asyncio


class Memory:
    """What is read again, and the time."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.reads = 0
        self.away = False
        self.absence = Absence(self.read, lambda: self.now_s)

    async def read(self) -> None:
        """Note it, where the store answers."""
        if self.away:
            raise StoreAway("cut")
        self.reads += 1


@pytest.fixture
def memory() -> Memory:
    """A process that has just started."""
    return Memory()


async def test_nobody_waits_while_the_loop_runs(memory: Memory) -> None:
    """A decision costs nothing more."""
    for _ in range(3):
        await memory.absence.look()
        await memory.absence.rouse()
        memory.now_s += AWAY_S
    assert memory.reads == 0


async def test_the_first_decision_after_an_absence_reads_again(memory: Memory) -> None:
    """Once, whoever finds out: the decision, or the clock after it."""
    await memory.absence.look()
    memory.now_s += AWAY_S + 0.1
    await memory.absence.rouse()
    await memory.absence.rouse()
    await memory.absence.look()
    assert memory.reads == 1


async def test_the_clock_finds_out_where_nobody_decides(memory: Memory) -> None:
    """Memory is right before anybody asks."""
    await memory.absence.look()
    memory.now_s += 3600.0
    await memory.absence.look()
    assert memory.reads == 1


async def test_while_nothing_can_be_read_nothing_is_decided(memory: Memory) -> None:
    """Whoever asks is told to try again, until the store is there."""
    await memory.absence.look()
    memory.now_s += AWAY_S + 0.1
    memory.away = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await memory.absence.rouse()
    memory.away = False
    await memory.absence.rouse()
    assert memory.reads == 1


async def test_a_process_without_its_clock_never_waits(memory: Memory) -> None:
    """Before the loops start there is nothing to have slept through."""
    memory.now_s += 3600.0
    await memory.absence.rouse()
    assert memory.reads == 0
