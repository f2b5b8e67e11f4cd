"""The state tables. Everything that decides whether a transition is legal lives here.

Two rules: what a table does not hold is refused and changes nothing, and final states are never
left. `WHO` says which side may pull each trigger; the diagrams of the reference are drawn from the
same data.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from dispatch.core.errors import Cancelled, Conflict, Expired, Taken, Withdrawn
from schemas.incident import AssignmentState as A
from schemas.incident import OfferState as O
from schemas.incident import Status as S
from schemas.unit import Duty
from schemas.unit import UnitState as U


class Who(StrEnum):
    """The sides that may pull a trigger."""

    MEMBER = "M"
    OPERATOR = "O"
    COMMANDER = "C"
    ENGINE = "S"
    ADMIN = "A"
    FEED = "F"


class Trigger(StrEnum):
    """What may happen to an incident, an offer, an assignment, a unit or a member's duty."""

    OPEN = "open"
    REJECT = "reject"
    OFFER = "offer"
    NOBODY = "nobody"
    ANSWERED = "answered"
    EMPTIED = "emptied"
    ARRIVE = "arrive"
    CONTROL = "control"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    CANCEL = "cancel"
    MERGE = "merge"
    HAND_OVER = "hand_over"
    LAPSE = "lapse"
    ACCEPT = "accept"
    DECLINE = "decline"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    TAKE = "take"
    DEPART = "depart"
    ABORT = "abort"
    OVERTAKE = "overtake"
    RELEASE = "release"
    REASSIGN = "reassign"
    NO_SHOW = "no_show"
    CREW_ON = "crew_on"
    CREW_PAUSED = "crew_paused"
    CREW_OFF = "crew_off"
    OFFERS_OVER = "offers_over"
    ENGAGE = "engage"
    DISABLE = "disable"
    ENABLE = "enable"


T = Trigger
State = TypeVar("State", bound=StrEnum)
Table = Mapping[State, Mapping[Trigger, State]]

_STOPPED: Final = {T.CANCEL: S.CANCELLED, T.MERGE: S.MERGED, T.HAND_OVER: S.HANDED_OVER}
_PASSED_ON: Final = {T.MERGE: S.MERGED, T.HAND_OVER: S.HANDED_OVER}

INCIDENT: Final[Table[S]] = {
    S.REPORTED: {T.OPEN: S.OPEN, T.REJECT: S.REJECTED, **_STOPPED},
    S.OPEN: {T.OFFER: S.DISPATCHING, T.ANSWERED: S.RESPONDING, **_STOPPED},
    S.DISPATCHING: {T.NOBODY: S.OPEN, T.ANSWERED: S.RESPONDING, **_STOPPED},
    S.RESPONDING: {
        T.EMPTIED: S.DISPATCHING,
        T.ARRIVE: S.ON_SCENE,
        T.RESOLVE: S.RESOLVED,
        **_STOPPED,
    },
    S.ON_SCENE: {
        T.EMPTIED: S.DISPATCHING,
        T.CONTROL: S.CONTROLLED,
        T.RESOLVE: S.RESOLVED,
        **_STOPPED,
    },
    S.CONTROLLED: {T.RESOLVE: S.RESOLVED, **_STOPPED},
    S.RESOLVED: {T.CLOSE: S.CLOSED, T.REOPEN: S.OPEN, **_PASSED_ON},
    S.CLOSED: {T.REOPEN: S.OPEN, **_PASSED_ON},
    S.REJECTED: {},
    S.CANCELLED: {},
    S.MERGED: {},
    S.HANDED_OVER: {},
}

_ANSWERS: Final = {
    T.ACCEPT: O.ACCEPTED,
    T.DECLINE: O.DECLINED,
    T.TAKE: O.TAKEN,
    T.EXPIRE: O.EXPIRED,
    T.WITHDRAW: O.WITHDRAWN,
    T.CANCEL: O.CANCELLED,
}

OFFER: Final[Table[O]] = {
    O.OPEN: {T.LAPSE: O.LAPSED, **_ANSWERS},
    O.LAPSED: _ANSWERS,
    O.ACCEPTED: {},
    O.DECLINED: {},
    O.EXPIRED: {},
    O.WITHDRAWN: {},
    O.TAKEN: {},
    O.CANCELLED: {},
}

_CALLED_BACK: Final = {
    T.RELEASE: A.RELEASED,
    T.REASSIGN: A.REASSIGNED,
    T.CANCEL: A.CANCELLED,
    T.NO_SHOW: A.NO_SHOW,
}

ASSIGNMENT: Final[Table[A]] = {
    A.ASSIGNED: {
        T.DEPART: A.EN_ROUTE,
        T.ARRIVE: A.ARRIVED,
        T.ABORT: A.ABORTED,
        T.OVERTAKE: A.OVERTAKEN,
        **_CALLED_BACK,
    },
    A.EN_ROUTE: {
        T.ARRIVE: A.ARRIVED,
        T.ABORT: A.ABORTED,
        T.OVERTAKE: A.OVERTAKEN,
        **_CALLED_BACK,
    },
    A.ARRIVED: {
        T.CONTROL: A.CONTROLLED,
        T.RESOLVE: A.RESOLVED,
        T.ABORT: A.ABORTED,
        **_CALLED_BACK,
    },
    A.CONTROLLED: {T.RESOLVE: A.RESOLVED, T.ABORT: A.ABORTED, **_CALLED_BACK},
    A.RESOLVED: {},
    A.ABORTED: {},
    A.OVERTAKEN: {},
    A.RELEASED: {},
    A.REASSIGNED: {},
    A.CANCELLED: {},
    A.NO_SHOW: {},
}

