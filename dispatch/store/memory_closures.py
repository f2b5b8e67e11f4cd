"""Closures in memory: kept with their answer, ended once, and a number that tells of both."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.ports import Answer, Once
from dispatch.store.memory_tables import MemoryTables
from geo.jurisdiction import within
from schemas.base import Instant
from schemas.closure import Closure, ClosureId

FORGOTTEN: Final = timedelta(days=30)


class MemoryClosures(MemoryTables):
    """The part of the store in memory that keeps which roads are closed."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._closures: dict[ClosureId, Closure] = {}
        self._closure_changes = 0

    async def put_closure(self, closure: Closure, most: int, once: Once, answer: Answer) -> bool:
        """Keep a closure; `False` where `most` are in force already.

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        if len(await self.open_closures(most, closure.at)) >= most:
            return False
        self._keep_once(once, answer, closure.at)
        self._closures[closure.id] = closure
        self._closure_changes += 1
        return True

    async def end_closure(self, closure_id: ClosureId, by: str, now: Instant) -> bool:
        """End a closure; `False` where it was not in force any more."""
        closure = self._closures.get(closure_id)
        if closure is None or not _in_force(closure, now):
            return False
        self._closures[closure_id] = replace(closure, ended_at=now, ended_by=by)
        self._closure_changes += 1
        return True

    async def closure(self, closure_id: ClosureId) -> Closure | None:
        """Return a closure, in force or not."""
        return self._closures.get(closure_id)

    async def open_closures(self, most: int, now: Instant) -> list[Closure]:
        """Return the closures in force, oldest first."""
        return [c for _, c in sorted(self._closures.items()) if _in_force(c, now)][:most]

    async def closures(
        self, scope: str, before: ClosureId | None, limit: int, now: Instant
    ) -> list[Closure]:
        """Return those in force in a jurisdiction, and in those it lies in; newest first."""
        chosen = [
            c
            for _, c in sorted(self._closures.items(), reverse=True)
            if _in_force(c, now)
            and (within(c.juris, scope) or within(scope, c.juris))
            and (before is None or c.id < before)
        ]
        return chosen[:limit]

    async def closure_changes(self) -> int:
        """Return a number that has grown whenever a closure was made or ended."""
        return self._closure_changes

    def _forget_closures(self, now: Instant, most: int) -> int:
        """Delete what ended long ago; return how many."""
        old = [i for i, c in sorted(self._closures.items()) if _ended(c) < now - FORGOTTEN]
        for closure_id in old[:most]:
            del self._closures[closure_id]
        return len(old[:most])


def _in_force(closure: Closure, now: Instant) -> bool:
    return closure.ended_at is None and closure.expires_at > now


def _ended(closure: Closure) -> Instant:
    return closure.ended_at or closure.expires_at
