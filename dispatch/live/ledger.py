"""What the store says of all units, by row: who is on duty, asked, engaged, and brings what."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import unit_state
from dispatch.core.matching import Bools, accept_rates, mask
from dispatch.live.table import Table
from dispatch.ports import UnitStates
from geo.point import Floats
from schemas.incident import OfferState
from schemas.plan import Need
from schemas.unit import UnitRow, UnitState

_OFFER_OVER: Final = frozenset(
    {
        Event.LAPSED,
        Event.ACCEPTED,
        Event.DECLINED,
        Event.EXPIRED,
        Event.WITHDRAWN,
        Event.TAKEN,
        Event.OFFER_CANCELLED,
    }
)
_KINDS: Final = np.dtype(
    [
        ("capabilities", "u8"),
        ("min_crew", "i2"),
        ("on_duty", "i2"),
        ("paused", "i2"),
        ("disabled", "?"),
        ("fixed", "?"),
        ("engaged", "?"),
        ("offered", "i2"),
        ("offers", "i4"),
        ("accepts", "i4"),
        ("asked", "i4"),
        ("pushable", "i2"),
    ]
)
_STANDING: Final = {
    "engaged": "engaged",
    "disabled": "disabled",
    "offered": "open_offers",
    "on_duty": "on_duty",
    "paused": "paused",
}
"""What a unit's state is reckoned from, by the columns of the store's word on it."""
_KEPT: Final = {**_STANDING, "offers": "offers", "accepts": "accepts", "pushable": "pushable"}
"""What of a unit changes with what is decided and registered, and with nothing else."""


class Ledger:
    """The store's word on each unit; what is decided is folded in as it is committed."""

    def __init__(self, rows: int = 0) -> None:
        self.table = Table(_KINDS, rows)

    def put(self, i: int, row: UnitRow) -> None:
        """Take what the store says of a unit."""
        unit, cells = row.unit, self.table
        cells["capabilities"][i] = mask(unit.capabilities)
        cells["min_crew"][i] = unit.min_crew
        cells["fixed"][i], cells["disabled"][i] = unit.fixed, unit.disabled
        cells["on_duty"][i], cells["paused"][i] = row.on_duty, row.paused
        cells["engaged"][i], cells["offered"][i] = row.engaged, row.open_offers
        cells["offers"][i], cells["accepts"][i] = row.offers, row.accepts
        cells["asked"][i] = row.asked_24h
        cells["pushable"][i] = row.pushable

    def fold(self, i: int, entry: Entry) -> None:
        """Apply a committed entry: who is asked, who is engaged, who was asked how often."""
        cells = self.table
        if entry.type is Event.OFFERED:
            cells["offered"][i] += 1
            cells["offers"][i] += 1
            cells["asked"][i] += 1
        elif entry.type in _OFFER_OVER and entry.data["before"] == OfferState.OPEN:
            cells["offered"][i] = max(0, cells["offered"][i] - 1)
        elif entry.type is Event.ASSIGNED:
            cells["engaged"][i] = True
        elif entry.type is Event.ASSIGNMENT_ENDED:
            cells["engaged"][i] = False
        if entry.type is Event.ACCEPTED:
            cells["accepts"][i] += 1

    def call_on(self, i: int, *, engaged: bool, ringing: int) -> None:
        """Take whether a unit is sent anywhere, and how many offers ring at it."""
        self.table["engaged"][i], self.table["offered"][i] = engaged, ringing

    def busy(self) -> NDArray[np.intp]:
        """Return the rows thought to be asked or engaged."""
        return np.flatnonzero(self.table["engaged"] | (self.table["offered"] > 0))

    def unlike(self, rows: NDArray[np.intp], states: UnitStates) -> Bools:
        """Say of which rows the store tells facts that make another state, one row a state."""
        unlike = np.zeros(len(rows), np.bool_)
        for name, column in _STANDING.items():
            unlike |= self.table[name][rows] != np.array(getattr(states, column))
        return unlike

    def holds(self, i: int, row: UnitRow) -> bool:
        """Say whether a unit is as the store says, but for what changes with time."""
        kept = {**msgspec.structs.asdict(row), "disabled": row.unit.disabled}
        return all(self.table[name][i] == kept[fact] for name, fact in _KEPT.items())

    def capable(self, i: int, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        wanted = mask(need.capabilities)
        return bool(self.table["capabilities"][i] & wanted == wanted)

    def rates(self) -> Floats:
        """Return how likely each unit is to accept."""
        return accept_rates(self.table["accepts"], self.table["offers"])

    def state(self, i: int) -> UnitState:
        """Return what a unit is free for."""
        row = self.table.row(i)
        return unit_state(
            disabled=bool(row["disabled"]),
            engaged=bool(row["engaged"]),
            open_offers=int(row["offered"]),
            on_duty=int(row["on_duty"]),
            paused=int(row["paused"]),
            min_crew=int(row["min_crew"]),
        )
