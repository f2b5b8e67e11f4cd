"""What a process holds its memory against; a part of every store."""

from collections.abc import Sequence
from typing import Protocol

from schemas.base import IncidentId, Instant, Record, UnitId


class Broken(Record, frozen=True, kw_only=True):
    """An invariant that does not hold, and the incident or unit where it does not."""

    rule: str
    incident_id: IncidentId | None
    unit_id: UnitId | None = None


class UnitStates(Record, frozen=True, kw_only=True):
    """What decides the states of some units, a column for each fact; ordered by id."""

    unit_ids: Sequence[UnitId]
    engaged: Sequence[bool]
    disabled: Sequence[bool]
    open_offers: Sequence[int]
    on_duty: Sequence[int]
    paused: Sequence[int]


class Checks(Protocol):
    """What a process compares its memory with, and whose turn it is; a part of every store."""

    async def broken(self, most: int) -> list[Broken]: ...
    async def unit_states(self, after: UnitId | None, limit: int) -> UnitStates: ...
    async def live_versions(self) -> dict[IncidentId, int]: ...
    async def claim_turn(self, work: str, until: Instant, now: Instant) -> bool: ...


class Canaries(Protocol):
    """The service's own incidents, apart from all others; a part of every store."""

    async def put_canary(self) -> None: ...
    async def canary_ended(self, *, well: bool) -> bool: ...
    async def forget_canaries(self, before: Instant, most: int) -> int: ...
