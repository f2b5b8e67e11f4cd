"""The city's coverage by the desk: who is counted, how old an answer may be, who sees what."""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest
import shapely
from msgspec.structs import replace

from dispatch.auth import Grant, Role
from dispatch.core.errors import Forbidden
from dispatch.core.matching import p_arrived
from dispatch.desk.coverage import AT_ONCE, KEPT_S, CityCoverage, chances
from dispatch.live.fleet import Fleet
from geo.coverage import RINGS_S
from geo.eta import EtaModel, Moves, Quality, StraightLine
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Point
from geo.road_eta import RoadNetwork
from geo.roads.classes import CLASSES
from geo.roads.travel import TRAVELS
from schemas.base import KeyId, UnitId
from schemas.unit import Unit, UnitKind, UnitRow
from tests.fakes import START, ManualClock
from tests.geo.net import CORNER, STEP, at, net, town

pytestmark = pytest.mark.asyncio
CITY: Final = Grant(key_id=KeyId("k1"), role=Role.DISPATCHER, juris="gz")
WEST: Final = Grant(key_id=KeyId("k2"), role=Role.REGISTRAR, juris="gz.d0")
FEED: Final = Grant(key_id=KeyId("k3"), role=Role.API_FEED, juris="gz")


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """Return a box between lines of the net."""
    low, high = at((west, south)), at((east, north))
    return shapely.box(low.lon, low.lat, high.lon, high.lat)


def index(rows: int = 5) -> JurisdictionIndex:
    """Return five districts of a column of grids each."""
    found = [Jurisdiction("gz", "广州", box(-1, -1, 7, 7))]
    for x in range(5):
        found.append(Jurisdiction(f"gz.d{x}", f"区{x}", box(x, 0, x + 1, rows)))
        found += [
            Jurisdiction(f"gz.d{x}.g{y}", f"格{y}", box(x, y, x + 1, y + 1)) for y in range(rows)
        ]
    return JurisdictionIndex(found)


def units(count: int, seed: int = 1, moves: Sequence[Moves] = tuple(Moves)) -> list[UnitRow]:
    """Return units all over the town, on duty."""
    dice = np.random.default_rng(seed)
    return [
        UnitRow(
            unit=Unit(
                id=UnitId(f"u{number:03}"),
                code=f"U{number}",
                name="单元",
                kind=UnitKind.VILLAGE,
                juris="gz",
                lon=CORNER.lon + dice.uniform(0, 5) * STEP,
                lat=CORNER.lat + dice.uniform(0, 5) * STEP,
                moves=moves[int(dice.integers(len(moves)))],
            ),
            on_duty=1,
        )
        for number in range(count)
    ]


class Room:
    """A fleet, its city, and the coverage of it."""

    def __init__(
        self,
        model: EtaModel,
        count: int = 40,
        work_s: float = 60.0,
        clock: ManualClock | None = None,
        moves: Sequence[Moves] = tuple(Moves),
    ) -> None:
        self.clock = clock or ManualClock()
        self.model = model
        self.fleet = Fleet(model)
        self.rows = units(count, moves=moves)
        self.fleet.load(self.rows, START.timestamp())
        self.index = index()
        self.closed = 0
        self.coverage = CityCoverage(
            clock=self.clock,
            fleet=self.fleet,
            places=lambda: self.index,
            closed=lambda: self.closed,
            work_s=work_s,
        )

    async def counts(self) -> list[list[int]]:
        """Return how many free units are within each ring of each grid."""
        city, inside = await self.coverage.grids(CITY, None)
        return [[int(each.units[grid]) for grid in inside] for each in city.covered]

    def expected(self, free: frozenset[int]) -> list[list[int]]:
        """Return the same, by one search of the fleet for each grid."""
        found = []
        for ring_s in RINGS_S:
            row = []
            for grid in self.index:
                if self.index.children(grid.path):
                    continue
                inside = grid.polygon.representative_point()
                near = self.fleet.reach(Point(inside.x, inside.y), START.timestamp())
                row.append(len(free & set(near.within(ring_s)[0].tolist())))
            found.append(row)
        return found


def plain() -> StraightLine:
    """Return a model without roads."""
    return StraightLine(compiled=False)


def by_road() -> RoadNetwork:
    """Return a random town."""
    return RoadNetwork(town(11), compiled=False)


@pytest.mark.parametrize("model", [plain, by_road])
async def test_every_grid_is_told_as_a_search_from_it_would(model: type[EtaModel]) -> None:
    """How many of those who are free are within each ring."""
    room = Room(model())
    busy = {3, 7, 8}
    for number in busy:
        room.fleet.put(replace(room.rows[number], engaged=True))
    room.fleet.put(replace(room.rows[5], on_duty=0))
    free = frozenset(range(40)) - busy - {5}
    counts = await room.counts()
    assert counts == room.expected(free)
    assert sum(counts[0]) > 0
    city, _ = await room.coverage.grids(CITY, None)
    assert (city.free_units, city.pending, city.quality) == (36, 0, room.model.quality)
    assert city.far.all() == (city.quality is Quality.STRAIGHT_LINE)


