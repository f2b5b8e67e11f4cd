"""What memory knows around one incident at one moment: the desk's view while it decides."""

from functools import cached_property
from math import isfinite

from msgspec.structs import replace

from dispatch.core.matching import Candidate, Found
from dispatch.live.fleet import Fleet
from dispatch.live.near import Near
from dispatch.live.told import Told
from geo.point import Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import UnitState


class FleetField:
    """The fleet seen from a place. One search serves the whole decision.

    `hidden`: seen by an incident of the service's own, which knows hidden units and no others; to
    all other incidents there are none. `told`: what a router says of some; they alone are ranked
    then, and only where none of them will do the fleet's own reckoning, whole, takes its place.
    """

    def __init__(
        self,
        fleet: Fleet,
        place: Point,
        now_s: float,
        *,
        hidden: bool = False,
        told: Told | None = None,
    ) -> None:
        self._told = told
        self._fleet = fleet
        self._place = place
        self._now_s = now_s
        self._hidden = hidden

    def _row(self, unit_id: UnitId) -> int | None:
        if (unit_id in self._fleet.hidden) is not self._hidden:
            return None
        return self._fleet.row(unit_id)

    @cached_property
    def _reach(self) -> Near:
        if self._hidden:
            return self._fleet.at_hand(self._fleet.hidden)
        return self._fleet.reach(self._place, self._now_s)

    @cached_property
    def _heard(self) -> Near | None:
        return None if self._told is None or self._hidden else self._told.near(self._fleet)

    def candidates(self, need: Need, ring_s: int, excluded: frozenset[UnitId]) -> Found:
        """Return who in the ring may be asked, best first."""
        barred = excluded if self._hidden else excluded | self._fleet.hidden
        if self._heard is not None:
            found = self._fleet.find(self._heard, need, ring_s, barred, self._now_s)
            if found.candidates:
                return self._signed(found)
        return self._fleet.find(self._reach, need, ring_s, barred, self._now_s)

    def _signed(self, found: Found) -> Found:
        by = self._told.by if self._told else ""
        return replace(
            found, candidates=tuple(replace(one, told_by=by) for one in found.candidates)
        )

    def eta_s(self, unit_id: UnitId) -> float:
        """Return a unit's newest ETA; inf where it is too far or not known."""
        row = self._row(unit_id)
        if row is None:
            return float("inf")
        heard_s = self._heard.of(row)[0] if self._heard is not None else float("inf")
        return heard_s if heard_s < float("inf") else self._reach.of(row)[0]

    def candidate(self, unit_id: UnitId) -> Candidate | None:
        """Return any unit as a candidate, wherever it is; None where it is not known."""
        row = self._row(unit_id)
        if row is None:
            return None
        if self._told is not None and self._heard is not None and isfinite(self._heard.of(row)[0]):
            heard = self._fleet.candidate(row, self._heard, self._now_s)
            return replace(heard, told_by=self._told.by)
        return self._fleet.candidate(row, self._reach, self._now_s)

    def state(self, unit_id: UnitId) -> UnitState | None:
        """Return what a unit is free for; None where it is not known."""
        return None if self._row(unit_id) is None else self._fleet.state(unit_id)

    def age_s(self, unit_id: UnitId) -> float:
        """Return how old a unit's position is; inf where only its home post is known."""
        if unit_id not in self._fleet:
            return float("inf")
        age_s = self._fleet.standing(unit_id, self._now_s).age_s
        return float("inf") if age_s is None else age_s

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        return self._fleet.capable(unit_id, need)
