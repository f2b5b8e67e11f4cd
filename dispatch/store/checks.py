"""What a process compares its memory with on PostgreSQL, and whose turn it is to check the rest."""

from dispatch.ports import Broken, UnitStates
from dispatch.store import check_statements as sql
from dispatch.store.invariants import INVARIANTS
from dispatch.store.pools import Pools, translated
from schemas.base import IncidentId, Instant, UnitId


class PostgresChecks(Pools):
    """The part of the store that is asked whether memory is right."""

    async def broken(self, most: int) -> list[Broken]:
        """Return where an invariant does not hold, at most `most` rows a rule."""
        found = []
        for rule, statement in INVARIANTS.items():
            rows = await self._rows(statement, most)
            found += [
                Broken(rule=rule, incident_id=r[0], unit_id=r[1] if len(r) > 1 else None)
                for r in rows
            ]
        return found

    async def unit_states(self, after: UnitId | None, limit: int) -> UnitStates:
        """Return what decides the states of the next units, by id; empty after the last."""
        with translated():
            row = await self._side.fetchrow(sql.UNIT_STATES, after, limit)
        assert row is not None, "an aggregate always returns one row"  # noqa: S101 - a fact of the SQL
        return UnitStates(**{name: column or () for name, column in row.items()})

    async def live_versions(self) -> dict[IncidentId, int]:
        """Return the version of every case that is not over."""
        with translated():
            rows = await self._side.fetch(sql.LIVE_VERSIONS)
        return {IncidentId(r["id"]): r["version"] for r in rows}

    async def claim_turn(self, work: str, until: Instant, now: Instant) -> bool:
        """Take a piece of work that one process does, till then; False where another has it."""
        with translated():
            return await self._side.fetchval(sql.CLAIM_TURN, work, until, now) is not None