async def test_an_answer_is_kept_for_ten_seconds() -> None:
    """And tells how old it is; then another is made."""
    room = Room(plain())
    first = (await room.coverage.of(CITY, None, None)).city
    room.clock.advance(KEPT_S - 1)
    again = await room.coverage.of(CITY, None, None)
    assert (again.city is first, again.age_s) == (True, KEPT_S - 1)
    room.clock.advance(1)
    later = await room.coverage.of(CITY, None, None)
    assert (later.city is first, later.age_s) == (False, 0.0)


async def test_all_who_ask_at_once_share_one_answer() -> None:
    """It is made once."""
    room = Room(plain())
    both = await asyncio.gather(*(room.coverage.of(CITY, None, None) for _ in range(5)))
    assert len({id(each.city) for each in both}) == 1


async def test_one_who_leaves_does_not_take_it_from_the_others() -> None:
    """What is being made is made."""
    room = Room(plain())
    leaving = asyncio.create_task(room.coverage.of(CITY, None, None))
    staying = asyncio.create_task(room.coverage.of(CITY, None, None))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).total.places == 25
    assert leaving.cancelled()


async def test_what_takes_too_long_is_said_to_be_pending() -> None:
    """The next answer goes on with it."""
    room = Room(plain(), count=AT_ONCE + 10, work_s=0.0)
    first, _ = await room.coverage.grids(CITY, None)
    assert first.pending == 10
    room.clock.advance(KEPT_S)
    second, _ = await room.coverage.grids(CITY, None)
    assert second.pending == 0
    assert second.covered[0].units.sum() > first.covered[0].units.sum()


async def test_who_moved_counts_where_he_is() -> None:
    """And nowhere else."""
    room = Room(plain(), count=1)
    before = await room.counts()
    there = replace(room.rows[0].unit, lon=CORNER.lon + 50 * STEP)
    room.fleet.put(replace(room.rows[0], unit=there))
    room.clock.advance(KEPT_S)
    assert sum((await room.counts())[0]) == 0 < sum(before[0])


async def test_closed_roads_and_slow_ones_change_it() -> None:
    """All are searched for anew."""
    street = tuple((x / 2, 0.5) for x in range(11))
    network = RoadNetwork(net(street), compiled=False)
    room = Room(network)
    free = frozenset(range(40))
    before = await room.counts()
    network.close(network.cuts(shapely.Point(at((2.5, 0.5))).buffer(STEP / 4)))
    room.closed += 1
    room.clock.advance(KEPT_S)
    closed = await room.counts()
    network.set_factors(np.full((len(TRAVELS), len(CLASSES)), 2.0))
    room.clock.advance(KEPT_S)
    slow = await room.counts()
    assert slow == room.expected(free)
    assert sum(before[1]) > sum(closed[1]) > sum(slow[1])


async def test_places_are_read_anew_when_they_change() -> None:
    """Read again as they were, nothing is searched for."""
    room = Room(plain())
    assert len((await room.counts())[0]) == 25
    kept = room.coverage._coverage
    for rows, same in ((5, True), (4, False)):
        room.index = index(rows)
        room.clock.advance(KEPT_S)
        assert len((await room.counts())[0]) == 5 * rows
        assert (room.coverage._coverage is kept) is same


async def test_sums_are_told_of_a_jurisdiction_and_of_those_below() -> None:
    """One level down, or as deep as is asked."""
    room = Room(plain())
    told = await room.coverage.of(CITY, None, None)
    assert (told.total.path, told.total.places) == ("gz", 25)
    assert [part.path for part in told.parts] == [f"gz.d{x}" for x in range(5)]
    assert sum(part.within[0] for part in told.parts) == told.total.within[0] > 0
    deep = await room.coverage.of(CITY, "gz.d1", 5)
    assert [part.path for part in deep.parts] == [f"gz.d1.g{y}" for y in range(5)]
    above = await room.coverage.of(CITY, "gz.d1.g1", 1)
    assert [part.path for part in above.parts] == ["gz.d1.g1"]
    assert (room.coverage.name("gz.d1"), room.coverage.name("gz.dx")) == ("区1", "")


async def test_nobody_sees_beyond_his_jurisdiction() -> None:
    """Of which nothing may be there; a feed sees nothing of units."""
    room = Room(plain())
    _, inside = await room.coverage.grids(WEST, None)
    assert len(inside) == 5
    assert (await room.coverage.of(WEST, "gz.d0.nowhere", None)).total.places == 0
    for grant, juris in ((WEST, "gz"), (WEST, "gz.d1"), (FEED, None)):
        with pytest.raises(Forbidden):
            await room.coverage.of(grant, juris, None)


async def test_a_city_without_places_is_covered_by_nothing() -> None:
    """And no error."""
    room = Room(plain())
    room.index = JurisdictionIndex(())
    told = await room.coverage.of(CITY, None, None)
    assert (told.total.places, told.parts) == (0, [])


async def test_chances_are_those_of_a_match() -> None:
    """Read off a table: the same to a ten-thousandth."""
    etas = np.array([0.0, 33.3, 91.7, 150.1, 179.9, 180.0, 251.2, 300.0])
    for ring_s in RINGS_S:
        exact = [p_arrived(eta_s, ring_s) for eta_s in etas]
        assert chances(etas, ring_s).tolist() == pytest.approx(exact, abs=1e-4)
