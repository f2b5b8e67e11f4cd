"""What every store promises of decisions, tried on each of them."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec.structs import replace

from dispatch.core.commands import Cancel, Wake
from dispatch.ports import AlreadyAnswered, Loaded, StaleCase, UnitTaken
from schemas.base import IncidentId, UnitId
from schemas.incident import AssignmentState, Concern, Role
from schemas.wire import Reached
from tests.contract.town import NO, OK, ONE, THREE, TWO, Town, body, once, step, units

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

STAYS_OF_A_TASK: Final = frozenset(
    {"id", "incident_id", "unit_id", "offer_id", "kind", "assigned_at", "by", "ring_s", "crew"}
)


# Loading and committing. --------------------------------------------------------------------------


async def test_what_was_never_written_is_not_there(town: Town) -> None:
    """An unknown incident and an unknown command load as nothing."""
    nothing = Loaded(case=None, answer=None, same_payload=True)
    assert await town.store.load(IncidentId("i404"), once("never")) == nothing
    assert await town.store.load(None, None) == nothing


async def test_a_case_loads_as_it_was_decided(town: Town) -> None:
    """Every column of the incident and its offers survives."""
    decision = town.opening([ONE, TWO], ext_id="110-7", ext_rev=3, address="大沙地", drill=True)
    await town.commit(decision)
    assert await town.case(decision.case.incident.id) == decision.case


async def test_a_changed_case_loads_as_it_was_decided(town: Town) -> None:
    """Offers and assignments change in place; the version counts decisions."""
    case = await town.open([ONE, TWO])
    decision = town.acceptance(case)
    await town.commit(decision)
    now = await town.case(case.incident.id)
    assert now == decision.case
    assert (now.incident.version, len(now.assignments)) == (2, 1)


async def test_a_tasks_steps_load_as_they_were_decided(town: Town) -> None:
    """The times of an assignment and the four firsts are kept."""
    case = await town.accept(await town.open())
    for reached in (Reached.EN_ROUTE, Reached.ARRIVED, Reached.CONTROLLED, Reached.RESOLVED):
        town.clock.advance(7)
        decision = town.decision(case, step(town, case, reached))
        await town.commit(decision)
        case = await town.case(case.incident.id)
        assert case == decision.case


async def test_all_that_may_change_of_a_task_loads_as_it_was_decided(town: Town) -> None:
    """Its way reckoned anew too; what stays is named, so that a new field is thought of here."""
    case = await town.accept(await town.open())
    (task,) = case.assignments
    at = town.clock.now() + timedelta(seconds=7)
    changes: dict[str, Any] = {
        "slot": task.slot + 1,
        "state": AssignmentState.CONTROLLED,
        "eta_s": task.eta_s + 33.3,
        "arrive_at": task.arrive_at + timedelta(seconds=33.3),
        "role": Role.BACKUP,
        "rev": task.rev + 4,
        "pinned": not task.pinned,
        "warned": (Concern.STILL,),
        "seen_at": at,
        "en_route_at": at,
        "arrived_at": at,
        "controlled_at": at,
        "ended_at": at,
    }
    assert set(task.__struct_fields__) == STAYS_OF_A_TASK | changes.keys()
    before = town.decision(case, Wake())
    changed = replace(before.case, assignments=(replace(task, **changes),))
    await town.commit(replace(before, case=changed))
    assert (await town.case(case.incident.id)).assignments == changed.assignments


async def test_an_answer_is_kept_with_its_effect(town: Town) -> None:
    """A retry reads what the first was told; another payload under the id is told apart."""
    decision = town.opening()
    await town.store.commit(decision, once("c1"), OK, town.clock.now())
    again = await town.store.load(decision.case.incident.id, once("c1"))
    other = await town.store.load(decision.case.incident.id, once("c1", b"other"))
    assert again.answer is not None
    assert (again.answer.status, body(again), again.same_payload) == (200, {"t": "ok"}, True)
    assert (body(other), other.same_payload) == ({"t": "ok"}, False)


async def test_a_command_is_answered_once(town: Town) -> None:
    """The second commit under one id writes nothing at all."""
    first, second = town.opening(), town.opening([TWO])
    await town.store.commit(first, once("c1"), OK, town.clock.now())
    with pytest.raises(AlreadyAnswered):
        await town.store.commit(second, once("c1"), NO, town.clock.now())
    assert (await town.store.load(second.case.incident.id, None)).case is None
    assert body(await town.store.load(None, once("c1"))) == {"t": "ok"}
    assert await town.mail("d3") == []


async def test_a_refusal_is_remembered_once(town: Town) -> None:
    """The first answer under an id stays."""
    await town.store.remember(once("c1"), NO, town.clock.now())
    await town.store.remember(once("c1", b"other"), OK, town.clock.now())
    kept = await town.store.load(None, once("c1"))
    assert (body(kept), kept.same_payload) == ({"t": "err"}, True)


async def test_of_two_decisions_on_one_look_the_second_is_stale(town: Town) -> None:
    """The later one has to look again, and nothing of it was written."""
    case = await town.open([ONE, TWO])
    late = town.decision(case, Cancel(why="误报"))
    case = await town.accept(case)
    log, mail = await town.events(case), await town.mail("d1")
    with pytest.raises(StaleCase):
        await town.store.commit(late, once("c9"), OK, town.clock.now())
    assert await town.case(case.incident.id) == case
    assert (await town.events(case), await town.mail("d1")) == (log, mail)
    assert (await town.store.load(None, once("c9"))).answer is None


async def test_an_incident_is_opened_once(town: Town) -> None:
    """The same id, or the same number of the same source, is somebody else's incident."""
    await town.open(id="i900", source="110", ext_id="A7")
    await town.open([TWO], source="110")
    await town.open([TWO], source="other", ext_id="A7")
    for facts in ({"id": "i900"}, {"source": "110", "ext_id": "A7"}):
        with pytest.raises(StaleCase):
            await town.commit(town.opening([THREE], **facts))
    assert await town.mail("d5") == []


