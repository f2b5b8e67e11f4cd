"""The desk: load, decide, commit, apply, send; over a real store."""

import asyncio

import asyncpg
import msgspec
import pytest

from dispatch.core.errors import Conflict, IdReuse
from dispatch.store import statements as sql_of
from dispatch.store.ledger import ledger
from schemas import wire
from schemas.incident import Case, OfferState, Status
from schemas.rest import NeedBody
from schemas.unit import Capability, UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import DISPATCHER, Station, sql, view
from tests.fakes import START, ManualClock

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
ASSIGNED = "select unit_id, incident_id from assignment where ended_at is null"


# A decision. --------------------------------------------------------------------------------------


async def test_an_incident_is_opened_and_units_are_asked(station: Station) -> None:
    """The answer is the case on disk; its offers were handed to phones after the commit."""
    outcome = await station.answered(station.body())
    told = view(outcome)
    case = await station.case(told.id)
    assert (outcome.answer.status, outcome.replayed) == (201, False)
    assert (told.status, told.version, len(told.offers)) == (Status.DISPATCHING, 1, 3)
    assert [o.id for o in told.offers] == [o.id for o in case.offers]
    assert station.desk.board.case(case.incident.id) == case
    assert {s.mail.ref for s in station.lane.pushed} == {o.id for o in case.offers}
    states = {station.desk.fleet.state(o.unit_id) for o in case.offers}
    assert states == {UnitState.OFFERED}


async def test_a_decision_is_two_round_trips(station: Station) -> None:
    """The load and the commit, whoever asks for it; what is opened has nothing to be loaded."""
    outcome = await station.answered(station.body(), station.once("c1"))
    assert station.statements == [sql_of.COMMIT]
    await station.answered(station.body(), station.once("c1"))
    assert station.statements == [sql_of.COMMIT, sql_of.COMMIT, sql_of.LOAD]
    offer = view(outcome).offers[0]
    await station.phone(offer.unit_id)
    station.statements.clear()
    assert isinstance(await station.say(offer.unit_id, station.yes(offer.id)), wire.Ok)
    assert station.statements == [sql_of.LOAD, sql_of.COMMIT]
    await station.open(50)
    station.clock.advance(20)
    station.statements.clear()
    await station.desk.tick((await station.store.claim_due(1, station.clock.now()))[0])
    assert station.statements == [sql_of.CLAIM_DUE, sql_of.LOAD, sql_of.COMMIT]


async def test_what_is_pushed_is_what_waits_on_disk(station: Station) -> None:
    """Frame by frame, phone by phone, under the same seq."""
    case = await station.open()
    await station.accept(case)
    await station.cancel(case)
    rows = await sql(
        station.dsn, "select device_id, seq, frame::text as frame from outbox order by 1, 2"
    )
    pushed = sorted(station.lane.pushed, key=lambda s: (s.device_id, s.seq))
    assert [(s.device_id, s.seq) for s in pushed] == [(r["device_id"], r["seq"]) for r in rows]
    decode = msgspec.json.Decoder(wire.ReliableFrame).decode
    assert [s.mail.frame for s in pushed] == [decode(r["frame"]) for r in rows]
    assert len(pushed) >= 5


async def test_nothing_is_visible_when_the_commit_fails(station: Station) -> None:
    """No frame leaves, no unit counts as asked, the board does not know the incident."""
    await sql(station.dsn, "alter table outbox add constraint full_disk check (seq < 0)")
    with pytest.raises(asyncpg.CheckViolationError):
        await station.answered(station.body(), station.once("c1"))
    assert station.lane.pushed == []
    assert len(station.desk.board) == 0
    assert station.desk.fleet.busy() == []
    assert await sql(station.dsn, "select id from incident") == []
    await sql(station.dsn, "alter table outbox drop constraint full_disk")
    outcome = await station.answered(station.body(), station.once("c1"))
    assert (outcome.replayed, len(station.lane.pushed)) == (False, 3)


async def test_a_retried_command_is_answered_the_same(station: Station) -> None:
    """It happens once; the second answer says so."""
    first = await station.answered(station.body(), station.once("c1"))
    pushed = len(station.lane.pushed)
    again = await station.answered(station.body(), station.once("c1"))
    assert again.replayed
    assert view(again) == view(first)
    assert again.answer.status == 201
    assert len(await sql(station.dsn, "select id from incident")) == 1
    assert len(station.lane.pushed) == pushed


