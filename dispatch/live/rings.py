"""Which units stand inside the ring of an incident that looks for units: they report more often."""

from dispatch.live.times import Times
from schemas.base import IncidentId, UnitId

NOBODY: frozenset[UnitId] = frozenset()


class Rings:
    """The units around each incident, as its last decision saw them."""

    def __init__(self) -> None:
        self._around: dict[IncidentId, frozenset[UnitId]] = {}
        self._times = Times[UnitId]()

    def __len__(self) -> int:
        """Return how many incidents look for units."""
        return len(self._around)

    def __contains__(self, unit_id: object) -> bool:
        """Say whether a unit stands inside any ring."""
        return unit_id in self._times

    def put(self, incident_id: IncidentId, unit_ids: frozenset[UnitId]) -> set[UnitId]:
        """Take who stands around an incident now; return whose situation is another by it."""
        before = self._around.pop(incident_id, NOBODY)
        if unit_ids:
            self._around[incident_id] = unit_ids
        was = (before | unit_ids) & self._times.keys()
        self._times.update(unit_ids)
        self._times.less(before)
        return {u for u in before | unit_ids if (u in was) is not (u in self._times)}
