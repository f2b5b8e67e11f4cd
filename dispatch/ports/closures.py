"""Which roads are closed; a part of every store."""

from typing import Protocol

from dispatch.ports.commands import Answer, Once
from schemas.base import Instant
from schemas.closure import Closure, ClosureId


class Closures(Protocol):
    """Which roads are closed, and till when; a part of every store."""

    async def put_closure(
        self, closure: Closure, most: int, once: Once, answer: Answer
    ) -> bool: ...
    async def end_closure(self, closure_id: ClosureId, by: str, now: Instant) -> bool: ...
    async def closure(self, closure_id: ClosureId) -> Closure | None: ...
    async def open_closures(self, most: int, now: Instant) -> list[Closure]: ...
    async def closures(
        self, scope: str, before: ClosureId | None, limit: int, now: Instant
    ) -> list[Closure]: ...
    async def closure_changes(self) -> int: ...
