"""Commands of phones: carried out once, answered the same, over a real store."""

import pytest
from msgspec.structs import replace

from schemas import wire
from schemas.base import ms
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


async def test_the_same_command_hears_the_same_answer(station: Station) -> None:
    """Its acknowledgement may differ; its payload may not."""
    case = await station.open()
    offer = case.offers[0]
    yes = station.yes(offer.id, "0" * 16)
    first = await station.say(offer.unit_id, yes)
    again = await station.say(offer.unit_id, replace(yes, ack=1))
    other = await station.say(offer.unit_id, replace(yes, r=wire.Answer.DECLINE))
    assert isinstance(first, wire.Ok)
    assert again == first
    assert isinstance(other, wire.Err)
    assert other.code is wire.ErrorCode.ID_REUSE
    assert len(await sql(station.dsn, "select id from assignment")) == 1


async def test_a_refusal_is_heard_again(station: Station) -> None:
    """What is not there stays not there for this id; another id asks anew."""
    unit_id = station.issued[0].unit
    gone = wire.OfferSeen(id="0" * 16, oid="404")
    first = await station.say(unit_id, gone)
    assert isinstance(first, wire.Err)
    assert (first.code, first.path) == (wire.ErrorCode.NOT_FOUND, "oid")
    kept = await sql(station.dsn, "select status from reply where id = $1", gone.id)
    assert [row["status"] for row in kept] == [409]
    late = await station.say(unit_id, wire.AssignSeen(id="1" * 16, aid="404", rev=1))
    assert isinstance(late, wire.Err)
    assert late.path == "aid"


async def test_a_units_own_offer_only_can_be_answered(station: Station) -> None:
    """Another unit's is as unknown as one that never was."""
    case = await station.open()
    told = await station.say(case.offers[0].unit_id, station.yes(case.offers[1].id))
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.NOT_FOUND


async def test_a_task_is_followed_step_by_step(station: Station) -> None:
    """Seen, accepted, seen, on the way, there, controlled, settled."""
    case = await station.open()
    offer = case.offers[0]
    seen = wire.OfferSeen(id=station.clock.new_id(), oid=offer.id)
    assert isinstance(await station.say(offer.unit_id, seen), wire.Ok)
    told = await station.accept(case)
    assert isinstance(told, wire.Ok)
    aid = told.result["aid"]
    task_seen = wire.AssignSeen(id=station.clock.new_id(), aid=aid, rev=1)
    assert isinstance(await station.say(offer.unit_id, task_seen), wire.Ok)
    for reached in ("en_route", "arrived", "controlled", "resolved"):
        station.clock.advance(10)
        step = wire.Progress(
            id=station.clock.new_id(),
            aid=aid,
            s=wire.Reached(reached),
            at=ms(station.clock.now()),
            note="到了",
        )
        answer = await station.say(offer.unit_id, step)
        assert isinstance(answer, wire.Ok)
        assert answer.result["s"] == reached
    assert (await station.case(case.incident.id)).incident.status == "resolved"
    late = wire.Progress(
        id=station.clock.new_id(), aid=aid, s=wire.Reached.ARRIVED, at=ms(station.clock.now())
    )
    answer = await station.say(offer.unit_id, late)
    assert isinstance(answer, wire.Ok)
    assert answer.result["late"] is True


async def test_a_declined_offer_is_replaced(station: Station) -> None:
    """In the same decision."""
    case = await station.open()
    offer = case.offers[0]
    no = replace(station.yes(offer.id), r=wire.Answer.DECLINE, why="在忙")
    assert isinstance(await station.say(offer.unit_id, no), wire.Ok)
    states = [o.state for o in (await station.case(case.incident.id)).offers]
    assert states == ["declined", "open", "open", "open"]


async def test_an_answer_that_comes_too_late_is_told_why(station: Station) -> None:
    """The reason is one a person can be shown."""
    case = await station.open()
    await station.cancel(case)
    told = await station.accept(case)
    assert isinstance(told, wire.Err)
    assert (told.code, told.st) == (wire.ErrorCode.CANCELLED, "cancelled")


async def test_without_the_store_a_command_is_to_be_tried_again(start: Start, line: Line) -> None:
    """Whatever it is; nothing of it is kept."""
    station = await start(line.dsn)
    phone = await station.anybody()
    await line.cut()
    for frame in (
        station.clock_out(),
        wire.OfferSeen(id="0" * 16, oid="404"),
    ):
        told = await station.say(phone.unit_id, frame)
        assert isinstance(told, wire.Err)
        assert (told.code, told.retry_ms) == (wire.ErrorCode.OVERLOADED, 1000)
    await line.mend()
    assert await sql(station.dsn, "select id from reply") == []


async def test_a_refusal_that_could_not_be_kept_is_told_all_the_same(
    start: Start, line: Line
) -> None:
    """It changed nothing, so asking again is safe."""
    station = await start(line.dsn)
    unit_id = station.issued[0].unit
    gone = wire.OfferSeen(id="0" * 16, oid="404")
    line.lose_answer_to(b'"not_found"')
    told = await station.say(unit_id, gone)
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.NOT_FOUND