UNIT: Final[Table[U]] = {
    U.OFF: {T.CREW_ON: U.AVAILABLE, T.CREW_PAUSED: U.PAUSED, T.DISABLE: U.DISABLED},
    U.AVAILABLE: {
        T.CREW_OFF: U.OFF,
        T.CREW_PAUSED: U.PAUSED,
        T.OFFER: U.OFFERED,
        T.ENGAGE: U.ENGAGED,
        T.DISABLE: U.DISABLED,
    },
    U.PAUSED: {
        T.CREW_ON: U.AVAILABLE,
        T.CREW_OFF: U.OFF,
        T.ENGAGE: U.ENGAGED,
        T.DISABLE: U.DISABLED,
    },
    U.OFFERED: {
        T.OFFERS_OVER: U.AVAILABLE,
        T.CREW_OFF: U.OFF,
        T.CREW_PAUSED: U.PAUSED,
        T.ENGAGE: U.ENGAGED,
        T.DISABLE: U.DISABLED,
    },
    U.ENGAGED: {
        T.CREW_ON: U.AVAILABLE,
        T.CREW_PAUSED: U.PAUSED,
        T.CREW_OFF: U.OFF,
        T.OFFER: U.OFFERED,
    },
    U.DISABLED: {T.ENABLE: U.OFF},
}

DUTY: Final[Table[Duty]] = {
    Duty.OFF: {T.CREW_ON: Duty.ON},
    Duty.ON: {T.CREW_PAUSED: Duty.PAUSED, T.CREW_OFF: Duty.OFF},
    Duty.PAUSED: {T.CREW_ON: Duty.ON, T.CREW_OFF: Duty.OFF},
}

WHO: Final[Mapping[Trigger, str]] = {
    T.OPEN: "F O M",
    T.REJECT: "O",
    T.OFFER: "S O",
    T.NOBODY: "S",
    T.ANSWERED: "M O C",
    T.EMPTIED: "S",
    T.ARRIVE: "M S O",
    T.CONTROL: "M O",
    T.RESOLVE: "M O",
    T.CLOSE: "O F",
    T.REOPEN: "O C F",
    T.CANCEL: "O C F",
    T.MERGE: "O C F",
    T.HAND_OVER: "O C F",
    T.LAPSE: "S",
    T.ACCEPT: "M O",
    T.DECLINE: "M O",
    T.EXPIRE: "S",
    T.WITHDRAW: "S O",
    T.TAKE: "S",
    T.DEPART: "M S O",
    T.ABORT: "M O",
    T.OVERTAKE: "S",
    T.RELEASE: "O C S",
    T.REASSIGN: "O C S",
    T.NO_SHOW: "O C S",
    T.CREW_ON: "M O S",
    T.CREW_PAUSED: "M O S",
    T.CREW_OFF: "M O S",
    T.OFFERS_OVER: "S M O",
    T.ENGAGE: "M C O",
    T.DISABLE: "A",
    T.ENABLE: "A",
}

OPEN_OFFER: Final = frozenset({O.OPEN, O.LAPSED})
WANTS_UNITS: Final = frozenset({S.OPEN, S.DISPATCHING, S.RESPONDING, S.ON_SCENE})
ENDED: Final = frozenset(state for state, onward in ASSIGNMENT.items() if not onward)
OVER: Final = frozenset({S.RESOLVED, S.CLOSED}) | {
    s for s, onward in INCIDENT.items() if not onward
}

_ENDED_OFFER: Final[Mapping[O, type[Conflict]]] = {
    O.TAKEN: Taken,
    O.EXPIRED: Expired,
    O.WITHDRAWN: Withdrawn,
    O.CANCELLED: Cancelled,
}


def advance(table: Table[State], state: State, trigger: Trigger) -> State:
    """Return the state that follows; raise `Conflict` where the table holds no such step."""
    try:
        return table[state][trigger]
    except KeyError:
        refusal = _ENDED_OFFER.get(state, Conflict) if isinstance(state, O) else Conflict
        raise refusal(f"{trigger} is not possible from {state}", state=state) from None


def unit_state(
    *, disabled: bool, engaged: bool, open_offers: int, on_duty: int, paused: int, min_crew: int
) -> U:
    """Say what a unit is, from the facts: an assignment outranks the crew, the crew an offer."""
    if disabled:
        return U.DISABLED
    if engaged:
        return U.ENGAGED
    if on_duty < min_crew:
        return U.PAUSED if on_duty + paused >= min_crew else U.OFF
    return U.OFFERED if open_offers else U.AVAILABLE


def mermaid(table: Table[State]) -> str:
    """Draw a table as a Mermaid state diagram, with who may pull each trigger."""
    lines = ["stateDiagram-v2"]
    for state, onward in table.items():
        lines += [f"    {state} --> {to}: {t} ({WHO[t]})" for t, to in onward.items()]
        if not onward:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