async def test_a_command_id_names_one_payload(station: Station) -> None:
    """Another under the same id is refused, and nothing happens."""
    await station.answered(station.body(), station.once("c1"))
    with pytest.raises(IdReuse):
        await station.answered(station.body(5), station.once("c1", b"other"))
    assert len(await sql(station.dsn, "select id from incident")) == 1


async def test_one_command_sent_eight_times_at_once_happens_once(station: Station) -> None:
    """Seven hear the answer of the one; also where the source numbers its incidents."""
    for command, body in (
        ("c1", station.body()),
        ("c2", station.body(source="110", ext_id="A7")),
    ):
        tries = [station.answered(body, station.once(command)) for _ in range(8)]
        told = await asyncio.gather(*tries)
        assert len({view(outcome).id for outcome in told}) == 1
        assert sum(not outcome.replayed for outcome in told) == 1


async def test_a_source_numbers_an_incident_once(station: Station) -> None:
    """The same number under another command id is a conflict."""
    await station.answered(station.body(source="110", ext_id="A7"))
    with pytest.raises(Conflict, match="ext_id"):
        await station.answered(station.body(source="110", ext_id="A7"))
    assert len(await sql(station.dsn, "select id from incident")) == 1


# Races. -------------------------------------------------------------------------------------------


async def test_answers_to_one_incident_at_once_are_all_heard(station: Station) -> None:
    """They follow each other: nobody is told to try again."""
    case = await station.open()
    told = await asyncio.gather(*(station.accept(case, n) for n in range(3)))
    codes = {answer.code for answer in told if isinstance(answer, wire.Err)}
    assert any(isinstance(answer, wire.Ok) for answer in told)
    assert codes <= {wire.ErrorCode.TAKEN}


async def test_two_processes_decide_one_incident_in_turn(start: Start) -> None:
    """The one that was late decides again on what the other wrote."""
    one, two = await start(), await start()
    case = await one.open()
    told = await asyncio.gather(one.accept(case, 0), two.accept(case, 1))
    assert any(isinstance(answer, wire.Ok) for answer in told)
    log = await one.desk.timeline(case.incident.id, DISPATCHER, 0, 100)
    assert [entry.n for entry in log] == list(range(1, len(log) + 1))


async def test_a_unit_two_processes_want_has_one_task(start: Start) -> None:
    """Exactly one of its two acceptances is kept; the other is told that it has a task."""
    one, two = await start(), await start()
    mine, theirs = await one.open(), await two.open()
    unit_id = mine.offers[0].unit_id
    other = next(o for o in theirs.offers if o.unit_id == unit_id)
    told = await asyncio.gather(
        one.say(unit_id, one.yes(mine.offers[0].id)), two.say(unit_id, two.yes(other.id))
    )
    (err,) = [answer for answer in told if isinstance(answer, wire.Err)]
    assert (err.code, err.st) == (wire.ErrorCode.CONFLICT, "engaged")
    assert [r["unit_id"] for r in await sql(one.dsn, ASSIGNED)] == [unit_id]
    assert unit_id in one.desk.reread | two.desk.reread


async def test_many_acceptances_at_once_never_book_a_unit_twice(
    start: Start, clock: ManualClock
) -> None:
    """Every unit is asked by two processes, and says yes to both at the same time."""
    stations = [await start(), await start()]
    cases: list[tuple[Station, Case]] = []
    for station in stations:
        opened = [await station.open(near, title=f"第 {near} 起") for near in range(0, 200, 3)]
        cases += [(station, case) for case in opened]
    asks = [(station, offer) for station, case in cases for offer in case.offers]
    assert len(asks) >= 200
    told = await asyncio.gather(*(s.say(o.unit_id, s.yes(o.id)) for s, o in asks))
    kept = [o for (_, o), answer in zip(asks, told, strict=True) if isinstance(answer, wire.Ok)]
    rows = await sql(stations[0].dsn, "select offer_id from assignment")
    assert {r["offer_id"] for r in rows} == {offer.id for offer in kept}
    held = await sql(
        stations[0].dsn,
        "select unit_id from assignment where ended_at is null group by 1 having count(*) > 1",
    )
    assert held == []
    async with ledger(stations[0].dsn, START) as book:
        assert await book.double_booked() == 0
    codes = {answer.code for answer in told if isinstance(answer, wire.Err)}
    assert codes <= {wire.ErrorCode.TAKEN, wire.ErrorCode.CONFLICT}


