"""Closed roads by the desk: who may, what is bounded, and that every process takes them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pytest
import shapely

from dispatch.auth import Grant, Role
from dispatch.core.errors import Conflict, Forbidden, IdReuse, Invalid, NotFound, Unavailable
from dispatch.desk.closures import OPEN_MOST, Closures, holder
from dispatch.ports import Answer, Once, StoreAway
from dispatch.store.memory import MemoryStore
from geo.datum import Datum, point_from_wgs84
from geo.eta import StraightLine
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Point
from geo.road_eta import RoadNetwork
from schemas.base import Instant, KeyId
from schemas.closure import CloseRoads, Closure, ClosureId, ClosureView, Effect
from schemas.notices import Polygon
from tests.fakes import START, ManualClock
from tests.geo.net import STEP, at, net

pytestmark = pytest.mark.asyncio
HOUR: Final = timedelta(hours=1)
CITY: Final = Grant(key_id=KeyId("k1"), role=Role.DISPATCHER, juris="gz")
WEST: Final = Grant(key_id=KeyId("k2"), role=Role.DISPATCHER, juris="gz.west")
STREET: Final = Grant(key_id=KeyId("k3"), role=Role.COMMANDER, juris="gz.west.x")
EAST: Final = Grant(key_id=KeyId("k4"), role=Role.DISPATCHER, juris="gz.east")
FEED: Final = Grant(key_id=KeyId("k5"), role=Role.API_FEED, juris="gz")


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """Return a box between lines of the net."""
    low, high = at((west, south)), at((east, north))
    return shapely.box(low.lon, low.lat, high.lon, high.lat)


PLACES: Final = JurisdictionIndex(
    Jurisdiction(path, path, area)
    for path, area in (
        ("gz", box(-200, -200, 200, 200)),
        ("gz.west", box(-200, -200, 2, 200)),
        ("gz.west.x", box(-5, -5, 2, 5)),
        ("gz.east", box(2, -200, 200, 200)),
    )
)


def roads() -> RoadNetwork:
    """Return one street from west to east, and a long way round."""
    street, around = ((0, 0), (4, 0)), ((0, 0), (0, 4), (4, 4), (4, 0))
    return RoadNetwork(net(street, around), compiled=False)


class Process:
    """One process: what it holds of the closures of a store, and its roads."""

    def __init__(
        self, store: MemoryStore, clock: ManualClock, *, by_road: bool = True, **bounds: int
    ) -> None:
        self.clock = clock
        self.roads = roads() if by_road else None
        model = self.roads or StraightLine(compiled=False)
        self.closures = Closures(
            store=store, clock=clock, places=lambda: PLACES, model=model, every_s=0.001, **bounds
        )

    async def close(
        self, area: shapely.Polygon | None = None, grant: Grant = CITY, once: str = "", **facts: Any
    ) -> ClosureView:
        """Close the street in the west, or what is given."""
        given = drawn(box(0.8, -0.2, 1.2, 0.2) if area is None else area)
        body = {"polygon": given, "reason": "河水上涨", "expires_at": self.clock.now() + HOUR}
        answer, _ = await self.closures.close(
            CloseRoads(**{**body, **facts}), grant, command(once or self.clock.new_id())
        )
        return msgspec.json.decode(answer.body, type=ClosureView)

    def through(self) -> bool:
        """Tell whether one still gets through the street in the west in time."""
        assert self.roads is not None
        here, foot = at((1.5, 0)), np.zeros(1, np.uint8)
        reach = self.roads.etas(at((0.5, 0)), np.array([here[0]]), np.array([here[1]]), foot, 300)
        return bool(np.isfinite(reach.eta_s[0]))


def drawn(area: shapely.Polygon, datum: Datum = Datum.WGS84) -> Polygon:
    """Return an area as it comes over REST."""
    ring = [list(point_from_wgs84(Point(*corner), datum)) for corner in area.exterior.coords]
    return Polygon(type="Polygon", coordinates=[ring], datum=datum)


def command(name: str, digest: bytes = b"same") -> Once:
    """Return the id of a command."""
    return Once(scope="key:k1", id=name, digest=digest)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of all processes."""
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    """The store of all processes."""
    return MemoryStore(clock.now)


