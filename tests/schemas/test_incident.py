"""The rows of one case."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec
import pytest
from msgspec.structs import replace

from geo.datum import Datum
from geo.eta import Quality
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import (
    Assignment,
    AssignmentKind,
    AssignmentState,
    Case,
    Incident,
    Mode,
    Offer,
    OfferState,
    Role,
    Status,
)
from schemas.plan import IncidentKind, Level, Need

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
INCIDENT = Incident(
    id=IncidentId("i1"),
    kind=IncidentKind.FIRE,
    priority=2,
    lon=113.45,
    lat=23.1,
    given_lon=113.455,
    given_lat=23.097,
    given_datum=Datum.GCJ02,
    juris="gz.huangpu",
    title="厨房 / a kitchen",
    status=Status.OPEN,
    called_at=NOON,
    opened_at=NOON,
)
OFFER = Offer(
    id=OfferId("o1"),
    incident_id=IncidentId("i1"),
    unit_id=UnitId("u1"),
    slot=0,
    state=OfferState.OPEN,
    eta_s=61.5,
    distance_m=80.2,
    quality=Quality.NETWORK,
    ring_s=180,
    sent_at=NOON,
    lapse_at=NOON,
    exp_at=NOON,
)
TASK = Assignment(
    id=AssignmentId("a1"),
    incident_id=IncidentId("i1"),
    unit_id=UnitId("u1"),
    slot=0,
    state=AssignmentState.ASSIGNED,
    eta_s=61.5,
    arrive_at=NOON,
    assigned_at=NOON,
    by="m1",
    crew=("m1", "m2"),
)


def test_a_case_comes_back_as_it_was() -> None:
    """With all its rows, to the microsecond."""
    case = Case(incident=INCIDENT, offers=(OFFER,), assignments=(TASK,))
    assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


def test_an_incident_begins_on_the_lowest_level_in_the_smallest_ring() -> None:
    """Automatic, with one need, at version 0, and nothing has happened yet."""
    known = INCIDENT
    assert (known.level, known.mode, known.ring_s, known.step) == (Level.GRID, Mode.AUTO, 180, 0)
    assert (known.needs, known.version, known.drill) == ((Need(),), 0, False)
    firsts = (known.en_route_at, known.arrived_at, known.controlled_at, known.resolved_at)
    assert firsts == (None, None, None, None)


def test_sent_delivered_and_seen_are_three_facts() -> None:
    """Only the first is known when an offer is made."""
    assert (OFFER.sent_at, OFFER.delivered_at, OFFER.seen_at) == (NOON, None, None)


def test_a_task_is_primary_and_comes_of_an_offer_unless_it_says_otherwise() -> None:
    """Its first revision."""
    assert (TASK.role, TASK.kind, TASK.rev) == (Role.PRIMARY, AssignmentKind.OFFER, 1)


def test_a_row_is_made_anew_not_changed() -> None:
    """Two decisions never share a row by accident."""
    assert replace(OFFER, state=OfferState.LAPSED) != OFFER
    with pytest.raises(AttributeError):
        OFFER.state = OfferState.TAKEN  # type: ignore[misc]  # frozen: that is what is tested


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (
            Status,
            "reported open dispatching responding on_scene controlled resolved closed rejected"
            " cancelled merged handed_over",
        ),
        (OfferState, "open lapsed accepted declined expired withdrawn taken cancelled"),
        (
            AssignmentState,
            "assigned en_route arrived controlled resolved aborted overtaken released reassigned"
            " cancelled no_show",
        ),
        (Mode, "auto assist manual"),
        (Role, "primary backup"),
        (AssignmentKind, "offer order"),
    ],
)
def test_the_states_are_the_protocols(kind: type[StrEnum], values: str) -> None:
    """Section 9, word for word: they are stored, and told to clients."""
    assert {member.value for member in kind} == set(values.split())
