"""Who may do what at the desk, and where; and what is shown to whom."""

from datetime import timedelta

import pytest

from dispatch.auth import Right
from dispatch.core import commands
from dispatch.core.errors import Conflict, Forbidden, Invalid, NotFound
from dispatch.core.events import Event
from geo.datum import Datum, point_from_wgs84
from geo.point import Box, Point
from schemas.base import IncidentId, UnitId
from schemas.incident import Status
from schemas.rest import Place
from tests.dispatch.desk.station import DISPATCHER, FEED, REGISTRAR, STRANGER, Station, sql, view

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


# Who may do what, and where. ----------------------------------------------------------------------


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


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
async def test_a_call_is_dated_by_either_clock_while_a_step_is_absorbed(
    station: Station, ahead_s: float
) -> None:
    """The caller's may be as the database's was, or as it is: neither is an hour off."""
    station.desk.ahead_s = lambda: ahead_s
    now = station.clock.now()
    as_it_was = await station.open(called_at=now - timedelta(seconds=5))
    as_it_is = await station.open(50, called_at=now - timedelta(seconds=ahead_s + 5))
    assert as_it_was.incident.called_at == now - timedelta(seconds=5)
    assert as_it_is.incident.called_at == now - timedelta(seconds=5)
    assert (await station.open(100)).incident.called_at == now


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


# Looks. -------------------------------------------------------------------------------------------


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
