"""Phones that other processes hold."""

import pytest

from schemas import wire
from schemas.wire import Activity
from tests.dispatch.desk.processes import Begin, Process, missed, settled
from tests.patience import until

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]


async def test_who_is_held_elsewhere_is_awake_there_and_asleep_when_it_says_so(
    pair: tuple[Process, Process],
) -> None:
    """Whether a phone is pushed is decided by where it is, not by who decides."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    assert there.phones.presence.activity(identity.device_id) is Activity.FOREGROUND
    here.phones.mode(identity, wire.Mode(m=Activity.BACKGROUND))
    await here.peers.speak()
    await settled()
    assert there.phones.sleepers.asleep(identity.device_id)
    here.phones.disconnected(identity)
    await here.peers.speak()
    await settled()
    assert there.phones.presence.activity(identity.device_id) is None


async def test_a_process_that_joins_learns_who_is_where(begin: Begin) -> None:
    """Phones that were there before it are held elsewhere for it too."""
    first = await begin()
    identity = await first.holds(first.station.issued[0].unit)
    second = await begin()
    await until(lambda: second.phones.presence.activity(identity.device_id) is not None)
    assert second.phones.presence.holders([identity.device_id]) == {
        first.node.id: [identity.device_id]
    }


async def test_nobody_answers_for_a_dead_process_at_once(pair: tuple[Process, Process]) -> None:
    """The first offer to a phone it held tells: it is asleep, and pushed."""
    here, there = pair
    unit_id = here.station.issued[0].unit
    identity = await here.holds(unit_id)
    await settled()
    here.bus.cut()
    there.peers.elsewhere.assign([identity.device_id])
    await until(lambda: there.phones.sleepers.asleep(identity.device_id))
    assert there.peers.others() == []


async def test_a_phone_that_left_meanwhile_is_found_out(pair: tuple[Process, Process]) -> None:
    """Its process answers without it."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    here.phones.disconnected(identity)
    there.peers.elsewhere.assign([identity.device_id])
    await until(lambda: there.phones.sleepers.asleep(identity.device_id))
    assert there.peers.others() == [here.node.id]


async def test_who_came_while_nothing_was_heard_is_asked_for(pair: tuple[Process, Process]) -> None:
    """A gap may have been word of phones: the process is asked which it holds."""
    here, there = pair
    there.bus.cut()
    identity = await here.holds(here.station.issued[0].unit)
    await missed(here, there)
    assert there.phones.presence.holders([identity.device_id]) == {
        here.node.id: [identity.device_id]
    }


async def test_a_picture_that_comes_after_the_end_of_its_process_counts_no_more(
    pair: tuple[Process, Process],
) -> None:
    """Nobody would ever take its phones out again."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    there.peers.elsewhere.ask_whom(here.node.id)
    await here.peers.leave()
    await settled()
    await settled()
    assert there.phones.presence.activity(identity.device_id) is None
