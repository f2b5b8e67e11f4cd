"""The desk: load, decide, commit, apply, send; over a real store."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from dispatch.auth import Right
from dispatch.core import commands
from dispatch.core.errors import (
    Conflict,
    Forbidden,
    IdReuse,
    Invalid,
    NotFound,
    Unavailable,
)
from dispatch.core.events import Event
from dispatch.store import statements as sql_of
from dispatch.store.ledger import ledger
from geo.datum import Datum, point_from_wgs84
from geo.point import Box, Point
from schemas import wire
from schemas.base import IncidentId, UnitId
from schemas.incident import Case, OfferState, Status
from schemas.rest import NeedBody, Place
from schemas.unit import Capability, UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import (
    DISPATCHER,
    FEED,
    REGISTRAR,
    STRANGER,
    Station,
    sql,
    view,
)
from tests.fakes import START, ManualClock

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
COMMIT_MARK = b'"entries":'
"""Only the body of a commit has this."""
ASSIGNED = "select unit_id, incident_id from assignment where ended_at is null"


# A decision. -------------------------------------------------------------------------------------


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


# Races. ------------------------------------------------------------------------------------------


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


# The store's absence. ----------------------------------------------------------------------------


async def test_a_commit_whose_answer_was_lost_is_found_again(start: Start, line: Line) -> None:
    """The command's id tells that it happened: it is answered, and does not happen twice."""
    station = await start(line.dsn)
    line.lose_answer_to(COMMIT_MARK)
    outcome = await station.answered(station.body(), station.once("c1"))
    told = view(outcome)
    assert (outcome.replayed, len(told.offers)) == (True, 3)
    assert len(await sql(station.dsn, "select id from incident")) == 1
    assert len(await sql(station.dsn, "select id from offer")) == 3


async def test_memory_knows_what_was_committed_without_an_answer(start: Start, line: Line) -> None:
    """Board, fleet and streams are as on disk, so that phones are told the truth."""
    station = await start(line.dsn)
    line.lose_answer_to(COMMIT_MARK)
    told = view(await station.answered(station.body()))
    await station.loops.reread_freed()
    case = await station.case(told.id)
    assert station.desk.board.case(case.incident.id) == case
    unit_id = case.offers[0].unit_id
    assert station.desk.fleet.state(unit_id) is UnitState.OFFERED
    phone = await station.phone(unit_id)
    assert [o.oid for o in station.phones.state(phone).offers] == [case.offers[0].id]
    assert station.phones.head(phone.device_id) == 1


async def test_an_acceptance_whose_answer_was_lost_counts_once(start: Start, line: Line) -> None:
    """The phone hears its ok; the unit has one task, in memory too."""
    station = await start(line.dsn)
    case = await station.open()
    line.lose_answer_to(COMMIT_MARK)
    assert isinstance(await station.accept(case), wire.Ok)
    assert len(await sql(station.dsn, ASSIGNED)) == 1
    await station.loops.reread_freed()
    phone = await station.phone(case.offers[0].unit_id)
    assert len(station.phones.state(phone).assigns) == 1


async def test_a_connection_killed_while_it_commits_does_no_harm(station: Station) -> None:
    """Nothing of it was written, so it is decided again, once."""
    case = await station.open()
    admin = await asyncpg.connect(station.dsn)
    async with admin.transaction():
        await admin.execute("select 1 from unit for update")
        answer = asyncio.create_task(station.accept(case))
        await _killed_while_it_waits(station.dsn, answer)
    await admin.close()
    assert isinstance(await answer, wire.Ok)
    assert [r["incident_id"] for r in await sql(station.dsn, ASSIGNED)] == [case.incident.id]
    assert len(station.desk.board.tasks_of(case.offers[0].unit_id)) == 1


async def test_without_the_store_nothing_is_promised(start: Start, line: Line) -> None:
    """A call is answered "try again" within seconds; the same id works once the store is back."""
    station = await start(line.dsn)
    case = await station.open()
    pushed = len(station.lane.pushed)
    await line.cut()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await station.answered(station.body(7), station.once("c1"))
        told = await station.say(case.offers[0].unit_id, station.yes(case.offers[0].id, "y1"))
    assert isinstance(told, wire.Err)
    assert (told.code, told.retry_ms) == (wire.ErrorCode.OVERLOADED, 1000)
    assert (len(station.lane.pushed), len(station.desk.board)) == (pushed, 1)
    assert station.desk.fleet.state(case.offers[0].unit_id) is UnitState.OFFERED
    await line.mend()
    outcome = await station.answered(station.body(7), station.once("c1"))
    assert not outcome.replayed
    again = await station.say(case.offers[0].unit_id, station.yes(case.offers[0].id, "y1"))
    assert isinstance(again, wire.Ok)


