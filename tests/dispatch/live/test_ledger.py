"""What the store says of units, and what is decided since."""

from typing import Any, Final

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.live.ledger import Ledger
from dispatch.ports import UnitStates
from schemas.base import UnitId
from schemas.incident import OfferState
from schemas.plan import Need
from schemas.unit import Capability, Unit, UnitKind, UnitRow, UnitState
from tests.fakes import START

UNIT: Final = Unit(
    id=UnitId("u1"),
    code="U1",
    name="单元",
    kind=UnitKind.VILLAGE,
    juris="gz",
    lon=113.27,
    lat=23.13,
    capabilities=(Capability.AED, Capability.ROPE),
)
FREE: Final = UnitRow(unit=UNIT, on_duty=1)


def ledger(*rows: UnitRow) -> Ledger:
    """Return what is known when the store has said so."""
    made = Ledger(len(rows))
    for i, row in enumerate(rows):
        made.put(i, row)
    return made


def entry(event: Event, **data: Any) -> Entry:
    """Return a committed line about the unit."""
    return Entry(type=event, by="engine", via="engine", at=START, unit_id=UNIT.id, data=data)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (FREE, UnitState.AVAILABLE),
        (replace(FREE, on_duty=0), UnitState.OFF),
        (replace(FREE, on_duty=0, paused=1), UnitState.PAUSED),
        (replace(FREE, open_offers=1), UnitState.OFFERED),
        (replace(FREE, engaged=True), UnitState.ENGAGED),
        (replace(FREE, unit=replace(UNIT, disabled=True)), UnitState.DISABLED),
        (replace(FREE, unit=replace(UNIT, min_crew=2)), UnitState.OFF),
    ],
)
def test_a_units_state_is_reckoned_from_what_the_store_says(row: UnitRow, state: UnitState) -> None:
    """Of its crew, its offers, its task and itself."""
    assert ledger(row).state(0) is state


def test_offers_are_folded_in_until_they_ring_no_more() -> None:
    """One that had lapsed rang no more already; there are never less than none."""
    made = ledger(FREE)
    made.fold(0, entry(Event.OFFERED))
    made.fold(0, entry(Event.DECLINED, before=OfferState.LAPSED))
    assert made.state(0) is UnitState.OFFERED
    for _ in range(2):
        made.fold(0, entry(Event.EXPIRED, before=OfferState.OPEN))
    assert made.state(0) is UnitState.AVAILABLE
    made.fold(0, entry(Event.OFFERED))
    assert made.state(0) is UnitState.OFFERED
    assert made.table["asked"].tolist() == [2]


def test_a_task_is_folded_in_and_out() -> None:
    """What else is logged changes nothing."""
    made = ledger(FREE)
    made.fold(0, entry(Event.ASSIGNED))
    made.fold(0, entry(Event.PROGRESSED))
    assert made.state(0) is UnitState.ENGAGED
    made.fold(0, entry(Event.ASSIGNMENT_ENDED))
    assert made.state(0) is UnitState.AVAILABLE


def test_a_yes_raises_the_rate_and_an_offer_lowers_it() -> None:
    """Smoothed, as matching has it."""
    made = ledger(FREE, FREE, FREE)
    for i in range(2):
        made.fold(i, entry(Event.OFFERED))
    made.fold(0, entry(Event.ACCEPTED, before=OfferState.OPEN))
    assert made.rates().tolist() == pytest.approx([0.52, 0.32, 0.4])


def test_the_busy_are_those_asked_or_engaged() -> None:
    """By row."""
    made = ledger(FREE, replace(FREE, open_offers=1), replace(FREE, engaged=True))
    assert made.busy().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("fact", "unlike", "held"),
    [
        ({}, False, True),
        ({"engaged": True}, True, False),
        ({"open_offers": 1}, True, False),
        ({"on_duty": 2}, True, False),
        ({"paused": 1}, True, False),
        ({"accepts": 1}, False, False),
        ({"pushable": 1}, False, False),
        ({"asked_24h": 1}, False, True),
    ],
)
def test_what_the_store_says_otherwise_is_found(
    fact: dict[str, Any], *, unlike: bool, held: bool
) -> None:
    """By what decides a state, and by all that does not go by with time."""
    row = replace(FREE, **fact)
    states = UnitStates(
        unit_ids=[UNIT.id],
        engaged=[row.engaged],
        disabled=[UNIT.disabled],
        open_offers=[row.open_offers],
        on_duty=[row.on_duty],
        paused=[row.paused],
    )
    made = ledger(FREE)
    assert made.unlike(np.array([0]), states).tolist() == [unlike]
    assert made.holds(0, row) is held


def test_capable_is_having_all_that_is_named() -> None:
    """Not one of them only."""
    made = ledger(FREE)
    assert made.capable(0, Need(capabilities=(Capability.ROPE, Capability.AED)))
    assert not made.capable(0, Need(capabilities=(Capability.AED, Capability.FORK)))


def test_who_is_called_on_is_taken_as_it_is_told() -> None:
    """Whatever was folded in before."""
    told = ledger(FREE)
    told.fold(0, entry(Event.OFFERED))
    told.call_on(0, engaged=False, ringing=0)
    assert told.state(0) is UnitState.AVAILABLE
    told.call_on(0, engaged=True, ringing=0)
    assert told.state(0) is UnitState.ENGAGED