async def test_many_calls_at_once_are_all_taken(station: Station) -> None:
    """Two hundred, at one moment: each has its case, and each phone one stream without gaps."""
    told = await asyncio.gather(*(station.answered(station.body(n)) for n in range(200)))
    assert len({view(outcome).id for outcome in told}) == 200
    gaps = await sql(
        station.dsn,
        "select device_id from outbox group by 1 having max(seq) <> count(*) or min(seq) <> 1",
    )
    assert gaps == []


# A start. -----------------------------------------------------------------------------------------


async def test_a_process_begins_where_another_ended(start: Start) -> None:
    """The same board, the same states, the same streams and phones."""
    before = await start()
    asked, held = await before.open(), await before.open(100)
    await before.cancel(await before.open(50))
    await before.accept(held)
    after = await start()
    for case in (asked, held):
        known = after.desk.board.case(case.incident.id)
        assert known == before.desk.board.case(case.incident.id)
    assert len(after.desk.board) == 2
    for unit in before.desk.fleet:
        assert after.desk.fleet.state(unit.id) is before.desk.fleet.state(unit.id)
    for issued in before.issued:
        phone = await after.phones.identify(issued.token)
        assert after.phones.state(phone) == before.phones.state(phone)
        assert after.phones.head(issued.device) == before.phones.head(issued.device)


async def test_clocks_run_on_after_a_start(start: Start) -> None:
    """Silence is answered by a replacement, the hard end by an end, whoever asked at first."""
    before = await start()
    case = await before.open()
    first = {offer.id for offer in case.offers}
    await before.store.close()
    after = await start()
    assert await after.pass_by(20) == 1
    now = await after.case(case.incident.id)
    assert {o.state for o in now.offers if o.id in first} == {OfferState.LAPSED}
    assert len([o for o in now.offers if o.state is OfferState.OPEN]) == 3
    await after.pass_by(282)
    now = await after.case(case.incident.id)
    assert {o.state for o in now.offers if o.id in first} == {OfferState.EXPIRED}
    ended = [s.mail.ref for s in after.lane.pushed if isinstance(s.mail.frame, wire.OfferEnd)]
    assert first <= set(ended)


# Clocks. ------------------------------------------------------------------------------------------


async def test_a_unit_engaged_elsewhere_is_asked_no_more(start: Start) -> None:
    """Its other offer is withdrawn by a moment of that incident, and somebody else is asked."""
    one, two = await start(), await start()
    mine, theirs = await one.open(), await two.open()
    unit_id = mine.offers[0].unit_id
    await one.accept(mine)
    await two.pass_by(0)
    now = await two.case(theirs.incident.id)
    (gone,) = [o for o in now.offers if o.unit_id == unit_id]
    assert gone.state is OfferState.WITHDRAWN
    assert len([o for o in now.offers if o.state is OfferState.OPEN]) == 3
    assert await sql(one.dsn, "select id from due where kind <> 'wake'") == []


async def test_a_unit_whose_crew_has_left_answers_no(station: Station) -> None:
    """The last to clock out declines what it was asked; somebody else is asked."""
    case = await station.open()
    unit_id = case.offers[0].unit_id
    await station.say(unit_id, station.clock_out())
    await station.pass_by(0)
    now = await station.case(case.incident.id)
    assert next(o for o in now.offers if o.unit_id == unit_id).state is OfferState.DECLINED
    assert len([o for o in now.offers if o.state is OfferState.OPEN]) == 3
    assert station.desk.fleet.state(unit_id) is UnitState.OFF


async def test_a_unit_that_gets_free_is_looked_at_at_once(station: Station) -> None:
    """Whoever waits for units searches again, before its ten seconds are over."""
    needs = [NeedBody(capabilities=(Capability.STRETCHER,))]
    held = await station.open(needs=needs)
    await station.accept(held)
    short = await station.open(needs=needs)
    assert short.incident.shortfall is not None
    await station.cancel(held)
    assert station.desk.soon == {short.incident.id}
    await station.loops.reread_freed()
    await station.pass_by(0)
    now = await station.case(short.incident.id)
    assert held.offers[0].unit_id in {offer.unit_id for offer in now.offers}
    assert station.desk.soon == set()
