"""What memory is compared with, and whose turn it is, in memory."""

from collections.abc import Callable
from itertools import islice

from dispatch.core.lifecycle import OVER
from dispatch.ports import UnitStates
from dispatch.store.memory_tables import MemoryTables
from schemas.base import IncidentId, Instant, UnitId
from schemas.incident import OfferState
from schemas.unit import Duty


class MemoryChecks(MemoryTables):
    """The part of the store in memory that is asked whether memory is right."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._turns: dict[str, Instant] = {}

    async def unit_states(self, after: UnitId | None, limit: int) -> UnitStates:
        """Return what decides the states of the next units, by id; empty after the last."""
        above = (u for u in sorted(self._units) if after is None or u > after)
        some = list(islice(above, limit))
        return UnitStates(
            unit_ids=some,
            engaged=[u in self._active for u in some],
            disabled=[self._units[u].disabled for u in some],
            open_offers=[self._ringing(u) for u in some],
            on_duty=[self._on_duty(u, Duty.ON) for u in some],
            paused=[self._on_duty(u, Duty.PAUSED) for u in some],
        )

    def _ringing(self, unit_id: UnitId) -> int:
        return sum(offer.state is OfferState.OPEN for offer in self._open_to(unit_id))

    async def live_versions(self) -> dict[IncidentId, int]:
        """Return the version of every case that is not over."""
        return {i: row.version for i, row in self._incidents.items() if row.status not in OVER}

    async def claim_turn(self, work: str, until: Instant, now: Instant) -> bool:
        """Take a piece of work that one process does, till then; False where another has it."""
        if self._turns.get(work, now) > now:
            return False
        self._turns[work] = until
        return True
