"""What every store promises the desk, tried on each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from dispatch.core.commands import (
    Cancel,
    CloseFile,
    Decline,
    Report,
    Resolve,
    SeeOffer,
    UnitGone,
    Wake,
)
from dispatch.core.events import Entry, Event
from dispatch.ports import (
    AlreadyAnswered,
    Cursor,
    DutyChange,
    Loaded,
    Logged,
    Sealed,
    StaleCase,
    UnitTaken,
)
from dispatch.store.memory import MemoryStore
from dispatch.store.postgres import PostgresStore
from dispatch.store.registry import IssuedDevice, registry
from schemas.base import DeviceId, IncidentId, MemberId, UnitId
from schemas.incident import Case
from schemas.unit import Duty, Position, Unit
from schemas.wire import AssignUpdate, Reached
from tests.contract.town import (
    DUTIES,
    KEY,
    NO,
    OFF,
    OK,
    ON,
    ONE,
    PAUSED,
    THREE,
    TWO,
    Town,
    devices,
    frames,
    members,
    once,
    places,
    units,
)
from tests.fakes import ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]
STORES = [pytest.param("memory"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest) -> str | None:
    """Where the store is: a database of the test's own, or nowhere but in memory."""
    address: str | None = (
        request.getfixturevalue("database") if request.param == "postgres" else None
    )
    return address


@pytest_asyncio.fixture
async def town(address: str | None) -> AsyncIterator[Town]:
    """Three units with their phones in a store."""
    if address is None:
        memory = await _in_memory()
        yield Town(memory, memory.put_units)
        return
    await _register(address)
    store = await PostgresStore.open(address)

    async def register(units: Sequence[Unit]) -> None:
        async with registry(address) as known:
            await known.put_units(units)

    yield Town(store, register)
    await store.close()


async def _in_memory() -> MemoryStore:
    store = MemoryStore(ManualClock().now)
    await store.put_jurisdictions(places())
    await store.put_units(units())
    await store.put_members(members())
    await store.put_devices(devices())
    await store.put_keys([KEY])
    return store


async def _register(dsn: str) -> None:
    async with registry(dsn) as known:
        await known.put_jurisdictions(places())
        await known.put_units(units())
        await known.put_members(members())
        await known.put_devices(
            [
                IssuedDevice(
                    id=d.id, unit_id=d.unit_id, member_id=d.member_id, token_hash=d.token_hash
                )
                for d in devices()
            ]
        )
        await known.put_key(KEY.id, KEY.name, KEY.role, KEY.juris, KEY.hash)


# Loading and committing. -------------------------------------------------------------------------


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
        decision = town.decision(case, _step(town, case, reached))
        await town.commit(decision)
        case = await town.case(case.incident.id)
        assert case == decision.case


async def test_an_answer_is_kept_with_its_effect(town: Town) -> None:
    """A retry reads what the first was told; another payload under the id is told apart."""
    decision = town.opening()
    await town.store.commit(decision, once("c1"), OK, town.clock.now())
    again = await town.store.load(decision.case.incident.id, once("c1"))
    other = await town.store.load(decision.case.incident.id, once("c1", b"other"))
    assert again.answer is not None
    assert (again.answer.status, _body(again), again.same_payload) == (200, {"t": "ok"}, True)
    assert (_body(other), other.same_payload) == ({"t": "ok"}, False)


async def test_a_command_is_answered_once(town: Town) -> None:
    """The second commit under one id writes nothing at all."""
    first, second = town.opening(), town.opening([TWO])
    await town.store.commit(first, once("c1"), OK, town.clock.now())
    with pytest.raises(AlreadyAnswered):
        await town.store.commit(second, once("c1"), NO, town.clock.now())
    assert (await town.store.load(second.case.incident.id, None)).case is None
    assert _body(await town.store.load(None, once("c1"))) == {"t": "ok"}
    assert await town.mail("d3") == []


async def test_a_refusal_is_remembered_once(town: Town) -> None:
    """The first answer under an id stays."""
    await town.store.remember(once("c1"), NO, town.clock.now())
    await town.store.remember(once("c1", b"other"), OK, town.clock.now())
    kept = await town.store.load(None, once("c1"))
    assert (_body(kept), kept.same_payload) == ({"t": "err"}, True)


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


# A unit has one task. ----------------------------------------------------------------------------


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


# Mail. -------------------------------------------------------------------------------------------


