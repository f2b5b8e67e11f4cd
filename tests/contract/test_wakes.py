"""What every store promises of the clocks of cases, tried on each of them."""

import asyncio

import pytest

from dispatch.core.commands import Cancel, UnitGone, Wake
from schemas.wire import Reached
from tests.contract.town import ONE, THREE, TWO, Town, step

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


async def test_an_incident_wakes_at_one_moment(town: Town) -> None:
    """Each decision sets it anew; it comes when it has come."""
    case = await town.open([ONE, TWO, THREE])
    assert await town.store.next_due() == case.offers[0].lapse_at
    assert await town.claim() == []
    town.clock.advance(20)
    assert await town.claim() == [(case.incident.id, "wake", None)]


async def test_a_decision_moves_the_wake(town: Town) -> None:
    """There is one row an incident, wherever it stood."""
    case = await town.open([ONE, TWO, THREE])
    decision = town.acceptance(case)
    await town.commit(decision)
    assert decision.wake_at is not None
    assert await town.store.next_due() == decision.wake_at
    town.clock.advance(3600)
    assert len(await town.claim()) == 1


async def test_an_incident_that_is_over_sleeps(town: Town) -> None:
    """No wake is left."""
    await town.act(await town.open(), Cancel(why="误报"))
    assert await town.store.next_due() is None


async def test_a_claimed_moment_is_left_to_its_taker_for_ten_seconds(town: Town) -> None:
    """Then it comes again: its taker has died."""
    await town.open()
    town.clock.advance(20)
    assert len(await town.claim()) == 1
    town.clock.advance(9)
    assert await town.claim() == []
    town.clock.advance(1)
    assert len(await town.claim()) == 1


async def test_moments_at_once_have_one_taker_each(town: Town) -> None:
    """Four takers share eight moments; none is taken twice."""
    for _ in range(8):
        await town.open()
    town.clock.advance(20)
    shares = await asyncio.gather(*(town.claim(3) for _ in range(4)))
    taken = [row for share in shares for row in share]
    assert len(set(taken)) == len(taken) == 8


async def test_the_oldest_moments_come_first(town: Town) -> None:
    """A limit takes what has waited longest."""
    first = await town.open()
    town.clock.advance(5)
    await town.open()
    town.clock.advance(60)
    assert await town.claim(1) == [(first.incident.id, "wake", None)]


async def test_a_moment_can_be_dropped(town: Town) -> None:
    """It does not come again; what is not there is dropped already."""
    await town.open()
    town.clock.advance(20)
    (due,) = await town.store.claim_due(1, town.clock.now())
    await town.store.drop_due(due.id)
    await town.store.drop_due(due.id)
    assert await town.store.next_due() is None


async def test_the_wake_a_decision_answers_is_the_one_it_sets(town: Town) -> None:
    """A decision made for a wake does not drop the next one."""
    case = await town.open()
    town.clock.advance(20)
    (due,) = await town.store.claim_due(1, town.clock.now())
    decision = town.decision(case, Wake())
    await town.commit(decision, due=due.id)
    assert await town.store.next_due() == decision.wake_at
    assert decision.wake_at is not None


async def test_other_incidents_are_told_that_a_unit_is_engaged(town: Town) -> None:
    """Each that still asks it gets a moment, once; its own does not."""
    own, *others = [await town.open([ONE, TWO]) for _ in range(3)]
    own = await town.accept(own)
    await town.act(own, step(town, own, Reached.EN_ROUTE))
    rows = await town.claim()
    assert sorted(rows) == [(c.incident.id, "unit_engaged", ONE) for c in others]


async def test_the_moment_a_decision_answers_is_gone(town: Town) -> None:
    """It is deleted in the transaction of the decision it asked for."""
    own, other = await town.open(), await town.open()
    await town.accept(own)
    (due,) = await town.store.claim_due(10, town.clock.now())
    await town.commit(town.decision(other, UnitGone(unit_id=ONE, engaged=True)), due=due.id)
    town.clock.advance(15)
    left = [row for row in await town.claim() if row[0] == other.incident.id]
    assert left == [(other.incident.id, "wake", None)]
