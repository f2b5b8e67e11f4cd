"""Every cell of every state table, against the tables of the protocol written out here again."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.core.errors import Cancelled, Conflict, Expired, Refusal, Taken, Withdrawn
from dispatch.core.lifecycle import (
    ASSIGNMENT,
    DUTY,
    ENDED,
    INCIDENT,
    OFFER,
    OPEN_OFFER,
    OVER,
    UNIT,
    WANTS_UNITS,
    WHO,
    Trigger,
    Who,
    advance,
    mermaid,
    unit_state,
)
from schemas.incident import AssignmentState, OfferState, Status
from schemas.unit import Duty, UnitState
from schemas.wire import ErrorCode

# The protocol's section 9, one line a transition: from, by what, to. ------------------------------

INCIDENT_ROWS = """
    reported    open       open
    reported    reject     rejected
    open        offer      dispatching
    dispatching nobody     open
    open        answered   responding
    dispatching answered   responding
    responding  emptied    dispatching
    on_scene    emptied    dispatching
    responding  arrive     on_scene
    responding  resolve    resolved
    on_scene    control    controlled
    on_scene    resolve    resolved
    controlled  resolve    resolved
    resolved    close      closed
    resolved    reopen     open
    closed      reopen     open
    reported    cancel     cancelled
    open        cancel     cancelled
    dispatching cancel     cancelled
    responding  cancel     cancelled
    on_scene    cancel     cancelled
    controlled  cancel     cancelled
    reported    merge      merged
    open        merge      merged
    dispatching merge      merged
    responding  merge      merged
    on_scene    merge      merged
    controlled  merge      merged
    resolved    merge      merged
    closed      merge      merged
    reported    hand_over  handed_over
    open        hand_over  handed_over
    dispatching hand_over  handed_over
    responding  hand_over  handed_over
    on_scene    hand_over  handed_over
    controlled  hand_over  handed_over
    resolved    hand_over  handed_over
    closed      hand_over  handed_over
"""

OFFER_ROWS = """
    open   lapse    lapsed
    open   accept   accepted
    open   decline  declined
    open   take     taken
    open   expire   expired
    open   withdraw withdrawn
    open   cancel   cancelled
    lapsed accept   accepted
    lapsed decline  declined
    lapsed take     taken
    lapsed expire   expired
    lapsed withdraw withdrawn
    lapsed cancel   cancelled
"""

ASSIGNMENT_ROWS = """
    assigned   depart   en_route
    assigned   arrive   arrived
    en_route   arrive   arrived
    arrived    control  controlled
    arrived    resolve  resolved
    controlled resolve  resolved
    assigned   abort    aborted
    en_route   abort    aborted
    arrived    abort    aborted
    controlled abort    aborted
    assigned   overtake overtaken
    en_route   overtake overtaken
    assigned   release  released
    en_route   release  released
    arrived    release  released
    controlled release  released
    assigned   reassign reassigned
    en_route   reassign reassigned
    arrived    reassign reassigned
    controlled reassign reassigned
    assigned   cancel   cancelled
    en_route   cancel   cancelled
    arrived    cancel   cancelled
    controlled cancel   cancelled
    assigned   no_show  no_show
    en_route   no_show  no_show
    arrived    no_show  no_show
    controlled no_show  no_show
"""

# A crew that leaves or pauses declines its open offers: offered → available → off in one step. A
# unit let go is what its crew makes of it, and a crew may go home, or begin, from a pause.
UNIT_ROWS = """
    off       crew_on     available
    off       crew_paused paused
    available crew_off    off
    available crew_paused paused
    paused    crew_on     available
    paused    crew_off    off
    available offer       offered
    offered   offers_over available
    offered   crew_off    off
    offered   crew_paused paused
    available engage      engaged
    offered   engage      engaged
    paused    engage      engaged
    engaged   offer       offered
    engaged   crew_on     available
    engaged   crew_off    off
    engaged   crew_paused paused
    off       disable     disabled
    available disable     disabled
    paused    disable     disabled
    offered   disable     disabled
    disabled  enable      off
"""

DUTY_ROWS = """
    off    crew_on     on
    on     crew_paused paused
    paused crew_on     on
    on     crew_off    off
    paused crew_off    off