@pytest.fixture
def process(store: MemoryStore, clock: ManualClock) -> Process:
    """One of them."""
    return Process(store, clock)


async def test_a_closed_road_leads_nobody_through_at_once(process: Process) -> None:
    """And it is on disk."""
    assert process.through()
    view = await process.close()
    assert not process.through()
    assert (view.effect, view.segments, view.why) == (Effect.CLOSED, 1, None)
    assert (view.jurisdiction, view.by, view.at) == ("gz.west.x", "key:k1", START)
    assert await process.closures.closure(ClosureId(view.id), CITY) == view


@pytest.mark.parametrize("datum", list(Datum))
async def test_it_may_be_drawn_in_any_datum(process: Process, datum: Datum) -> None:
    """It is kept as it was drawn."""
    polygon = drawn(box(0.8, -0.2, 1.2, 0.2), datum)
    view = await process.close(polygon=polygon)
    assert (view.segments, view.polygon) == (1, msgspec.to_builtins(polygon))
    assert not process.through()


async def test_other_processes_take_it_and_its_end(
    process: Process, store: MemoryStore, clock: ManualClock
) -> None:
    """Whatever they held before; and one that starts later too."""
    other = Process(store, clock)
    await other.closures.recover()
    view = await process.close()
    await other.closures.follow()
    assert not other.through()
    late = Process(store, clock)
    await late.closures.recover()
    assert not late.through()
    await process.closures.end(ClosureId(view.id), CITY)
    assert process.through()
    await other.closures.follow()
    assert other.through()


async def test_it_opens_when_its_time_is_up(process: Process, clock: ManualClock) -> None:
    """Everywhere, without a word from anybody."""
    view = await process.close()
    clock.advance(3599)
    await process.closures.follow()
    assert not process.through()
    clock.advance(1)
    await process.closures.follow()
    assert process.through()
    told = await process.closures.closure(ClosureId(view.id), CITY)
    assert (told.effect, told.segments, told.why) == (Effect.NONE, 0, "it is over")


async def test_what_is_closed_twice_is_opened_twice(process: Process) -> None:
    """Two closures of one bridge are two reasons."""
    first, second = await process.close(), await process.close()
    await process.closures.end(ClosureId(first.id), CITY)
    assert not process.through()
    await process.closures.end(ClosureId(second.id), CITY)
    assert process.through()


async def test_ended_again_it_is_as_it_was(process: Process, clock: ManualClock) -> None:
    """Who was first stays."""
    view = await process.close()
    ended = await process.closures.end(ClosureId(view.id), WEST)
    clock.advance(60)
    again = await process.closures.end(ClosureId(view.id), CITY)
    assert ended == again
    assert (again.ended_by, again.ended_at) == ("key:k2", START)


async def test_without_roads_it_is_kept_and_says_that_it_does_nothing(
    store: MemoryStore, clock: ManualClock
) -> None:
    """A process with roads closes them by it."""
    plain, other = Process(store, clock, by_road=False), Process(store, clock)
    view = await plain.close()
    assert (view.effect, view.segments, view.why) == (Effect.NONE, 0, "no roads are loaded")
    await other.closures.follow()
    assert not other.through()
    await plain.closures.end(ClosureId(view.id), CITY)


async def test_where_there_is_no_road_nothing_is_closed(process: Process) -> None:
    """And it says so."""
    view = await process.close(box(0.8, 1, 1.2, 2))
    assert (view.effect, view.why) == (Effect.NONE, "no road passes through the polygon")
    assert process.through()


