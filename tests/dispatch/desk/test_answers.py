"""What callers are told."""

from datetime import timedelta

import msgspec
import pytest

from dispatch.core.decision import Decision
from dispatch.core.errors import Conflict, NotFound, Refusal, Unavailable
from dispatch.desk import answers
from dispatch.live.fleet import Fleet
from geo.datum import Datum
from geo.eta import Quality, StraightLine
from schemas import wire
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import (
    Assignment,
    AssignmentState,
    Case,
    Incident,
    Offer,
    OfferState,
    Status,
)
from schemas.plan import IncidentKind, Need
from schemas.rest import IncidentView, Position
from schemas.unit import Capability, Link, Unit, UnitKind, UnitRow, UnitState
from tests.fakes import START

INCIDENT = Incident(
    id=IncidentId("i1"),
    kind=IncidentKind.WATER_RESCUE,
    priority=1,
    lon=113.4,
    lat=23.1,
    given_lon=113.41,
    given_lat=23.09,
    given_datum=Datum.GCJ02,
    juris="gz.hp",
    title="有人落水",
    status=Status.RESPONDING,
    called_at=START,
    opened_at=START,
    address="大沙地",
    needs=(Need(role="water_rescue", capabilities=(Capability.LIFE_BUOY,)),),
    version=2,
)
OFFER = Offer(
    id=OfferId("o1"),
    incident_id=INCIDENT.id,
    unit_id=UnitId("u1"),
    slot=0,
    state=OfferState.ACCEPTED,
    eta_s=95.5,
    distance_m=80.0,
    quality=Quality.STRAIGHT_LINE,
    ring_s=180,
    sent_at=START,
    lapse_at=START + timedelta(seconds=20),
    exp_at=START + timedelta(seconds=300),
)
TASK = Assignment(
    id=AssignmentId("a1"),
    incident_id=INCIDENT.id,
    unit_id=UnitId("u1"),
    slot=0,
    state=AssignmentState.ASSIGNED,
    eta_s=95.5,
    arrive_at=START + timedelta(seconds=95),
    assigned_at=START,
    by="member:m1",
)
CASE = Case(incident=INCIDENT, offers=(OFFER,), assignments=(TASK,))


def decision(refusal: Refusal | None = None) -> Decision:
    """Return what a command came to."""
    return Decision(
        before=None,
        case=CASE,
        entries=(),
        mail=(),
        wake_at=None,
        result={"aid": "a1"},
        refusal=refusal,
    )


def test_a_case_is_shown_whole() -> None:
    """Its place is WGS-84, and every shared field is the incident's own."""
    view = answers.incident_view(CASE)
    assert view.position == Position(lon=113.4, lat=23.1, datum=Datum.WGS84)
    assert view.jurisdiction == "gz.hp"
    for name in ("id", "kind", "priority", "status", "title", "address", "needs", "version"):
        assert getattr(view, name) == getattr(INCIDENT, name)
    (offer,), (task,) = view.offers, view.assignments
    assert (offer.id, offer.state, offer.eta_s, offer.exp_at) == (
        "o1",
        OfferState.ACCEPTED,
        95.5,
        OFFER.exp_at,
    )
    assert (task.id, task.state, task.arrive_at) == ("a1", TASK.state, TASK.arrive_at)


def test_a_list_shows_an_incident_without_its_offers() -> None:
    """The rest is the same."""
    brief = answers.brief_view(INCIDENT)
    assert (brief.offers, brief.assignments) == ((), ())
    assert brief == answers.incident_view(Case(incident=INCIDENT))


def test_an_opening_and_a_change_are_answered_as_the_case() -> None:
    """Created once, changed later."""
    for answer, status in ((answers.created(decision()), 201), (answers.changed(decision()), 200)):
        view = msgspec.json.decode(answer.body, type=IncidentView)
        assert (answer.status, view) == (status, answers.incident_view(CASE))


def test_a_phone_hears_ok_with_the_result() -> None:
    """Under its command's id."""
    answer = answers.to_phone("c1", decision())
    assert answer.status == 200
    assert msgspec.json.decode(answer.body, type=wire.Ok) == wire.Ok(re="c1", result={"aid": "a1"})


def test_a_refusal_that_changed_something_is_heard_as_an_err() -> None:
    """What it changed is on disk all the same."""
    answer = answers.to_phone("c1", decision(Conflict("others arrive sooner", state="taken")))
    err = msgspec.json.decode(answer.body, type=wire.Err)
    assert (answer.status, err.re, err.code, err.st) == (409, "c1", "conflict", "taken")


@pytest.mark.parametrize(
    ("refusal", "err"),
    [
        (
            NotFound("no such offer", path="oid", state="x"),
            wire.Err(re="c1", code=wire.ErrorCode.NOT_FOUND, msg="no such offer", path="oid"),
        ),
        (
            Conflict("not possible", state="closed"),
            wire.Err(re="c1", code=wire.ErrorCode.CONFLICT, msg="not possible", st="closed"),
        ),
        (
            Unavailable("try again"),
            wire.Err(re="c1", code=wire.ErrorCode.OVERLOADED, msg="try again", retry_ms=1000),
        ),
    ],
)
def test_an_err_carries_what_helps(refusal: Refusal, err: wire.Err) -> None:
    """The field, the state that stands, or when to try again."""
    assert answers.err("c1", refusal) == err


def test_a_unit_is_shown_as_it_stands() -> None:
    """State, link, home, and the place it is thought to be at."""
    unit = Unit(
        id=UnitId("u1"),
        code="U1",
        name="单元",
        kind=UnitKind.VILLAGE,
        juris="gz.hp",
        lon=113.4,
        lat=23.1,
        capabilities=(Capability.AED,),
    )
    fleet = Fleet(StraightLine())
    fleet.load([UnitRow(unit=unit, on_duty=2)], START.timestamp())
    view = answers.unit_view(fleet, unit, START)
    assert (view.id, view.state, view.link, view.on_duty) == (
        "u1",
        UnitState.AVAILABLE,
        Link.OFFLINE,
        2,
    )
    assert (view.position, view.position_age_s) == (view.home, None)
    assert (view.home, view.jurisdiction) == (Position(lon=113.4, lat=23.1), "gz.hp")