"""

TABLES: list[tuple[str, Mapping[Any, Mapping[Trigger, Any]], type[StrEnum], str]] = [
    ("incident", INCIDENT, Status, INCIDENT_ROWS),
    ("offer", OFFER, OfferState, OFFER_ROWS),
    ("assignment", ASSIGNMENT, AssignmentState, ASSIGNMENT_ROWS),
    ("unit", UNIT, UnitState, UNIT_ROWS),
    ("duty", DUTY, Duty, DUTY_ROWS),
]
FINAL_STATES = {
    "incident": {"rejected", "cancelled", "merged", "handed_over"},
    "offer": {"accepted", "declined", "expired", "withdrawn", "taken", "cancelled"},
    "assignment": {
        "resolved",
        "aborted",
        "overtaken",
        "released",
        "reassigned",
        "cancelled",
        "no_show",
    },
    "unit": set[str](),
    "duty": set[str](),
}
# Who may pull each trigger, section by section of the protocol; S is the engine.
SIDES = {
    "open": "FOM",
    "reject": "O",
    "offer": "SO",
    "nobody": "S",
    "answered": "MOC",
    "emptied": "S",
    "arrive": "MSO",
    "control": "MO",
    "resolve": "MO",
    "close": "OF",
    "reopen": "OCF",
    "cancel": "OCF",
    "merge": "OCF",
    "hand_over": "OCF",
    "lapse": "S",
    "accept": "MO",
    "decline": "MO",
    "expire": "S",
    "withdraw": "SO",
    "take": "S",
    "depart": "MSO",
    "abort": "MO",
    "overtake": "S",
    "release": "OCS",
    "reassign": "OCS",
    "no_show": "OCS",
    "crew_on": "MOS",
    "crew_paused": "MOS",
    "crew_off": "MOS",
    "offers_over": "SMO",
    "engage": "MCO",
    "disable": "A",
    "enable": "A",
}
# What an ended offer answers; every other refusal is a plain conflict.
ENDED_OFFERS: dict[OfferState, type[Refusal]] = {
    OfferState.TAKEN: Taken,
    OfferState.EXPIRED: Expired,
    OfferState.WITHDRAWN: Withdrawn,
    OfferState.CANCELLED: Cancelled,
}


def expected(rows: str) -> dict[tuple[str, str], str]:
    """Return where each state goes by each trigger, as the protocol has it."""
    lines = [line.split() for line in rows.strip().splitlines()]
    return {(start, trigger): end for start, trigger, end in lines}


def cells() -> list[Any]:
    """Return every cell of every table: table, state, trigger, and what the protocol says."""
    return [
        pytest.param(table, state, trigger, expected(rows).get((state, trigger)))
        for _, table, states, rows in TABLES
        for state in states
        for trigger in Trigger
    ]


@pytest.mark.parametrize(("table", "state", "trigger", "to"), cells())
def test_each_cell_does_what_the_protocol_says(
    table: Mapping[Any, Mapping[Trigger, Any]], state: StrEnum, trigger: Trigger, to: str | None
) -> None:
    """A legal step leads to the new state; any other is a conflict that names where it stood."""
    if to is not None:
        assert advance(table, state, trigger) == to
        return
    ended = ENDED_OFFERS.get(state) if isinstance(state, OfferState) else None
    with pytest.raises(Conflict) as caught:
        advance(table, state, trigger)
    assert type(caught.value) is (ended or Conflict)
    assert caught.value.state == state
    assert state in caught.value.detail
    assert trigger in caught.value.detail


@pytest.mark.parametrize(("name", "table", "states", "rows"), TABLES)
def test_a_table_holds_every_state_and_no_other_step(
    name: str, table: Mapping[Any, Mapping[Trigger, Any]], states: type[StrEnum], rows: str
) -> None:
    """Counted the other way round: what the table holds is what the protocol holds."""
    held = {(start, trigger): end for start, on in table.items() for trigger, end in on.items()}
    assert held == expected(rows), name
    assert set(table) == set(states)


@pytest.mark.parametrize(("name", "table", "states", "rows"), TABLES)
def test_the_final_states_are_those_of_the_protocol(
    name: str, table: Mapping[Any, Mapping[Trigger, Any]], states: type[StrEnum], rows: str
) -> None:
    """And every other state is left by something, and all but the first reached by something."""
    steps = expected(rows)
    left = {start for start, _ in steps}
    assert {state for state in states if not table[state]} == FINAL_STATES[name]
    assert set(states) - left == FINAL_STATES[name]
    first = next(iter(states))
    assert set(states) - set(steps.values()) <= {first}


@given(data=st.data(), pulled=st.lists(st.sampled_from(Trigger), max_size=30))
@pytest.mark.parametrize(("name", "table", "states", "rows"), TABLES)
def test_a_final_state_is_never_left(
    name: str,
    table: Mapping[Any, Mapping[Trigger, Any]],
    states: type[StrEnum],
    rows: str,
    data: st.DataObject,
    pulled: list[Trigger],
) -> None:
    """Whatever is pulled, in whatever order: a refusal changes nothing, an end stays an end."""
    state: Any = data.draw(st.sampled_from(list(states)))
    legal = expected(rows)
    for trigger in pulled:
        before = state
        try:
            state = advance(table, state, trigger)
        except Conflict:
            assert (before, trigger) not in legal
        assert before not in FINAL_STATES[name] or state is before


def test_every_trigger_says_who_may_pull_it() -> None:
    """The letters are the protocol's."""
    assert {trigger: set(sides.split()) for trigger, sides in WHO.items()} == {
        trigger: set(sides) for trigger, sides in SIDES.items()
    }
    assert set(SIDES) == set(Trigger)
    assert {letter for sides in SIDES.values() for letter in sides} == {who.value for who in Who}