@pytest.mark.parametrize(
    ("area", "grant", "juris"),
    [
        (box(0.8, -0.2, 1.2, 0.2), STREET, "gz.west.x"),
        (box(0.8, -0.2, 1.2, 0.2), WEST, "gz.west.x"),
        (box(0.8, -0.2, 1.2, 7), WEST, "gz.west"),
        (box(1.8, -0.2, 2.2, 0.2), CITY, "gz"),
    ],
)
async def test_it_belongs_to_the_deepest_jurisdiction_that_holds_it(
    process: Process, area: shapely.Polygon, grant: Grant, juris: str
) -> None:
    """Whoever commands that one, or one above it, may close it."""
    assert (await process.close(area, grant)).jurisdiction == juris


@pytest.mark.parametrize(
    ("area", "grant"),
    [
        (box(0.8, -0.2, 1.2, 0.2), EAST),
        (box(0.8, -0.2, 1.2, 7), STREET),
        (box(1.8, -0.2, 2.2, 0.2), WEST),
        (box(0.8, -0.2, 1.2, 0.2), FEED),
    ],
)
async def test_nobody_closes_what_is_not_all_his(
    process: Process, area: shapely.Polygon, grant: Grant
) -> None:
    """A bridge between two districts is the city's; a feed closes nothing."""
    with pytest.raises(Forbidden):
        await process.close(area, grant)
    assert process.through()


ROUND: Final = shapely.Point(at((1, 0))).buffer(STEP, 64)
BOW_TIE: Final = Polygon(
    type="Polygon",
    coordinates=[
        [[113.27, 23.13], [113.28, 23.14], [113.28, 23.13], [113.27, 23.14], [113.27, 23.13]]
    ],
    datum=Datum.WGS84,
)


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"expires_at": START}, "$.expires_at"),
        ({"expires_at": START + timedelta(days=30, seconds=1)}, "$.expires_at"),
        ({"polygon": BOW_TIE}, "$.polygon"),
        ({"polygon": drawn(ROUND)}, "$.polygon.coordinates"),
        ({"polygon": drawn(box(-50, 0, 60, 1))}, "$.polygon"),
        ({"polygon": drawn(box(0, -50, 1, 60))}, "$.polygon"),
        ({"polygon": drawn(box(190, 0, 210, 1))}, "$.polygon"),
    ],
)
async def test_what_cannot_be_closed_names_its_field(
    process: Process, facts: dict[str, Any], path: str
) -> None:
    """Over already, too long, no area, too many corners, too wide, too high, out of the city."""
    with pytest.raises(Invalid) as refused:
        await process.close(**facts)
    assert refused.value.path == path


async def test_more_road_than_one_closure_may_close_is_refused(
    store: MemoryStore, clock: ManualClock
) -> None:
    """It would hold up all else for too long."""
    process = Process(store, clock, segments_most=1)
    with pytest.raises(Invalid, match="more than 1 stretches"):
        await process.close(box(0.8, -0.2, 4.2, 0.2))
    assert (await process.close()).segments == 1


async def test_the_same_request_closes_once(process: Process) -> None:
    """Another one under its id is refused."""
    first, again = await process.close(once="c1"), await process.close(once="c1")
    assert first == again
    assert len(await process.closures.page(CITY, None, 10)) == 1
    body = CloseRoads(polygon=drawn(box(0.8, -0.2, 1.2, 0.2)), reason="x", expires_at=START + HOUR)
    with pytest.raises(IdReuse):
        await process.closures.close(body, CITY, command("c1", b"other"))


async def test_no_more_are_in_force_than_may_be(process: Process, store: MemoryStore) -> None:
    """Who comes too late is told so."""
    view = await process.close()
    closure = await store.closure(ClosureId(view.id))
    assert closure is not None
    for number in range(OPEN_MOST - 1):
        name = ClosureId(f"{number}")
        kept = msgspec.structs.replace(closure, id=name)
        assert await store.put_closure(
            kept, OPEN_MOST, command(name), Answer(status=201, body=msgspec.Raw(b"{}"))
        )
    with pytest.raises(Conflict) as refused:
        await process.close()
    assert refused.value.state == "full"


