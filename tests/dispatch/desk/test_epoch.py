"""A new epoch, when a phone proves that rows were lost."""

import asyncio

import pytest
import structlog

from dispatch.desk.epoch import RENEWED_EVERY, Epoch
from dispatch.store.memory import MemoryStore
from schemas.base import DeviceId
from tests.contract.town import devices, members, units
from tests.fakes import ManualClock

pytestmark = pytest.mark.asyncio

D1 = DeviceId("d1")


class Town:
    """A store of phones that were never sent anything, and the epoch of a process."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now, epoch="e1")
        self.epoch = Epoch("e1", self.store, self.clock)

    async def fill(self) -> None:
        """Register the phones."""
        await self.store.put_units(units())
        await self.store.put_members(members())
        await self.store.put_devices(devices())


async def town() -> Town:
    """Return a town with phones."""
    made = Town()
    await made.fill()
    return made


async def test_a_row_that_was_never_given_begins_a_new_epoch() -> None:
    """On disk first, and with an alarm in the log."""
    here = await town()
    with structlog.testing.capture_logs() as logs:
        assert await here.epoch.lost(D1, 3)
    assert here.epoch.name == await here.store.epoch() != "e1"
    (alarm,) = logs
    assert (alarm["event"], alarm["log_level"], alarm["before"]) == ("epoch_renewed", "error", "e1")


async def test_many_phones_that_prove_it_at_once_begin_one_epoch() -> None:
    """Who comes second finds it done."""
    here = await town()
    renewed = await asyncio.gather(*(here.epoch.lost(D1, n) for n in range(1, 20)))
    assert sum(renewed) == 1
    assert here.epoch.name == "e1+"


async def test_a_row_the_store_knows_proves_nothing() -> None:
    """Memory was behind."""
    here = await town()
    assert not await here.epoch.lost(D1, 0)
    assert here.epoch.name == "e1"


async def test_a_phone_may_not_send_everybody_away_all_day() -> None:
    """One epoch in ten minutes; the phone itself is told `rec` false all the same."""
    here = await town()
    assert await here.epoch.lost(D1, 3)
    assert not await here.epoch.lost(D1, 3)
    here.clock.advance(RENEWED_EVERY.total_seconds())
    assert await here.epoch.lost(D1, 3)
    assert here.epoch.name == "e1++"


async def test_what_was_told_before_a_new_epoch_began_is_of_the_past() -> None:
    """A beat that was under way brings no phone back to the old one."""
    here = await town()
    assert await here.epoch.lost(D1, 3)
    renewed = here.epoch.name
    assert not await here.epoch.follow("e1", "e1")
    assert here.epoch.name == renewed
    assert await here.epoch.follow("e9", renewed)
    assert here.epoch.name == "e9"
