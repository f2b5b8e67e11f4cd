"""The ways of units to their scenes, fix by fix: what they prove is told once."""

from dispatch.core.approach import Approach, followed, reached
from dispatch.core.fixes import Fix
from geo.point import Point
from schemas.base import AssignmentId, UnitId
from schemas.incident import Assignment, Incident
from schemas.wire import Reached


class Ways:
    """One way for each task of a unit; a task that is over is forgotten with the next fix."""

    def __init__(self) -> None:
        self._ways: dict[UnitId, dict[AssignmentId, Approach]] = {}
        self._told: dict[AssignmentId, Reached] = {}

    def __len__(self) -> int:
        """Return how many units are followed."""
        return len(self._ways)

    def take(
        self, unit_id: UnitId, fix: Fix, tasks: list[tuple[Incident, Assignment]]
    ) -> list[tuple[Incident, Assignment, Reached]]:
        """Follow a unit by one more fix; return the steps it proves that were not told yet."""
        before = self._ways.pop(unit_id, {})
        ways = {
            task.id: followed(before.get(task.id), Point(incident.lon, incident.lat), fix)
            for incident, task in tasks
        }
        for over in before.keys() - ways.keys():
            self._told.pop(over, None)
        if ways:
            self._ways[unit_id] = ways
        return [
            (incident, task, step)
            for incident, task in tasks
            if (step := self._news(task, ways[task.id], fix)) is not None
        ]

    def _news(self, task: Assignment, way: Approach, fix: Fix) -> Reached | None:
        step = reached(way, task.state, fix)
        if step is None or self._told.get(task.id) is step:
            return None
        self._told[task.id] = step
        return step

    def again(self, task_id: AssignmentId) -> None:
        """Tell a step once more with the next fix: it could not be written down."""
        self._told.pop(task_id, None)
