"""What every store promises of looking after itself, tried on each of them."""

from datetime import timedelta

import pytest

from dispatch.core.commands import Cancel, CloseFile, Resolve
from dispatch.ports import DutyChange
from schemas.base import DeviceId, MemberId, UnitId
from schemas.unit import Duty
from schemas.wire import Reached
from tests.contract.town import OK, ONE, THREE, TWO, Town, once, step

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


async def test_a_whole_life_breaks_no_invariant(town: Town) -> None:
    """Asked, accepted, there, settled; and one that was called off."""
    there = await town.accept(await town.open([ONE, TWO]))
    there = await town.act(there, step(town, there, Reached.ARRIVED))
    await town.act(await town.act(there, Resolve()), CloseFile(result="done"))
    await town.act(await town.open([THREE]), Cancel(why="误报"))
    assert await town.store.broken(10) == []


async def test_states_are_told_by_their_facts(town: Town) -> None:
    """A slice at a time, by id; nothing after the last."""
    await town.accept(await town.open([ONE]))
    await town.open([TWO])
    first = await town.store.unit_states(None, 2)
    assert (first.unit_ids, first.engaged, first.open_offers) == ([ONE, TWO], [True, False], [0, 1])
    assert (first.on_duty, first.paused, first.disabled) == ([2, 1], [0, 1], [False, False])
    second = await town.store.unit_states(TWO, 2)
    assert (second.unit_ids, second.on_duty) == ([THREE], [1])
    assert list((await town.store.unit_states(THREE, 2)).unit_ids) == []


async def test_versions_are_of_cases_that_are_not_over(town: Town) -> None:
    """As the last decision left them."""
    case = await town.accept(await town.open([ONE]))
    over = await town.act(await town.open([TWO]), Cancel(why="误报"))
    assert over.incident.version > 0
    assert await town.store.live_versions() == {case.incident.id: case.incident.version}


async def test_a_turn_is_one_process_s_until_it_ends(town: Town) -> None:
    """Each piece of work has its own; whoever comes first after the end has the next."""
    now = town.clock.now()
    until = now + timedelta(seconds=10)
    assert await town.store.claim_turn("check", until, now)
    assert not await town.store.claim_turn("check", until, now + timedelta(seconds=9))
    assert await town.store.claim_turn("other", until, now)
    assert await town.store.claim_turn("check", until + timedelta(seconds=10), until)


async def test_the_canary_is_registered_once_and_ends_are_news_when_they_change(town: Town) -> None:
    """What goes well every minute is none, and what keeps failing neither."""
    before = await town.store.registered()
    await town.store.put_canary()
    registered = await town.store.registered()
    await town.store.put_canary()
    assert before < registered == await town.store.registered()
    now = town.clock.now()
    await town.store.claim_turn("canary", now, now)
    ends = [await town.store.canary_ended(well=well) for well in (True, False, False, True, True)]
    assert ends == [False, True, False, True, False]
    own = MemberId("canary")
    change = DutyChange(
        device_id=DeviceId(own), unit_id=UnitId(own), member_id=own, duty=Duty.OFF, at=now
    )
    await town.store.set_duty(change, once("c1"), OK)
    await town.store.put_canary()
    (row,) = await town.store.unit_rows(now, [UnitId("canary")])
    assert (row.on_duty, row.unit.juris) == (1, "canary")


async def test_only_canaries_are_forgotten_with_their_log(town: Town) -> None:
    """And only the old ones; what is a city's stays."""
    await town.store.put_canary()
    real = await town.open([ONE])
    hidden = await town.open([UnitId("canary")], juris="canary")
    now = town.clock.now()
    assert await town.store.forget_canaries(now - timedelta(hours=1), 10) == 0
    assert await town.store.forget_canaries(now + timedelta(seconds=1), 10) == 1
    assert (await town.store.load(hidden.incident.id, None)).case is None
    assert await town.store.timeline(hidden.incident.id, 0, 10) == []
    assert (await town.store.load(real.incident.id, None)).case == real


async def test_a_store_has_one_time_and_one_history(town: Town) -> None:
    """The time has a zone; the epoch stays while nothing is restored."""
    now = (await town.store.time()).at
    assert now.utcoffset() == timedelta(0)
    assert (await town.store.time()).at >= now
    assert await town.store.epoch() == await town.store.epoch() != ""