async def test_each_phone_has_a_stream_of_its_own(town: Town) -> None:
    """Seqs start at 1 and grow by one; what was sealed is what waits."""
    sealed: list[Sealed] = []
    for _ in range(3):
        sealed += await town.commit(town.opening([ONE, TWO]))
    mine = [s for s in sealed if s.device_id == "d1"]
    waiting = await town.mail("d1")
    assert [s.seq for s in mine] == [row.seq for row in waiting] == [1, 2, 3]
    assert frames(waiting) == [s.mail.frame for s in mine]
    assert [s.seq for s in sealed if s.device_id == "d3"] == [1, 2, 3]
    heads = {i.device_id: i.head for _, i in await town.store.identities()}
    assert heads == {"d1": 3, "d2": 3, "d3": 3, "d4": 0, "d5": 0, "d6": 0}


async def test_streams_have_no_gap_when_many_write_at_once(town: Town) -> None:
    """Twelve incidents opened at the same time give each phone 1 to 12, and nothing else."""
    units_ = [[ONE, TWO], [TWO, ONE]] * 6
    done = await asyncio.gather(*(town.commit(town.opening(asks)) for asks in units_))
    for device in ("d1", "d2", "d3"):
        seqs = sorted(s.seq for sealed in done for s in sealed if s.device_id == device)
        assert seqs == list(range(1, 13))
        assert [row.seq for row in await town.mail(device)] == seqs


async def test_mail_is_read_from_a_seq_on_a_few_at_a_time(town: Town) -> None:
    """After and limit are kept; the row carries the moment of the decision."""
    for _ in range(4):
        await town.open()
    page = await town.mail("d1", after=1, limit=2)
    assert [row.seq for row in page] == [2, 3]
    assert {row.at for row in page} == {town.clock.now()}
    assert await town.mail("d404") == []


async def test_an_offer_waits_until_its_hard_end(town: Town) -> None:
    """Five minutes later nobody needs to be asked."""
    await town.open()
    town.clock.advance(299)
    assert await town.tags("d1") == ["offer"]
    town.clock.advance(1)
    assert await town.tags("d1") == []


async def test_an_offer_rings_the_phones_on_duty(town: Town) -> None:
    """A paused member is not rung up, nor one at home."""
    sealed = await town.commit(town.opening([ONE, TWO, THREE]))
    assert [s.device_id for s in sealed] == ["d1", "d2", "d3", "d5"]


async def test_a_task_is_told_to_paused_members_too(town: Town) -> None:
    """The task is the whole unit's; at home nobody hears of it."""
    case = await town.open([TWO, THREE])
    await town.accept(case, TWO)
    assert await town.tags("d4") == ["assign", "offer.end"]
    assert await town.tags("d6") == []


async def test_who_was_told_hears_the_end(town: Town) -> None:
    """A member who went home after the offer learns that it is over."""
    case = await town.open([ONE, TWO])
    await town.clock_in(2, OFF)
    await town.clock_in(3, PAUSED)
    await town.act(case, Cancel(why="误报"))
    assert [await town.tags(d) for d in ("d1", "d2", "d3", "d4")] == [["offer.end"]] * 4


async def test_who_said_so_is_not_told(town: Town) -> None:
    """The phone that answered has its answer; its colleague's stops ringing."""
    case = await town.open()
    await town.accept(case, device="d1")
    assert await town.tags("d1") == ["offer", "assign"]
    assert await town.tags("d2") == ["assign", "offer.end"]


async def test_an_end_makes_what_it_ends_needless(town: Town) -> None:
    """A phone that was away reads the end only; what it had is not touched."""
    case = await town.open()
    await town.told("d1", 1)
    await town.act(case, Cancel(why="误报"))
    assert [row.seq for row in await town.mail("d1")] == [2]
    assert [row.seq for row in await town.mail("d2")] == [2]


async def test_an_update_makes_the_one_before_it_needless(town: Town) -> None:
    """The task stays, of its updates the newest waits; the end of the task takes all."""
    case = await town.accept(await town.open(), device="d1")
    for reached in (Reached.EN_ROUTE, Reached.ARRIVED):
        case = await town.act(case, _step(town, case, reached), device="d1")
    assert await town.tags("d2") == ["assign", "offer.end", "assign.update"]
    newest = frames(await town.mail("d2"))[-1]
    assert isinstance(newest, AssignUpdate)
    assert newest.s == "arrived"
    await town.act(case, Resolve())
    assert await town.tags("d2") == ["offer.end", "assign.end"]


async def test_offers_of_two_incidents_do_not_touch_each_other(town: Town) -> None:
    """Superseding is about one offer or one task."""
    await town.open()
    await town.act(await town.open(), Cancel(why="误报"))
    assert await town.tags("d1") == ["offer", "offer.end"]


# Acknowledgements. -------------------------------------------------------------------------------


