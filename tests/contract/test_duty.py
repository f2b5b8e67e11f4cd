"""What every store promises of crews that come and go, tried on each of them."""

import pytest

from dispatch.core.commands import Cancel
from dispatch.ports import AlreadyAnswered
from tests.contract.town import DUTIES, NO, OFF, ON, ONE, PAUSED, THREE, Town, body, once

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


async def test_members_clock_in_and_out(town: Town) -> None:
    """The duty in force is the one asked for."""
    assert await town.duties() == list(DUTIES)
    assert [await town.clock_in(n, d) for n, d in ((1, OFF), (4, ON), (6, PAUSED))] == [
        OFF,
        ON,
        PAUSED,
    ]
    assert await town.duties() == [OFF, ON, ON, ON, ON, PAUSED]


async def test_clocking_is_answered_once(town: Town) -> None:
    """The same id changes nothing a second time; its answer is kept."""
    await town.clock_in(1, OFF, "c1")
    with pytest.raises(AlreadyAnswered):
        await town.clock_in(1, ON, "c1", NO)
    assert (await town.duties())[0] is OFF
    assert body(await town.store.load(None, once("c1"))) == {"t": "ok"}


async def test_leaving_waits_while_the_unit_is_engaged(town: Town) -> None:
    """Whoever clocks out on a call is off duty when it has ended."""
    case = await town.accept(await town.open())
    assert await town.clock_in(1, OFF) is ON
    assert await town.clock_in(2, PAUSED) is ON
    assert (await town.duties())[:2] == [ON, ON]
    await town.act(case, Cancel(why="误报"))
    assert (await town.duties())[:2] == [OFF, PAUSED]


async def test_who_clocks_in_again_on_the_call_stays(town: Town) -> None:
    """The last word counts."""
    case = await town.accept(await town.open())
    await town.clock_in(1, OFF)
    await town.clock_in(1, ON)
    await town.act(case, Cancel(why="误报"))
    assert (await town.duties())[:2] == [ON, ON]


async def test_the_last_of_a_crew_to_leave_answers_its_offers(town: Town) -> None:
    """Every incident that asks the unit gets a moment; one too few is enough to leave."""
    cases = [await town.open([ONE]) for _ in range(2)]
    await town.clock_in(1, PAUSED)
    assert await town.claim() == []
    await town.clock_in(2, OFF)
    assert sorted(await town.claim()) == [(c.incident.id, "unit_left", ONE) for c in cases]


async def test_a_crew_under_its_least_number_has_left(town: Town) -> None:
    """A unit that needs two answers no with one."""
    case = await town.open([THREE])
    await town.clock_in(6, ON)
    assert await town.claim() == []
    await town.clock_in(6, OFF)
    assert await town.claim() == [(case.incident.id, "unit_left", THREE)]