async def test_decisions_at_once_on_one_case_leave_one(town: Town) -> None:
    """Eight accept the same look at the same time: one is written, seven are stale."""
    case = await town.open()
    tries = [town.commit(town.acceptance(case)) for _ in range(8)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(d, list) for d in done) == 1
    assert sum(isinstance(d, StaleCase) for d in done) == 7
    assert len((await town.case(case.incident.id)).assignments) == 1


# A unit has one task. -----------------------------------------------------------------------------


async def test_a_unit_with_a_task_is_taken(town: Town) -> None:
    """Its second acceptance writes nothing and names the unit."""
    first, second = await town.open([ONE]), await town.open([ONE, TWO])
    await town.accept(first)
    late = town.acceptance(second)
    with pytest.raises(UnitTaken) as taken:
        await town.store.commit(late, once("c1"), OK, town.clock.now())
    assert taken.value.unit_ids == (ONE,)
    assert await town.case(second.incident.id) == second
    assert (await town.store.load(None, once("c1"))).answer is None


async def test_a_unit_wanted_by_many_goes_to_one(town: Town) -> None:
    """Ten incidents' acceptances at the same time leave one assignment."""
    cases = [await town.open() for _ in range(10)]
    done = await asyncio.gather(
        *(town.commit(town.acceptance(c)) for c in cases), return_exceptions=True
    )
    now = [await town.case(case.incident.id) for case in cases]
    assert sum(isinstance(d, list) for d in done) == 1
    assert sum(isinstance(d, UnitTaken) for d in done) == 9
    assert sum(len(case.assignments) for case in now) == 1


async def test_one_command_at_once_on_many_cases_is_answered_once(town: Town) -> None:
    """Of five commits under one id one is written."""
    openings = [town.opening() for _ in range(5)]
    tries = [town.store.commit(o, once("c1"), OK, town.clock.now()) for o in openings]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(d, AlreadyAnswered) for d in done) == 4
    assert len(await town.store.incidents("gz", [], None, 100)) == 1


async def test_a_released_unit_may_be_taken_again(town: Town) -> None:
    """Its next task begins when the last has ended, in one incident or another."""
    first, second = await town.open(), await town.open()
    first = await town.accept(first)
    await town.act(first, Cancel(why="误报"))
    second = await town.accept(second)
    assert second.assignments[0].unit_id == ONE


async def test_the_rows_of_units_tell_who_is_busy(town: Town) -> None:
    """Crew on duty, offers that ring, tasks, and how often a unit was asked and said yes."""
    case = await town.open([ONE, TWO])
    await town.open([TWO])
    await town.accept(case)
    one, two, three = await town.store.unit_rows(town.clock.now())
    assert (one.engaged, one.open_offers, one.offers, one.accepts) == (True, 0, 1, 1)
    assert (two.engaged, two.open_offers, two.offers, two.accepts) == (False, 1, 2, 0)
    assert [(r.on_duty, r.paused) for r in (one, two, three)] == [(2, 0), (1, 1), (1, 0)]
    assert [r.asked_24h for r in (one, two, three)] == [1, 2, 0]
    assert [r.unit for r in (one, two, three)] == units()


async def test_the_rows_of_units_can_be_a_few(town: Town) -> None:
    """Unknown ids are no rows; asked is the last day's."""
    await town.open([TWO])
    town.clock.advance(24 * 3600)
    rows = await town.store.unit_rows(town.clock.now(), [TWO, UnitId("u404")])
    assert [(r.unit.id, r.offers, r.asked_24h) for r in rows] == [(TWO, 1, 0)]


async def test_a_lapsed_offer_does_not_ring(town: Town) -> None:
    """It may still be answered, and is no open one."""
    case = await town.open()
    town.clock.advance(21)
    await town.act(case, Wake())
    (row,) = await town.store.unit_rows(town.clock.now(), [ONE])
    assert (row.open_offers, row.asked_24h) == (0, 1)