async def test_what_is_acknowledged_waits_no_more(town: Town) -> None:
    """Up to the seq, for that phone."""
    await town.open()
    await town.open()
    await town.told("d1", 1)
    assert [row.seq for row in await town.mail("d1")] == [2]
    assert [row.seq for row in await town.mail("d2")] == [1, 2]


async def test_the_first_delivery_of_an_offer_is_a_fact(town: Town) -> None:
    """It is logged once, whichever phone was first, and stands in the offer."""
    case = await town.open()
    town.clock.advance(1)
    at = town.clock.now()
    await town.told("d2", 1)
    town.clock.advance(1)
    await town.told("d1", 1)
    await town.told("d2", 1)
    now = await town.case(case.incident.id)
    log = await town.store.timeline(case.incident.id, 0, 100)
    delivered = [entry for entry in log if entry.type is Event.DELIVERED]
    assert delivered == [
        Entry(
            type=Event.DELIVERED,
            by="device",
            via="app",
            at=at,
            unit_id=ONE,
            data={"offer": case.offers[0].id},
            n=len(log),
        )
    ]
    assert now.offers[0].delivered_at == at
    assert now.incident.version == case.incident.version


async def test_deliveries_are_numbered_with_the_decisions(town: Town) -> None:
    """Numbers have no gap, whoever wrote the entry."""
    case = await town.open([ONE, TWO])
    other = await town.open([TWO])
    await town.store.acknowledge({DeviceId("d1"): 1, DeviceId("d3"): 2}, town.clock.now())
    await town.accept(case)
    for each, count in ((case, 2), (other, 1)):
        events = await town.events(each)
        assert [n for n, _ in events] == list(range(1, len(events) + 1))
        assert [t for _, t in events].count("offer_delivered") == count


async def test_a_decision_made_before_the_delivery_does_not_lose_it(town: Town) -> None:
    """Delivered and seen are facts beside the state: the later writer keeps both."""
    case = await town.open()
    seen = town.decision(case, SeeOffer(unit_id=ONE, offer_id=case.offers[0].id))
    await town.told("d1", 1)
    await town.commit(seen)
    offer = (await town.case(case.incident.id)).offers[0]
    assert (offer.delivered_at, offer.seen_at) == (town.clock.now(), town.clock.now())


async def test_deliveries_and_decisions_at_once_lose_nothing(town: Town) -> None:
    """Acknowledgements race with acceptances of the same incidents: all are there afterwards."""
    cases = [await town.open([ONE, TWO, THREE]) for _ in range(6)]
    acks = [{DeviceId(d): n} for n in range(1, 7) for d in ("d1", "d3", "d5")]
    tries: list[Any] = [town.store.acknowledge(a, town.clock.now()) for a in acks]
    gone = UnitGone(unit_id=THREE, engaged=False)
    tries += [town.commit(town.decision(case, gone)) for case in cases]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [d for d in done if isinstance(d, BaseException)] == []
    for case in cases:
        events = await town.events(case)
        assert [n for n, _ in events] == list(range(1, len(events) + 1))
        assert [t for _, t in events].count("offer_delivered") == 3


async def test_an_acknowledgement_never_goes_back(town: Town) -> None:
    """Nor above what was ever given; an unknown phone's is nothing."""
    await town.open()
    await town.open()
    for seq in (2, 1, 99):
        await town.store.acknowledge({DeviceId("d1"): seq, DeviceId("d404"): 1}, town.clock.now())
        identity = await town.store.identify(b"\x01" * 32)
        assert identity is not None
        assert (identity.acked, identity.head) == (2, 2)
    await town.open()
    assert [row.seq for row in await town.mail("d1")] == [3]


# Clocks of cases. --------------------------------------------------------------------------------


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
    await town.act(own, _step(town, own, Reached.EN_ROUTE))
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


# Duty. -------------------------------------------------------------------------------------------


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
    assert _body(await town.store.load(None, once("c1"))) == {"t": "ok"}


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


# Reading. ----------------------------------------------------------------------------------------


async def test_a_timeline_is_read_in_pages(town: Town) -> None:
    """Oldest first, numbered from 1 without gaps, with what was decided."""
    decision = town.opening([ONE, TWO])
    await town.commit(decision)
    incident_id = decision.case.incident.id
    whole = await town.store.timeline(incident_id, 0, 100)
    assert [replace(entry, n=0) for entry in whole] == [_as_json(e) for e in decision.entries]
    assert [entry.n for entry in whole] == list(range(1, len(whole) + 1))
    assert await town.store.timeline(incident_id, 1, 2) == whole[1:3]
    assert await town.store.timeline(incident_id, len(whole), 2) == []
    assert await town.store.timeline(IncidentId("i404"), 0, 2) == []