def test_every_trigger_is_in_some_table() -> None:
    """A word that moves nothing would be a lie."""
    used = {trigger for _, table, _, _ in TABLES for on in table.values() for trigger in on}
    assert used == set(Trigger)


def test_the_named_sets_follow_from_the_tables() -> None:
    """Live offers, ended tasks, incidents that are over, incidents that want units."""
    assert frozenset({OfferState.OPEN, OfferState.LAPSED}) == OPEN_OFFER
    assert FINAL_STATES["assignment"] == ENDED
    assert FINAL_STATES["incident"] | {"resolved", "closed"} == OVER
    assert {"open", "dispatching", "responding", "on_scene"} == WANTS_UNITS
    assert not OVER & WANTS_UNITS


@pytest.mark.parametrize("state", [s for s in OfferState if s not in OPEN_OFFER])
def test_an_ended_offer_answers_with_the_word_for_its_end(state: OfferState) -> None:
    """The phone shows why: taken, expired, withdrawn or cancelled; else a plain conflict."""
    with pytest.raises(Conflict) as caught:
        advance(OFFER, state, Trigger.ACCEPT)
    words = {"taken", "expired", "withdrawn", "cancelled"}
    assert caught.value.code == (state.value if state in words else ErrorCode.CONFLICT)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, UnitState.AVAILABLE),
        ({"open_offers": 2}, UnitState.OFFERED),
        ({"on_duty": 0}, UnitState.OFF),
        ({"on_duty": 0, "open_offers": 1}, UnitState.OFF),
        ({"on_duty": 0, "paused": 1}, UnitState.PAUSED),
        ({"on_duty": 1, "min_crew": 2}, UnitState.OFF),
        ({"on_duty": 1, "paused": 1, "min_crew": 2}, UnitState.PAUSED),
        ({"on_duty": 2, "paused": 1, "min_crew": 2}, UnitState.AVAILABLE),
        ({"engaged": True}, UnitState.ENGAGED),
        ({"engaged": True, "on_duty": 0}, UnitState.ENGAGED),
        ({"engaged": True, "open_offers": 1}, UnitState.ENGAGED),
        ({"disabled": True}, UnitState.DISABLED),
        ({"disabled": True, "engaged": True, "open_offers": 1}, UnitState.DISABLED),
    ],
)
def test_a_unit_is_what_its_facts_make_it(facts: dict[str, Any], state: UnitState) -> None:
    """An assignment outranks the crew, and the crew an offer; disabled outranks all."""
    usual: dict[str, Any] = {
        "disabled": False,
        "engaged": False,
        "open_offers": 0,
        "on_duty": 1,
        "paused": 0,
        "min_crew": 1,
    }
    assert unit_state(**usual | facts) is state


def test_a_table_is_drawn_as_a_state_diagram() -> None:
    """One arrow a step, with its trigger and who may pull it."""
    assert mermaid(DUTY) == "\n".join(
        [
            "stateDiagram-v2",
            "    off --> on: crew_on (M O S)",
            "    on --> paused: crew_paused (M O S)",
            "    on --> off: crew_off (M O S)",
            "    paused --> on: crew_on (M O S)",
            "    paused --> off: crew_off (M O S)",
        ]
    )


@pytest.mark.parametrize(("name", "table", "states", "rows"), TABLES)
def test_a_drawing_has_every_step_and_ends_where_the_table_ends(
    name: str, table: Mapping[Any, Mapping[Trigger, Any]], states: type[StrEnum], rows: str
) -> None:
    """A final state leads to the end mark, and no other does."""
    lines = mermaid(table).splitlines()[1:]
    arrows = {line.strip().partition(" (")[0] for line in lines if "[*]" not in line}
    assert arrows == {f"{start} --> {end}: {by}" for (start, by), end in expected(rows).items()}
    ends = {line.split()[0] for line in lines if line.endswith("--> [*]")}
    assert ends == FINAL_STATES[name]
    assert len(lines) == len(expected(rows)) + len(ends)
    assert ends <= set(states)
