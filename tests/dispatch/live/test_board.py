"""The cases that are not over, and how they are found again."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from dispatch.live.board import OVER_MOST, Board
from geo.datum import Datum
from geo.eta import Quality
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
from schemas.plan import IncidentKind
from tests.fakes import START

ONE, TWO = UnitId("u1"), UnitId("u2")


def incident(
    number: int,
    *,
    status: Status = Status.DISPATCHING,
    version: int = 1,
    shortfall: str | None = None,
) -> Incident:
    """Return incident n."""
    return Incident(
        id=IncidentId(f"i{number}"),
        kind=IncidentKind.THEFT,
        priority=3,
        lon=113.4,
        lat=23.1,
        given_lon=113.4,
        given_lat=23.1,
        given_datum=Datum.WGS84,
        juris="gz",
        title="有人偷电瓶",
        status=status,
        called_at=START,
        opened_at=START,
        version=version,
        shortfall=shortfall,
    )


def offer(number: int, unit: UnitId, state: OfferState = OfferState.OPEN) -> Offer:
    """Return the offer of incident n to a unit."""
    return Offer(
        id=OfferId(f"o{number}-{unit}"),
        incident_id=IncidentId(f"i{number}"),
        unit_id=unit,
        slot=0,
        state=state,
        eta_s=90,
        distance_m=80,
        quality=Quality.STRAIGHT_LINE,
        ring_s=180,
        sent_at=START,
        lapse_at=START + timedelta(seconds=20),
        exp_at=START + timedelta(seconds=300),
    )


def task(
    number: int, unit: UnitId, state: AssignmentState = AssignmentState.ASSIGNED
) -> Assignment:
    """Return the task of incident n for a unit."""
    return Assignment(
        id=AssignmentId(f"a{number}-{unit}"),
        incident_id=IncidentId(f"i{number}"),
        unit_id=unit,
        slot=0,
        state=state,
        eta_s=90,
        arrive_at=START + timedelta(seconds=90),
        assigned_at=START,
        by="member:m1",
    )


def asked(number: int, *units: UnitId) -> Case:
    """Return the case of incident n, with an open offer to each unit."""
    return Case(incident=incident(number), offers=tuple(offer(number, u) for u in units))


def test_a_board_holds_the_cases_it_was_given() -> None:
    """By incident; what is not there is not over nor begun."""
    board = Board()
    board.put(asked(1, ONE))
    assert len(board) == 1
    assert board.case(IncidentId("i1")) == asked(1, ONE)
    assert board.case(IncidentId("i2")) is None


def test_a_later_version_replaces_a_case() -> None:
    """Its offers are found as they now are."""
    board = Board()
    board.put(asked(1, ONE, TWO))
    newer = Case(incident=incident(1, version=2), offers=(offer(1, TWO),))
    board.put(newer)
    assert board.case(IncidentId("i1")) == newer
    assert board.offers_to(ONE) == []
    assert board.incident_of_offer(offer(1, ONE).id) is None


def test_versions_and_units_are_of_the_cases_that_are_not_over() -> None:
    """To be compared with the store's, and told of what it says."""
    board = Board()
    board.put(Case(incident=incident(1, version=3), offers=(offer(1, ONE),)))
    board.put(asked(2, TWO))
    assert board.versions() == {IncidentId("i1"): 3, IncidentId("i2"): 1}
    assert board.units(IncidentId("i1")) == {ONE}
    board.put(Case(incident=incident(1, status=Status.CLOSED, version=4)))
    assert board.versions() == {IncidentId("i2"): 1}
    assert board.units(IncidentId("i1")) == set()


def test_an_earlier_version_changes_nothing() -> None:
    """What is heard late is not believed; the same version is as good as the one known."""
    board = Board()
    newer = Case(incident=incident(1, version=2))
    board.put(newer)
    board.put(asked(1, ONE))
    assert board.case(IncidentId("i1")) == newer
    same = Case(incident=incident(1, version=2, shortfall="all_asked"))
    board.put(same)
    assert board.case(IncidentId("i1")) == same


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED, Status.CANCELLED])
def test_a_case_that_is_over_leaves_the_board(status: Status) -> None:
    """With everything it was found by; whether it was known or not."""
    board = Board()
    before = Case(incident=incident(1), offers=(offer(1, ONE),), assignments=(task(1, TWO),))
    over = replace(before, incident=incident(1, status=status, version=2))
    board.put(before)
    board.put(over)
    board.put(replace(over, incident=incident(2, status=status)))
    assert len(board) == 0
    assert board.incident_of_offer(offer(1, ONE).id) is None
    assert board.incident_of_task(task(1, TWO).id) is None
    assert (board.offers_to(ONE), board.tasks_of(TWO)) == ([], [])