async def test_a_look_without_the_store_says_so(start: Start, line: Line) -> None:
    """What is only in the store cannot be shown; what is in memory can."""
    station = await start(line.dsn)
    case = await station.open()
    await line.cut()
    for look in (
        station.desk.case(case.incident.id, DISPATCHER),
        station.desk.incidents(DISPATCHER, status=[], before=None, limit=10),
        station.desk.timeline(case.incident.id, DISPATCHER, 0, 10),
    ):
        with pytest.raises(Unavailable):
            await look
    assert len(station.desk.units(DISPATCHER, juris=None, box=None, after=None, limit=500)) == 200


# A start. ----------------------------------------------------------------------------------------


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


# Clocks. -----------------------------------------------------------------------------------------


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


# Who may do what, and where. ---------------------------------------------------------------------


async def test_another_districts_key_finds_nothing(station: Station) -> None:
    """What lies out of scope sounds like what is not there; nothing of it changes."""
    case = await station.open()
    name = case.incident.id
    unit_id = case.offers[0].unit_id
    cancel = commands.Cancel(why="误报")
    for refused in (
        station.desk.case(name, STRANGER),
        station.desk.timeline(name, STRANGER, 0, 10),
        station.desk.act(name, cancel, STRANGER, Right.CANCEL, station.once()),
        station.desk.act(IncidentId("404"), cancel, DISPATCHER, Right.CANCEL, station.once()),
        station.desk.case(IncidentId("404"), DISPATCHER),
    ):
        with pytest.raises(NotFound):
            await refused
    for unknown, grant in ((unit_id, STRANGER), (UnitId("404"), DISPATCHER)):
        with pytest.raises(NotFound):
            station.desk.unit(unknown, grant)
    assert await station.desk.incidents(STRANGER, status=[], before=None, limit=10) == []
    assert station.desk.units(STRANGER, juris=None, box=None, after=None, limit=10) == []
    assert await station.case(name) == case


async def test_a_place_out_of_scope_is_refused(station: Station) -> None:
    """In another's jurisdiction, or outside the city."""
    with pytest.raises(Forbidden):
        await station.answered(station.body(), grant=STRANGER)
    with pytest.raises(Invalid, match="outside the city"):
        await station.answered(station.body(position=Place(lon=100.0, lat=30.0, datum=Datum.WGS84)))
    assert await sql(station.dsn, "select id from incident") == []


@pytest.mark.parametrize("datum", list(Datum))
async def test_a_place_is_taken_in_any_datum(station: Station, datum: Datum) -> None:
    """Inside it is WGS-84; as it was given is kept beside it."""
    true = Point(station.issued[0].lon, station.issued[0].lat)
    given = point_from_wgs84(true, datum)
    case = await station.open(position=Place(lon=given.lon, lat=given.lat, datum=datum))
    incident = case.incident
    assert (incident.lon, incident.lat) == pytest.approx(true, abs=1e-5)
    assert (incident.given_lon, incident.given_lat, incident.given_datum) == (*given, datum)
    assert incident.juris == station.desk.places.deepest(true).path  # type: ignore[union-attr]  # it is in the city


@pytest.mark.parametrize(("late_s", "word"), [(61, "future"), (-24 * 3600 - 1, "24 h")])
async def test_a_call_of_another_day_is_refused(station: Station, late_s: float, word: str) -> None:
    """Clocks start at the call, so its time has to be possible."""
    called_at = station.clock.now() + timedelta(seconds=late_s)
    with pytest.raises(Invalid, match=word) as refused:
        await station.answered(station.body(called_at=called_at))
    assert refused.value.path == "$.called_at"


async def test_a_call_a_little_in_the_future_came_now(station: Station) -> None:
    """A feed's clock may be off by a minute; an earlier call keeps its time."""
    soon = await station.open(called_at=station.clock.now() + timedelta(seconds=59))
    past = await station.open(50, called_at=station.clock.now() - timedelta(seconds=30))
    assert soon.incident.called_at == station.clock.now()
    assert past.incident.called_at == station.clock.now() - timedelta(seconds=30)


async def test_a_feed_reports_and_a_dispatcher_opens(station: Station) -> None:
    """What is not urgent waits for a person; what is does not."""
    for priority, status in ((3, Status.REPORTED), (1, Status.DISPATCHING)):
        outcome = await station.answered(station.body(priority=priority), grant=FEED)
        assert view(outcome).status is status
    with pytest.raises(Forbidden):
        await station.answered(station.body(), grant=REGISTRAR)


async def test_a_person_acts_with_the_right_to(station: Station) -> None:
    """The change is answered as the case it made; another role is refused."""
    told = view(await station.answered(station.body(priority=3), grant=FEED))
    triage = commands.Triage(accept=True)
    name = IncidentId(told.id)
    with pytest.raises(Forbidden):
        await station.desk.act(name, triage, FEED, Right.CHANGE_INCIDENTS, station.once())
    outcome = await station.desk.act(
        name, triage, DISPATCHER, Right.CHANGE_INCIDENTS, station.once()
    )
    assert (outcome.answer.status, view(outcome).status) == (200, Status.DISPATCHING)
    log = await station.desk.timeline(name, DISPATCHER, 0, 100)
    opened = next(entry for entry in log if entry.type is Event.OPENED)
    assert (opened.by, opened.via) == ("key:k1", "api")


