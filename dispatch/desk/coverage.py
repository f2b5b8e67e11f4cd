"""The coverage of the whole city, made on demand in a thread and kept for ten seconds.

The answer is made of what `geo.coverage` keeps: only units that moved are searched for anew, a few
hundred at a time with the event loop let in between, so that no offer waits for a statistic. What
is not done within `WORK_S` is said to be pending, and done for whoever asks next.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from dispatch.auth import Grant, Right
from dispatch.core.errors import Forbidden
from dispatch.core.matching import p_arrived
from dispatch.live.fleet import Fleet
from dispatch.ports import Clock
from geo.coverage import (
    RINGS_S,
    Coverage,
    Covered,
    Part,
    Places,
    Reaching,
    StraightReaching,
    parts,
)
from geo.eta import EtaModel, Quality, StraightLine
from geo.jurisdiction import JurisdictionIndex, Level, within
from geo.point import Flags, Floats
from geo.road_coverage import RoadReaching
from geo.road_eta import RoadNetwork
from schemas.base import Instant

KEPT_S: Final = 10.0
WORK_S: Final = 5.0
"""How long one answer is worked on at most, the reading of the first map apart."""
AT_ONCE: Final = 256
"""Units searched for in one go: some 20 ms compiled."""
BREATH_S: Final = 0.005
STEP_S: Final = 0.25
KNOTS_S: Final = np.arange(0.0, RINGS_S[-1] + STEP_S, STEP_S)
ARRIVED: Final = {
    ring_s: np.array([p_arrived(eta_s, ring_s) for eta_s in KNOTS_S]) for ring_s in RINGS_S
}


class City(NamedTuple):
    """How the whole city is covered at an instant; `order` is that of the grids' paths."""

    at: Instant
    places: Places
    covered: tuple[Covered, ...]
    far: Flags
    quality: Quality
    free_units: int
    pending: int

    def inside(self, scope: str) -> Flags:
        """Return which grids lie in a jurisdiction."""
        return np.array([within(path, scope) for path in self.places.paths], np.bool_)


class Summary(NamedTuple):
    """The sums of a jurisdiction and of parts of it, by path."""

    city: City
    age_s: float
    total: Part
    parts: list[Part]


class CityCoverage:
    """Keeps the last answer; whoever asks for an older one waits until a new one is made."""

    def __init__(
        self,
        *,
        clock: Clock,
        fleet: Fleet,
        places: Callable[[], JurisdictionIndex],
        closed: Callable[[], int],
        work_s: float = WORK_S,
    ) -> None:
        """Take the places there are now, and a number that changes with what is closed."""
        self._clock = clock
        self._fleet = fleet
        self._index = places
        self._closed = closed
        self._work_s = work_s
        self._city: City | None = None
        self._making: asyncio.Task[City] | None = None
        self._known: JurisdictionIndex | None = None
        self._roads: tuple[int, bytes] | None = None
        self._places = Places((), np.zeros(0), np.zeros(0))
        self._coverage: Coverage | None = None

    async def of(self, grant: Grant, juris: str | None, level: int | None) -> Summary:
        """Return how a jurisdiction is covered, and each of its parts at a level below."""
        scope = self._scope(grant, juris)
        city = await self._fresh()
        age_s = (self._clock.now() - city.at).total_seconds()
        return await asyncio.to_thread(_summary, city, age_s, scope, level)

    async def grids(self, grant: Grant, juris: str | None) -> tuple[City, list[int]]:
        """Return how the city is covered, and which of its grids lie in a jurisdiction."""
        scope = self._scope(grant, juris)
        city = await self._fresh()
        return city, await asyncio.to_thread(lambda: np.flatnonzero(city.inside(scope)).tolist())

    def name(self, path: str) -> str:
        """Return the name of a jurisdiction."""
        found = self._index().get(path)
        return found.name if found else ""

    def _scope(self, grant: Grant, juris: str | None) -> str:
        grant.require(Right.SEE_UNITS)
        scope = juris or grant.juris
        if not within(scope, grant.juris):
            raise Forbidden("it goes beyond your jurisdiction")
        return scope

    async def _fresh(self) -> City:
        """Return the last answer while it is new, else the next; all who wait share it."""
        city, now = self._city, self._clock.now()
        if city is not None and 0 <= (now - city.at).total_seconds() < KEPT_S:
            return city
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
        return await asyncio.shield(self._making)

    async def _make(self) -> City:
        coverage = await self._ready()
        at = self._clock.now()
        footing = self._fleet.footing(at.timestamp())
        coverage.take(footing.lons, footing.lats, footing.moves)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._work_s
        while coverage.pending:
            await asyncio.to_thread(coverage.work, AT_ONCE)
            if loop.time() >= until_s:
                break
            await asyncio.sleep(BREATH_S)
        covered = await asyncio.to_thread(
            coverage.covered, footing.free, footing.rates, chances, footing.later_s
        )
        self._city = City(
            at=at,
            places=self._places,
            covered=covered,
            far=coverage.far,
            quality=self._fleet.model.quality,
            free_units=int(np.count_nonzero(footing.free)),
            pending=coverage.pending,
        )
        return self._city

    async def _ready(self) -> Coverage:
        """Return what is kept, made anew where places, closures or factors have changed."""
        index, model = self._index(), self._fleet.model
        roads = (self._closed(), _factors(model))
        if self._known is not index:
            places = await asyncio.to_thread(Places.of, index)
            if self._coverage is None or not places.same(self._places):
                reaching = await asyncio.to_thread(_reaching, model, places)
                self._coverage = Coverage(len(places.paths), reaching)
                self._places, self._roads = places, roads
            self._known = index
        assert self._coverage is not None, "made with the first places"  # noqa: S101 - it was
        if roads != self._roads:
            await asyncio.to_thread(self._coverage.again)
            self._roads = roads
        return self._coverage


def chances(eta_s: Floats, seconds: float) -> Floats:
    """Return for each ETA the chance of an arrival by a ring's end, as `p_arrived` tells it."""
    found: Floats = np.interp(eta_s, KNOTS_S, ARRIVED[seconds])
    return found


def _factors(model: EtaModel) -> bytes:
    return model.factors.tobytes() if isinstance(model, RoadNetwork) else b""


def _reaching(model: EtaModel, places: Places) -> Reaching:
    if isinstance(model, RoadNetwork):
        return RoadReaching(model, places.lons, places.lats)
    straight = model if isinstance(model, StraightLine) else StraightLine()
    return StraightReaching(straight, places.lons, places.lats)


def _summary(city: City, age_s: float, scope: str, level: int | None) -> Summary:
    """Return the sums of a jurisdiction, and of its parts at a level; else of those one below."""
    inside, depth = city.inside(scope), scope.count(".") + 1
    below = max(depth, min(depth + 1, Level.GRID) if level is None else level)
    total = next(iter(_parts(city, inside, depth)), Part(scope, 0, 0.0, (0.0, 0.0), (0.0, 0.0)))
    return Summary(city, age_s, total, _parts(city, inside, below))


def _parts(city: City, inside: Flags, level: int) -> list[Part]:
    """Return the sums of the jurisdictions of a level, of the grids inside."""
    paths = [path for path, here in zip(city.places.paths, inside, strict=True) if here]
    covered = [Covered(each.units[inside], each.p[inside]) for each in city.covered]
    return parts(paths, np.ones(len(paths)), covered, level)
