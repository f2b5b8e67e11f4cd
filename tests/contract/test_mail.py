"""What every store promises of frames for phones, tried on each of them."""

import asyncio
from typing import Any

import pytest

from dispatch.core.commands import Cancel, Resolve, SeeOffer, UnitGone
from dispatch.core.events import Entry, Event
from dispatch.ports import Sealed
from schemas.base import DeviceId
from schemas.wire import AssignUpdate, Reached
from tests.contract.town import OFF, ONE, PAUSED, THREE, TWO, Town, frames, step

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


# Mail. --------------------------------------------------------------------------------------------


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
        case = await town.act(case, step(town, case, reached), device="d1")
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


# Acknowledgements. --------------------------------------------------------------------------------


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
