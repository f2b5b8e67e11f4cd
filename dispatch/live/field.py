"""What memory knows around one incident at one moment: the desk's view while it decides."""

from functools import cached_property

from dispatch.core.matching import Candidate, Found
from dispatch.live.fleet import Fleet
from dispatch.live.near import Near
from geo.point import Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import UnitState


class FleetField:
    """The fleet seen from a place. One search serves the whole decision."""

    def __init__(self, fleet: Fleet, place: Point, now_s: float) -> None:
        self._fleet = fleet
        self._place = place
        self._now_s = now_s

    @cached_property
    def _reach(self) -> Near:
        return self._fleet.reach(self._place, self._now_s)

    def candidates(self, need: Need, ring_s: int, excluded: frozenset[UnitId]) -> Found:
        """Return who in the ring may be asked, best first."""
        return self._fleet.find(self._reach, need, ring_s, excluded, self._now_s)

    def eta_s(self, unit_id: UnitId) -> float:
        """Return a unit's newest ETA; inf where it is too far or not known."""
        row = self._fleet.row(unit_id)
        return float("inf") if row is None else self._reach.of(row)[0]

    def candidate(self, unit_id: UnitId) -> Candidate | None:
        """Return any unit as a candidate, wherever it is; None where it is not known."""
        row = self._fleet.row(unit_id)
        return None if row is None else self._fleet.candidate(row, self._reach, self._now_s)

    def state(self, unit_id: UnitId) -> UnitState | None:
        """Return what a unit is free for; None where it is not known."""
        return self._fleet.state(unit_id) if unit_id in self._fleet else None

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        return self._fleet.capable(unit_id, need)
