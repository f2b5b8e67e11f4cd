"""The frames a decision puts in the outbox."""

import pytest

from dispatch.core.frames import assign_frame, assign_update, brief, offer_frame, offer_update
from geo.datum import Datum
from geo.eta import Quality
from schemas.incident import AssignmentKind, AssignmentState, Concern, Role
from schemas.plan import IncidentKind, Need
from schemas.wire import AssignFrame, AssignUpdate, Brief, OfferFrame, OfferUpdate
from tests.dispatch.core.cases import START, at, incident, offer, task

RIVER = incident(
    kind=IncidentKind.WATER_RESCUE,
    priority=1,
    given_lon=113.4612,
    given_lat=23.0999,
    given_datum=Datum.GCJ02,
    title="河里有人 / somebody in the river",
    address="夏港街 1 号",
    note="by the bridge",
    drill=True,
    source="110",
    ext_id="44-1",
    needs=(Need(role="water_rescue"), Need(role="first_aid")),
)
BRIEF = Brief(
    iid="i1",
    kind=IncidentKind.WATER_RESCUE,
    pri=1,
    title="河里有人 / somebody in the river",
    lon=113.45,
    lat=23.1,
    addr="夏港街 1 号",
    note="by the bridge",
    drill=True,
)


def test_a_phone_learns_the_place_and_what_it_is_about() -> None:
    """The place is the WGS-84 one, not as it was given; source and foreign numbers stay here."""
    assert brief(RIVER) == BRIEF


def test_an_offer_asks_for_the_role_of_its_slot() -> None:
    """With its ETA, where that is from, and what is left of its twenty seconds."""
    assert offer_frame(RIVER, offer(slot=1, rev=2), at(5)) == OfferFrame(
        oid="o1",
        rev=2,
        d=Datum.WGS84,
        inc=BRIEF,
        eta_s=100.0,
        quality=Quality.STRAIGHT_LINE,
        dist_m=140.0,
        ring_s=180,
        ttl_ms=15_000,
        exp=START.timestamp() * 1000 + 300_000,
        role="first_aid",
    )


@pytest.mark.parametrize(("seconds", "ttl_ms"), [(0, 20_000), (19.5, 500), (20, 0), (250, 0)])
def test_an_offer_counts_down_and_never_below_nothing(seconds: float, ttl_ms: float) -> None:
    """A lapsed offer is still one: it only rings no more."""
    assert offer_frame(RIVER, offer(), at(seconds)).ttl_ms == ttl_ms


@pytest.mark.parametrize("alert", [True, False])
def test_a_change_of_an_offer_rings_only_when_it_must(alert: bool) -> None:
    """It carries the incident and the way as they are now."""
    assert offer_update(RIVER, offer(rev=2, eta_s=70.0), alert=alert) == OfferUpdate(
        oid="o1", rev=2, d=Datum.WGS84, inc=BRIEF, alert=alert, eta_s=70.0
    )


def test_a_task_says_what_it_is_and_how_far_it_has_come() -> None:
    """So that a phone that was away begins where its unit is."""
    own = task(offer_id="o1", ring_s=180, crew=("m1", "m2"), rev=3, state=AssignmentState.EN_ROUTE)
    assert assign_frame(RIVER, own) == AssignFrame(
        aid="a1",
        oid="o1",
        rev=3,
        d=Datum.WGS84,
        inc=BRIEF,
        by="member-of-u1",
        kind=AssignmentKind.OFFER,
        role=Role.PRIMARY,
        eta_s=100.0,
        ring_s=180,
        crew=("m1", "m2"),
        s=AssignmentState.EN_ROUTE,
    )


@pytest.mark.parametrize("alert", [True, False])
def test_a_change_of_a_task_rings_only_when_it_must(alert: bool) -> None:
    """It carries the role and the state as they are now."""
    own = task(rev=2, role=Role.BACKUP, state=AssignmentState.ARRIVED)
    assert assign_update(RIVER, own, alert=alert) == AssignUpdate(
        aid="a1",
        rev=2,
        d=Datum.WGS84,
        inc=BRIEF,
        alert=alert,
        role=Role.BACKUP,
        eta_s=100.0,
        s=AssignmentState.ARRIVED,
    )


def test_an_arrival_that_only_fixes_prove_asks_to_be_confirmed() -> None:
    """In the task and in its update, until a person has said so."""
    own = task(warned=(Concern.STILL, Concern.UNCONFIRMED))
    assert assign_frame(RIVER, own).confirm
    assert assign_update(RIVER, own, alert=False).confirm
    assert not assign_update(RIVER, task(warned=(Concern.STILL,)), alert=False).confirm