async def test_incidents_are_read_in_pages_newest_first(town: Town) -> None:
    """The last of a page names where the next begins."""
    ids = [(await town.open([])).incident.id for _ in range(5)]
    page = await town.store.incidents("gz", [], None, 2)
    rest = await town.store.incidents("gz", [], page[-1].id, 10)
    assert [i.id for i in page + rest] == ids[::-1]
    assert page[0] == (await town.case(ids[-1])).incident


async def test_incidents_can_be_of_some_statuses(town: Town) -> None:
    """None named is all."""
    await town.open([ONE])
    await town.act(await town.open([TWO]), Cancel(why="误报"))
    await town.open([])
    assert [i.status for i in await town.store.incidents("gz", [], None, 9)] == [
        "open",
        "cancelled",
        "dispatching",
    ]
    some = await town.store.incidents("gz", ["open", "cancelled"], None, 9)
    assert [i.status for i in some] == ["open", "cancelled"]


async def test_a_scope_ends_at_a_label(town: Town) -> None:
    """gz.hp holds gz.hp and what lies under it, never gz.hpx."""
    paths = ("gz", "gz.hp", "gz.hp.xg", "gz.hp0", "gz.hpx", "gz.hpx.a", "gz.ho.hp", "h.gz.hp")
    for path in paths:
        await town.open([], juris=path)

    async def under(scope: str) -> set[str]:
        return {i.juris for i in await town.store.incidents(scope, [], None, 99)}

    assert await under("gz.hp") == {"gz.hp", "gz.hp.xg"}
    assert await under("gz.hpx") == {"gz.hpx", "gz.hpx.a"}
    assert await under("gz") == set(paths) - {"h.gz.hp"}
    assert await under("gz.h") == set()


async def test_active_cases_are_those_not_over(town: Town) -> None:
    """What a process needs to go on after a start, whole."""
    waiting = await town.open([])
    asked = await town.open([ONE])
    held = await town.accept(await town.open([TWO]), TWO)
    await town.act(await town.open([THREE]), Cancel(why="误报"))
    there = await town.accept(await town.open([THREE]), THREE)
    there = await town.act(there, _step(town, there, Reached.ARRIVED))
    await town.act(await town.act(there, Resolve()), CloseFile(result="done"))
    assert await town.store.active_cases() == [waiting, asked, held]


async def test_an_offer_and_a_task_name_their_incident(town: Town) -> None:
    """What is not known names none."""
    case = await town.accept(await town.open())
    offer, task = case.offers[0].id, case.assignments[0].id
    assert await town.store.incident_of(offer=offer) == case.incident.id
    assert await town.store.incident_of(assignment=task) == case.incident.id
    assert await town.store.incident_of(offer=task) is None
    assert await town.store.incident_of(assignment=offer) is None


async def test_a_declined_offer_is_counted_and_not_a_yes(town: Town) -> None:
    """The unit's own acceptance rate is made of both."""
    case = await town.open()
    await town.act(case, Decline(unit_id=ONE, offer_id=case.offers[0].id, why="在忙"))
    (row,) = await town.store.unit_rows(town.clock.now(), [ONE])
    assert (row.offers, row.accepts, row.open_offers) == (1, 0, 0)


async def test_a_position_never_goes_back(town: Town) -> None:
    """An older one is not written over a newer one; each unit has one."""
    newer = Position(unit_id=ONE, lon=113.5, lat=23.25, acc_m=8.0, at=town.clock.now())
    older = replace(newer, lon=113.0, at=newer.at - timedelta(seconds=1))
    await town.store.checkpoint([newer, replace(older, unit_id=TWO)])
    await town.store.checkpoint([older, replace(newer, unit_id=TWO)])
    await town.store.checkpoint([replace(newer, lon=113.0)])
    await town.store.checkpoint([])
    rows = await town.store.unit_rows(town.clock.now())
    assert [r.position for r in rows] == [newer, replace(newer, unit_id=TWO), None]


async def test_crews_are_read_without_their_numbers(town: Town) -> None:
    """All, or those of some units, by unit and id."""
    named = [replace(member, tel="") for member in members()]
    assert await town.store.crews() == named
    assert await town.store.crews([THREE, ONE]) == named[:2] + named[4:]


async def test_phones_are_known_by_the_hash_of_their_token(town: Town) -> None:
    """A look-up of another says no."""
    identity = await town.store.identify(b"\x03" * 32)
    assert identity is not None
    assert (identity.device_id, identity.unit_id, identity.member_id) == ("d3", TWO, "m3")
    assert (identity.juris, identity.head, identity.acked) == ("gz.hp", 0, 0)
    assert await town.store.identify(b"\x09" * 32) is None
    assert dict(await town.store.identities())[b"\x03" * 32] == identity
    assert len(await town.store.identities()) == 6