def test_offers_and_tasks_name_their_incident() -> None:
    """Those that have ended too: a late answer has to be told why."""
    board = Board()
    ended = offer(1, ONE, OfferState.TAKEN), task(1, TWO, AssignmentState.RELEASED)
    board.put(Case(incident=incident(1), offers=ended[:1], assignments=ended[1:]))
    assert board.incident_of_offer(ended[0].id) == "i1"
    assert board.incident_of_task(ended[1].id) == "i1"


def test_a_units_offers_are_those_it_may_still_answer() -> None:
    """Open and lapsed ones, of all incidents, by incident."""
    board = Board()
    lapsed = offer(2, ONE, OfferState.LAPSED)
    board.put(Case(incident=incident(2), offers=(lapsed, offer(2, TWO))))
    board.put(asked(1, ONE))
    board.put(Case(incident=incident(3), offers=(offer(3, ONE, OfferState.DECLINED),)))
    assert board.offers_to(ONE) == [(incident(1), offer(1, ONE)), (incident(2), lapsed)]


def test_a_units_tasks_are_those_not_ended() -> None:
    """With their incidents; another unit's are not its own."""
    board = Board()
    ended = task(2, ONE, AssignmentState.RESOLVED)
    board.put(Case(incident=incident(1), assignments=(task(1, TWO), task(1, ONE))))
    board.put(Case(incident=incident(2), offers=(offer(2, ONE),), assignments=(ended,)))
    assert board.tasks_of(ONE) == [(incident(1), task(1, ONE))]


def test_an_incident_that_is_over_leaves_the_others_of_its_units() -> None:
    """A unit asked for two is still asked for one."""
    board = Board()
    board.put(asked(1, ONE))
    board.put(asked(2, ONE))
    board.put(Case(incident=incident(1, status=Status.CANCELLED, version=2)))
    assert board.offers_to(ONE) == [(incident(2), offer(2, ONE))]


def test_those_short_of_units_wait_oldest_first() -> None:
    """A case without a shortfall does not wait."""
    board = Board()
    for number in (3, 1):
        board.put(Case(incident=incident(number, shortfall="all_asked")))
    board.put(Case(incident=incident(2)))
    assert board.waiting() == ["i1", "i3"]


def test_loading_starts_over() -> None:
    """What the store does not have is forgotten."""
    board = Board()
    board.put(asked(1, ONE))
    board.load([asked(2, TWO)])
    assert (len(board), board.case(IncidentId("i1"))) == (1, None)
    assert (board.offers_to(ONE), len(board.offers_to(TWO))) == ([], 1)


def test_word_of_an_earlier_version_opens_no_case_that_is_over() -> None:
    """Two processes may be heard in another order than they decided in."""
    board = Board()
    assert board.put(Case(incident=incident(1, status=Status.CANCELLED, version=5)))
    assert not board.put(Case(incident=incident(1, version=4)))
    assert board.versions() == {}
    assert board.put(Case(incident=incident(1, version=6)))
    assert board.versions() == {"i1": 6}


def test_the_same_version_again_is_nothing_new() -> None:
    """It is taken all the same: delivery is written beside the version."""
    board = Board()
    assert board.put(asked(1, ONE))
    assert not board.put(asked(1, TWO))
    assert board.units(IncidentId("i1")) == {TWO}


def test_only_so_many_cases_that_are_over_are_remembered() -> None:
    """The oldest is forgotten."""
    board = Board()
    for number in range(OVER_MOST + 1):
        board.put(Case(incident=incident(number, status=Status.CANCELLED, version=2)))
    assert board.put(Case(incident=incident(0, version=1)))
    assert not board.put(Case(incident=incident(1, version=1)))


def test_offers_that_ring_are_counted_without_those_that_lapsed() -> None:
    """A lapsed one may be answered, and rings no more."""
    board = Board()
    lapsed = offer(2, ONE, OfferState.LAPSED)
    board.put(asked(1, ONE))
    board.put(Case(incident=incident(2), offers=(lapsed,)))
    assert (board.ringing(ONE), board.ringing(TWO)) == (1, 0)
