"""Whether this process thinks what the store says: what differs is counted, and read again."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from dispatch.desk.desk import Desk
from dispatch.ports import UnitStates
from schemas.base import IncidentId, UnitId
from schemas.incident import Case
from schemas.unit import Member, UnitRow

log = structlog.get_logger()
T = TypeVar("T")

SLICE: Final = 1000
"""Units a look: it costs the loop about a millisecond, and between two of them others run."""
UNITS_SAMPLED: Final = 100
CASES_SAMPLED: Final = 10
CASES_MOST: Final = 100
"""Cases read again by one comparison; the others are found by the next."""
SAMPLE_EVERY_S: Final = 10
WORD_S: Final = 0.1
"""So long the word of a decision may be under way, after it is on disk."""


class Agreement:
    """Memory is a hint; here it is held against the store.

    What this process is changing meanwhile is no difference: it is left out. A unit counts only
    where a second look finds it different too, a case where its word should have come by then.
    Nothing `counts` where differences are expected.
    """

    def __init__(self, desk: Desk, *, counts: bool = True) -> None:
        self._desk = desk
        self._counts = counts
        self.complete = True
        """Whether the last comparison of cases left none out."""

    async def check(self) -> None:
        """Compare versions of cases, and everything of a sample."""
        await self.cases()
        await self.sample()

    # Every unit's state. ---------------------------------------------------------------------

    async def states(self) -> list[UnitId]:
        """Compare what decides the state of every unit; return those that were other."""
        desk, suspects = self._desk, list[UnitId]()
        after: UnitId | None = None
        with desk.in_flight.watching() as changed:
            while (some := await desk.store.unit_states(after, SLICE)).unit_ids:
                suspects += desk.fleet.unlike(some)
                after = some.unit_ids[-1]
            if suspects := [u for u in suspects if u not in changed]:
                rows = await desk.store.unit_rows(desk.clock.now(), suspects)
                wrong = set(desk.fleet.unlike(_states(rows))) - changed
                return self._take_units([row for row in rows if row.unit.id in wrong])
        return []

    async def crews(self) -> list[UnitId]:
        """Compare every member; return the units whose crews were other."""
        unit_ids, wrong = [unit.id for unit in self._desk.fleet], list[UnitId]()
        for start in range(0, len(unit_ids), SLICE):
            with self._desk.in_flight.watching() as changed:
                members = await self._desk.store.crews(unit_ids[start : start + SLICE])
            wrong += self._take_members([m for m in members if m.unit_id not in changed])
        return wrong

    def _take_members(self, members: Sequence[Member]) -> list[UnitId]:
        roster = self._desk.roster
        wrong = [m for m in members if m != roster.member(m.unit_id, m.id)]
        roster.put(wrong)
        unit_ids = [m.unit_id for m in wrong]
        self._count("crew", unit_ids)
        self._desk.changed(unit_ids)
        return unit_ids

    def _take_units(self, rows: Sequence[UnitRow]) -> list[UnitId]:
        for row in rows:
            self._desk.fleet.put(row)
        wrong = [row.unit.id for row in rows]
        self._count("unit", wrong)
        self._desk.changed(wrong)
        return wrong

    # Every case's version. -------------------------------------------------------------------

    async def cases(self) -> list[IncidentId]:
        """Compare the version of every case that is not over; return those that were other."""
        with self._desk.in_flight.watching() as changed:
            found = await self._desk.store.live_versions()
            if wrong := self._unlike(found):
                await asyncio.sleep(WORD_S)
                wrong = [i for i in self._unlike(found) if i in wrong]
        some = [i for i in wrong if i not in changed][:CASES_MOST]
        self.complete = len(some) == len(wrong)
        return await self._look_at(some)

    def _unlike(self, found: Mapping[IncidentId, int]) -> list[IncidentId]:
        """Return the cases of which memory has another version than was found."""
        held = self._desk.board.versions()
        return [i for i in sorted(found.keys() | held.keys()) if found.get(i) != held.get(i)]

    async def _look_at(self, incident_ids: Iterable[IncidentId]) -> list[IncidentId]:
        """Read cases, and take those that are other than memory has them."""
        wrong = [i for i in incident_ids if await self._differs(i)]
        self._count("case", wrong)
        return wrong

    async def _differs(self, incident_id: IncidentId) -> bool:
        desk = self._desk
        with desk.in_flight.watching() as changed:
            case = (await desk.store.load(incident_id, None)).case
        known = desk.board.case(incident_id)
        if case is None or incident_id in changed or _settled(case) == _settled(known):
            self.complete &= incident_id not in changed
            return False
        desk.take(case)
        return True

    # All the rest, of some. ------------------------------------------------------------------

    async def sample(self) -> None:
        """Compare everything of some units and cases; whose turn it is goes by the clock."""
        turn = int(self._desk.clock.now().timestamp()) // SAMPLE_EVERY_S
        await self._sample_units(_some([unit.id for unit in self._desk.fleet], turn, UNITS_SAMPLED))
        await self._look_at(_some(sorted(self._desk.board.versions()), turn, CASES_SAMPLED))

    async def _sample_units(self, unit_ids: Sequence[UnitId]) -> None:
        desk = self._desk
        with desk.in_flight.watching() as changed:
            rows = await desk.store.unit_rows(desk.clock.now(), unit_ids)
            members = await desk.store.crews(unit_ids)
        here = [r for r in rows if r.unit.id not in changed and r.unit.id in desk.fleet]
        crew = [m for m in members if m.unit_id not in changed]
        self._count("unit", [r.unit.id for r in here if not desk.fleet.holds(r)])
        self._count("crew", [m.unit_id for m in crew if m != desk.roster.member(m.unit_id, m.id)])
        for row in here:
            desk.fleet.put(row)
        desk.roster.put(crew)
        desk.changed(row.unit.id for row in here)

    def _count(self, of: str, ids: Sequence[str]) -> None:
        if ids and self._counts:
            self._desk.metrics.differences.labels(of).inc(len(ids))
            log.warning("memory_differed", of=of, number=len(ids), first=ids[0])


def _states(rows: Sequence[UnitRow]) -> UnitStates:
    return UnitStates(
        unit_ids=[row.unit.id for row in rows],
        engaged=[row.engaged for row in rows],
        disabled=[row.unit.disabled for row in rows],
        open_offers=[row.open_offers for row in rows],
        on_duty=[row.on_duty for row in rows],
        paused=[row.paused for row in rows],
    )


def _settled(case: Case | None) -> Case | None:
    """Return a case without what is written beside its version: the first delivery of an offer."""
    if case is None:
        return None
    return replace(case, offers=tuple(replace(o, delivered_at=None) for o in case.offers))


def _some(everything: Sequence[T], turn: int, most: int) -> Sequence[T]:
    """Return the part whose turn it is; one after the other, everything has its turn."""
    start = turn * most % (len(everything) or 1)
    return everything[start : start + most]