async def test_keys_in_force_are_read(town: Town) -> None:
    """With what they may do, by their hash."""
    assert await town.store.keys() == [KEY]


async def test_jurisdictions_are_read_by_path(town: Town) -> None:
    """With their ground."""
    city, district = await town.store.jurisdictions()
    assert [(j.path, j.name) for j in (city, district)] == [("gz", "广州"), ("gz.hp", "黄埔")]
    assert district.polygon.equals(places()[0].polygon)


async def test_what_is_registered_has_a_number_that_grows(town: Town) -> None:
    """With a unit that changed; never with a decision, a message or a duty."""
    before = await town.store.registered()
    case = await town.accept(await town.open())
    await town.told("d1", 2)
    await town.clock_in(2, OFF)
    await town.act(case, Cancel(why="误报"))
    assert await town.store.registered() == before
    one, *_ = units()
    await town.register([replace(one, name="新名")])
    assert await town.store.registered() > before
    (row,) = await town.store.unit_rows(town.clock.now(), [ONE])
    assert (row.unit.name, row.offers) == ("新名", 1)


async def test_the_log_is_read_by_cursor(town: Town) -> None:
    """Every line once, an incident's in its order, duties too; a cursor names where one was."""
    case = await town.open()
    await town.clock_in(2, OFF)
    await town.told("d1", 1)
    whole = await _whole_log(town, 1 + len(await town.events(case)))
    mine = [line.entry for line in whole if line.incident_id == case.incident.id]
    assert mine == await town.store.timeline(case.incident.id, 0, 100)
    (duty,) = [line.entry for line in whole if line.incident_id is None]
    assert (duty.type, duty.by, duty.unit_id, duty.n) == (Event.DUTY, "m2", ONE, 0)
    assert duty.data == {"wanted": "off", "duty": "off"}
    assert await town.store.events(whole[1].cursor, 2) == whole[2:4]
    assert await town.store.events(whole[-1].cursor, 2) == []


async def test_a_day_later_answers_and_settled_mail_are_forgotten(town: Town) -> None:
    """What waits and is not over stays; a limit is kept."""
    await town.store.remember(once("c1"), OK, town.clock.now())
    await town.store.remember(once("c2"), OK, town.clock.now())
    case = await town.accept(await town.open(), device="d1")
    await town.told("d1", 1)
    town.clock.advance(24 * 3600 - 1)
    assert await town.store.forget(town.clock.now(), 100) == 0
    town.clock.advance(2)
    await town.store.remember(once("c3"), OK, town.clock.now())
    await town.open([THREE])
    assert await town.store.forget(town.clock.now(), 1) == 2
    assert await town.store.forget(town.clock.now(), 100) == 1 + 4
    assert await town.store.forget(town.clock.now(), 100) == 0
    loaded = [await town.store.load(None, once(f"c{n}")) for n in (1, 2, 3)]
    assert [each.answer is None for each in loaded] == [True, True, False]
    assert [row.seq for row in await town.mail("d5")] == [1]
    await town.act(case, Cancel(why="误报"))
    assert [row.seq for row in await town.mail("d2")] == [4]


async def test_a_whole_life_breaks_no_invariant(town: Town) -> None:
    """Asked, accepted, there, settled; and one that was called off."""
    there = await town.accept(await town.open([ONE, TWO]))
    there = await town.act(there, _step(town, there, Reached.ARRIVED))
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
    now = await town.store.now()
    assert now.utcoffset() == timedelta(0)
    assert await town.store.now() >= now
    assert await town.store.epoch() == await town.store.epoch() != ""


async def _whole_log(town: Town, lines: int) -> list[Logged]:
    """Return the log once it is so long: a line is read when all that runs is above it."""
    for _ in range(100):
        whole = await town.store.events(Cursor(), 1000)
        if len(whole) >= lines:
            break
        await asyncio.sleep(0.05)
    assert len(whole) == lines
    return whole


def _step(town: Town, case: Case, reached: Reached) -> Report:
    task = case.assignments[0]
    return Report(unit_id=task.unit_id, task_id=task.id, reached=reached, at=town.clock.now())


def _body(loaded: Loaded) -> Any:
    assert loaded.answer is not None
    return msgspec.json.decode(loaded.answer.body)


def _as_json(entry: Entry) -> Entry:
    return replace(entry, data=msgspec.json.decode(msgspec.json.encode(entry.data)))