async def test_a_refusal_changes_nothing(station: Station) -> None:
    """What the tables do not hold is told with the state that stands."""
    case = await station.open()
    close = commands.CloseFile(result="done")
    with pytest.raises(Conflict) as refused:
        await station.desk.act(case.incident.id, close, DISPATCHER, Right.CLOSE, station.once())
    assert refused.value.state == Status.DISPATCHING
    assert await station.case(case.incident.id) == case


# Looks. ------------------------------------------------------------------------------------------


async def test_candidates_are_shown_and_nobody_is_asked(station: Station) -> None:
    """Nothing is written, nothing is sent; those shown are those then asked."""
    tables = ("incident", "offer", "outbox", "event", "due", "reply")
    counted = " union all ".join(f"select count(*) as n from {table}" for table in tables)  # noqa: S608 - names of tables
    before = await sql(station.dsn, counted)
    shown = await station.desk.candidates(station.body(), DISPATCHER)
    assert await sql(station.dsn, counted) == before
    assert (station.lane.pushed, station.desk.fleet.busy()) == ([], [])
    case = await station.open()
    assert {c.unit_id for c in shown.candidates} == {o.unit_id for o in case.offers}
    with pytest.raises(Forbidden):
        await station.desk.candidates(station.body(), FEED)


async def test_units_are_shown_in_pages(station: Station) -> None:
    """By id; of a jurisdiction, of a box, or all of the scope."""
    page = station.desk.units(DISPATCHER, juris=None, box=None, after=None, limit=120)
    rest = station.desk.units(
        DISPATCHER, juris=None, box=None, after=UnitId(page[-1].id), limit=120
    )
    shown = page + rest
    assert [u.id for u in shown] == sorted(p.unit for p in station.issued)
    juris = shown[0].jurisdiction
    some = station.desk.units(DISPATCHER, juris=juris, box=None, after=None, limit=500)
    assert {u.id for u in some} == {u.id for u in shown if u.jurisdiction.startswith(juris)}
    box = Box.around(Point(station.issued[0].lon, station.issued[0].lat), 150.0)
    near = station.desk.units(DISPATCHER, juris=None, box=box, after=None, limit=500)
    assert station.issued[0].unit in {u.id for u in near}
    assert all(box.contains(Point(u.position.lon, u.position.lat)) for u in near)
    assert station.desk.unit(UnitId(near[0].id), DISPATCHER) == near[0]


async def test_incidents_are_shown_newest_first(station: Station) -> None:
    """In pages, by status."""
    cases = [await station.open(near) for near in (0, 50, 100)]
    await station.cancel(cases[1])
    page = await station.desk.incidents(DISPATCHER, status=[], before=None, limit=2)
    rest = await station.desk.incidents(DISPATCHER, status=[], before=page[-1].id, limit=2)
    assert [i.id for i in page + rest] == [case.incident.id for case in cases][::-1]
    off = await station.desk.incidents(DISPATCHER, status=["cancelled"], before=None, limit=9)
    assert [i.id for i in off] == [cases[1].incident.id]


async def test_a_desk_says_what_holds_it_up(station: Station) -> None:
    """Each part by name."""
    assert all(station.desk.ready().values())
    station.desk.store_answers = False
    station.desk.alive = lambda: False
    ready = station.desk.ready()
    assert (ready["store"], ready["clocks"]) == (False, False)


async def test_without_phones_frames_wait_in_the_outbox(station: Station) -> None:
    """A process that has no sockets decides as well as any other."""
    lone = type(station.desk)(
        store=station.store,
        clock=station.clock,
        fleet=station.desk.fleet,
        board=station.desk.board,
        roster=station.desk.roster,
        keyring=station.desk.keyring,
        metrics=station.metrics,
    )
    await lone.recover()
    await lone.open(station.body(), DISPATCHER, station.once(), station.clock.now())
    lone._outbound.close_unit(UnitId("u1"), 4006)
    lone._outbound.close_device(station.issued[0].device, 4002)
    assert len(await sql(station.dsn, "select seq from outbox")) == 3
    assert station.lane.pushed == []


async def _killed_while_it_waits(dsn: str, answer: asyncio.Task[wire.Ok | wire.Err]) -> None:
    """End the connection that waits for a lock in the middle of a commit."""
    kill = (
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
        " and query like 'select commit_decision%' and datname = current_database()"
    )
    watcher = await asyncpg.connect(dsn)
    for _ in range(1000):
        if await watcher.fetch(kill):
            break
        assert not answer.done(), answer.result()
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("nothing waits")
    await watcher.close()