async def test_closures_are_seen_where_they_concern_anybody(process: Process) -> None:
    """Those of one's own ground and those of the larger one; ended only by whose they are."""
    bridge = await process.close(box(1.8, -0.2, 2.2, 0.2))
    west = await process.close()
    seen = {
        g.key_id: [c.id for c in await process.closures.page(g, None, 10)]
        for g in (CITY, STREET, EAST)
    }
    assert seen == {"k1": [west.id, bridge.id], "k3": [west.id, bridge.id], "k4": [bridge.id]}
    with pytest.raises(NotFound):
        await process.closures.closure(ClosureId(west.id), EAST)
    with pytest.raises(NotFound):
        await process.closures.end(ClosureId("unknown"), CITY)
    with pytest.raises(Forbidden):
        await process.closures.end(ClosureId(bridge.id), EAST)
    assert not process.through()


async def test_every_change_here_is_counted(process: Process) -> None:
    """Whoever keeps what follows from roads looks at the number."""
    before = process.closures.changes
    view = await process.close()
    between = process.closures.changes
    await process.closures.end(ClosureId(view.id), CITY)
    assert before < between < process.closures.changes


class Leaving(MemoryStore):
    """A store that may be away; the first `lost` answers are, after the deed."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        super().__init__(now)
        self.away = False
        self.lost = 0
        self._asked = asyncio.Event()

    async def looks(self, count: int) -> None:
        """Wait until somebody has looked so often at what changed."""
        for _ in range(count):
            self._asked.clear()
            async with asyncio.timeout(10):
                await self._asked.wait()

    async def put_closure(self, closure: Closure, most: int, once: Once, answer: Answer) -> bool:
        """Keep a closure, unless the store is away; perhaps nobody hears of it."""
        self._require_here()
        kept = await super().put_closure(closure, most, once, answer)
        if self.lost:
            self.lost -= 1
            raise StoreAway("cut")
        return kept

    async def closure_changes(self) -> int:
        """Return the number, unless the store is away."""
        self._asked.set()
        self._require_here()
        return await super().closure_changes()

    async def closure(self, closure_id: ClosureId) -> Closure | None:
        """Return a closure, unless the store is away."""
        self._require_here()
        return await super().closure(closure_id)

    def _require_here(self) -> None:
        if self.away:
            raise StoreAway("gone")


async def test_without_the_store_nothing_is_closed_and_what_is_expires(clock: ManualClock) -> None:
    """What is in force stays so until its time is up."""
    store = Leaving(clock.now)
    process = Process(store, clock)
    view = await process.close()
    store.away = True
    with pytest.raises(Unavailable):
        await process.close()
    with pytest.raises(Unavailable):
        await process.closures.end(ClosureId(view.id), CITY)
    with pytest.raises(StoreAway):
        await process.closures.follow()
    assert not process.through()
    clock.advance(3600)
    with pytest.raises(StoreAway):
        await process.closures.follow()
    assert process.through()


async def test_a_closure_nobody_heard_of_is_taken_all_the_same(clock: ManualClock) -> None:
    """The retry finds its answer; the roads are closed by the next look."""
    store = Leaving(clock.now)
    process = Process(store, clock)
    store.lost = 1
    view = await process.close()
    assert len(await process.closures.page(CITY, None, 10)) == 1
    await process.closures.follow()
    assert not process.through()
    assert (await process.closures.closure(ClosureId(view.id), CITY)).segments == 1


async def test_closures_are_followed_without_being_told_to(clock: ManualClock) -> None:
    """Through an absence of the store too."""
    store = Leaving(clock.now)
    process, other = Process(store, clock), Process(store, clock)
    running = asyncio.create_task(other.closures.run())
    store.away = True
    await store.looks(2)
    store.away = False
    await process.close()
    await store.looks(2)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not other.through()


async def test_outside_all_jurisdictions_nobody_holds_an_area() -> None:
    """Nor where there are none."""
    assert holder(PLACES, box(300, 0, 301, 1)) is None
    assert holder(JurisdictionIndex(()), box(0, 0, 1, 1)) is None
