"""Who set out, and who is there, by their fixes: written down without anybody pressing a button."""

from typing import Final

import structlog

from dispatch.core.commands import Located
from dispatch.core.decision import Actor
from dispatch.core.errors import Refusal, Temporary
from dispatch.core.fixes import Fix
from dispatch.desk import answers
from dispatch.desk.desk import Desk
from dispatch.live.ways import Ways
from dispatch.ports import Once
from dispatch.trace import begin
from schemas.base import IncidentId, Instant, UnitId
from schemas.incident import Assignment
from schemas.wire import Reached

log = structlog.get_logger()

BY_FIXES: Final = Actor(by="engine", via="gps")
WAITING_MOST: Final = 10_000
"""Steps not written down yet: what is more is found again by the next fix."""


class Arrivals:
    """The steps that fixes prove, until they are on disk."""

    def __init__(self, desk: Desk, waiting_most: int = WAITING_MOST) -> None:
        self._desk = desk
        self._waiting_most = waiting_most
        self._ways = Ways()
        self._waiting: list[tuple[IncidentId, Located]] = []

    def take(self, unit_id: UnitId, fix: Fix, at: Instant) -> None:
        """Follow a unit on a task by one more fix. Never waits."""
        tasks = self._desk.board.tasks_of(unit_id)
        for incident, task, reached in self._ways.take(unit_id, fix, tasks):
            if len(self._waiting) < self._waiting_most:
                self._waiting.append((incident.id, _located(task, reached, at)))
            else:
                self._ways.again(task.id)

    async def write_down(self) -> None:
        """Carry out what was found; what a store away prevents is found again by the next fix."""
        waiting, self._waiting = self._waiting, []
        for incident_id, step in waiting:
            begin(self._desk.clock.new_trace())
            try:
                await self._desk.carry_out(
                    incident_id, step, BY_FIXES, _once(step), answers.changed
                )
            except Temporary:
                self._ways.again(step.task_id)
            except Refusal as refusal:
                # Somebody said so meanwhile, or the task is over: there is nothing to write down.
                log.info("step_known", task=step.task_id, step=step.reached, code=refusal.code)


def _located(task: Assignment, reached: Reached, at: Instant) -> Located:
    return Located(unit_id=task.unit_id, task_id=task.id, reached=reached, at=at)


def _once(step: Located) -> Once:
    """Return the id that makes one step of one task one, whichever process finds it."""
    return Once(scope="gps", id=f"{step.task_id}:{step.reached}", digest=b"")
