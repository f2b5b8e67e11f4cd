"""The nearest free units with a capability within 1,500 m, as the crow flies, of a whole fleet."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NamedTuple

import numpy as np
from geopy.distance import geodesic
from numpy.typing import NDArray

from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.timing import US, in_turn
from bench.peers.postgis import PostGis, Units, postgis
from bench.peers.redis import Redis, redis
from dispatch.core.fixes import Fix
from dispatch.live.fleet import REACH_S, Fleet
from geo.eta import PACES, TURNOUT_S, Moves, StraightLine
from geo.point import Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import Capability, Unit, UnitKind, UnitRow

MOST_S: Final = 400.0
CITY: Final = 23_334
LARGE: Final = 1_000_000
CLUSTERS: Final = 11
SIDE_M: Final = 22_000.0
"""A square as large as the district the fleet of a city belongs to; larger fleets get more."""
CLUSTER_M: Final = 3_000.0
RADIUS_M: Final = 1_500.0
K: Final = 20
MIDDLE: Final = Point(113.45, 23.12)
METRES_PER_DEGREE: Final = (102_400.0, 110_770.0)
"""East and north, at the middle: to lay units out; no distance is reckoned with it."""
SKILL: Final = Capability.AED
SKILLED: Final = 0.3
FREE: Final = 0.8
AWAY: Final = 0.1
"""The share of units whose fresh fix is far from their home post."""
AWAY_M: Final = 800.0
NOW_S: Final = 1_800_000_000.0
PACE: Final = PACES[Moves.MOTORBIKE]
RING_S: Final = round(TURNOUT_S + RADIUS_M * PACE.detour / PACE.speed_mps)
"""What a motorbike needs for the radius: the one number `Fleet` takes for it."""
GEOPY_UNITS: Final = 300

Places = NDArray[np.float64]


class Layout(NamedTuple):
    """A fleet as arrays: where units are, who is free, who has the skill; and questions."""

    homes: Places
    places: Places
    free: NDArray[np.bool_]
    skilled: NDArray[np.bool_]
    questions: Places


class Peers(NamedTuple):
    """Servers of the machine's own; None for what cannot be had."""

    redis: Redis | None
    postgis: PostGis | None


def measure(scale: float) -> Found:
    """Measure at the size of a city, and at a million units of the same density."""
    city, large = (lay_out(max(int(n * scale), 100)) for n in (CITY, LARGE))
    calls = 100 if scale >= 1 else 5
    found = {}
    with ExitStack() as stack:
        whole = scale >= 1
        peers = Peers(
            stack.enter_context(redis(install=whole)), stack.enter_context(postgis(install=whole))
        )
        for name, layout in (("city", city), ("large", large)):
            fleet = fleet_of(layout)
            agree(layout, fleet)
            asked = contenders(layout, fleet) | theirs(layout, peers)
            found[name] = in_turn(asked, rounds=5, calls=calls)
    rows = {
        (size, who): Row.of(f"{who}, {len(layout.places):,} units", found[size].get(who, []), US)
        for size, layout in (("city", city), ("large", large))
        for who in WHO
    }
    naive = naively(city)
    ours, floor, big = rows["city", OURS], rows["city", FLOOR], rows["large", OURS]
    ratios = {
        "ours to numpy brute force, city": ratio(ours, floor),
        "ours to numpy brute force, large": ratio(big, rows["large", FLOOR]),
        "ours, large to city": ratio(big, ours),
        "geopy to ours, city": ratio(naive, ours),
        "Redis GEOSEARCH to ours, city": ratio(rows["city", REDIS], ours),
        "Redis GEOSEARCH to ours, large": ratio(rows["large", REDIS], big),
        "PostGIS to ours, city": ratio(rows["city", POSTGIS], ours),
        "PostGIS to ours, large": ratio(rows["large", POSTGIS], big),
    }
    marks = {
        "ours to numpy brute force, city": Mark.at_most(2.0, ratio(ours, floor)),
        "ours, large to city": Mark.at_most(5.0, ratio(big, ours)),
    }
    return Found(rows=[naive, *rows.values()], ratios=ratios, marks=marks)


FLOOR: Final = "numpy brute force, float32 plane"
OURS: Final = "Fleet.reach and Fleet.find"
DECISION: Final = "the same, looking 20 minutes around as a decision does"
UPDATE: Final = "Fleet.fix of 100 positions, and Fleet.settle"
AT_ONCE: Final = 100
REDIS: Final = "Redis GEOSEARCH, a key of the free with the skill, unix socket"
REDIS_UPDATE: Final = "Redis GEOADD, one position"
POSTGIS: Final = "PostGIS KNN, partial GiST, prepared, unix socket"
WHO: Final = (FLOOR, OURS, DECISION, UPDATE, REDIS, REDIS_UPDATE, POSTGIS)


def contenders(layout: Layout, fleet: Fleet) -> dict[str, Callable[[int], object]]:
    """Return what is compared, each taking the number of a question."""
    brute = Brute(layout)
    need, nobody = Need(capabilities=(SKILL,)), frozenset[UnitId]()
    at = [Point(*place) for place in layout.questions.tolist()]

    def ask(number: int, limit_s: float) -> object:
        reach = fleet.reach(at[number % len(at)], NOW_S, limit_s)
        return fleet.find(reach, need, RING_S, nobody, NOW_S, K)

    def move(number: int) -> None:
        for nth in range(number * AT_ONCE, (number + 1) * AT_ONCE):
            row = nth * 7919 % len(layout.places)
            lon, lat = layout.places[row].tolist()
            fix = Fix(lon=lon + 1e-5, lat=lat, acc_m=5.0, at_s=NOW_S + nth * 1e-5)
            fleet.fix(UnitId(str(row)), fix)
        fleet.settle()

    return {
        FLOOR: lambda number: brute.nearest(at[number % len(at)]),
        OURS: lambda number: ask(number, RING_S),
        DECISION: lambda number: ask(number, REACH_S),
        UPDATE: move,
    }


def theirs(layout: Layout, peers: Peers) -> dict[str, Callable[[int], object]]:
    """Return what is asked of those peers that there are; each holds the same units."""
    at = [Point(*place) for place in layout.questions.tolist()]
    asked: dict[str, Callable[[int], object]] = {}
    if (server := peers.redis) is not None:
        key, may = b"%d" % len(layout.places), np.flatnonzero(layout.free & layout.skilled)
        places = layout.places[may].tolist()
        server.add(places, may.tolist(), key)

        def move(number: int) -> None:
            row = number * 7919 % len(places)
            lon, lat = places[row]
            server.move(int(may[row]), lon + 1e-5, lat, key)

        asked[REDIS] = lambda number: server.near(at[number % len(at)], RADIUS_M, K, key)
        asked[REDIS_UPDATE] = move
    if (knn := peers.postgis) is not None:
        knn.fill(Units(layout.places.tolist(), layout.free.tolist(), layout.skilled.tolist()))
        check(layout, knn)
        asked[POSTGIS] = lambda number: knn.near(at[number % len(at)], RADIUS_M, K)
    return asked


def check(layout: Layout, knn: PostGis) -> None:
    """Check that PostGIS and the floor find the same nearest unit: two planes, one answer."""
    brute = Brute(layout)
    for place in (Point(*place) for place in layout.questions[:20].tolist()):
        nearest, floor = knn.near(place, RADIUS_M, K), brute.nearest(place)
        assert abs(len(nearest) - len(floor)) <= 1
        assert not nearest or nearest[0] in floor[:2].tolist()


class Brute:
    """The floor: every unit's distance on a plane, in float32, then the best of them."""

    def __init__(self, layout: Layout) -> None:
        metres = (layout.places - MIDDLE) * METRES_PER_DEGREE
        self._x, self._y = np.ascontiguousarray(metres.T.astype(np.float32))
        self._may = layout.free & layout.skilled

    def nearest(self, place: Point) -> NDArray[np.intp]:
        """Return the rows of the `K` nearest that may be asked, nearest first."""
        x, y = ((a - b) * m for a, b, m in zip(place, MIDDLE, METRES_PER_DEGREE, strict=True))
        across, along = self._x - np.float32(x), self._y - np.float32(y)
        across *= across
        along *= along
        across += along
        rows = np.flatnonzero((across <= np.float32(RADIUS_M**2)) & self._may)
        square_m = across[rows]
        if len(rows) > K:
            best = np.argpartition(square_m, K)[:K]
            rows, square_m = rows[best], square_m[best]
        nearest: NDArray[np.intp] = rows[np.argsort(square_m)]
        return nearest


def naively(layout: Layout) -> Row:
    """Measure the geodesic to each of a few units, reckoned up to all of them."""
    some = [(lat, lon) for lon, lat in layout.places[:GEOPY_UNITS].tolist()]
    lon, lat = layout.questions[0].tolist()
    found = in_turn(
        {"geopy": lambda _: sorted(geodesic((lat, lon), place).m for place in some)},
        rounds=3,
        calls=1,
    )
    times = len(layout.places) / len(some)
    what = f"geopy geodesic over all, {len(layout.places):,} units (reckoned from {len(some)})"
    return Row.of(what, [sample * times for sample in found["geopy"]], US)


def agree(layout: Layout, fleet: Fleet) -> None:
    """Check that ours and the floor find the same number of units, and the same nearest one."""
    brute = Brute(layout)
    need = Need(capabilities=(SKILL,))
    for place in (Point(*place) for place in layout.questions[:20].tolist()):
        reach = fleet.reach(place, NOW_S, RING_S)
        ours = fleet.find(reach, need, RING_S, frozenset(), NOW_S, len(layout.places))
        floor = brute.nearest(place)
        edge = sum(abs(c.distance_m / PACE.detour - RADIUS_M) < 5.0 for c in ours.candidates)
        assert abs(min(len(ours.candidates), K) - len(floor)) <= edge
        if len(floor):
            nearest = min(ours.candidates, key=lambda c: c.distance_m).unit_id
            assert nearest in {str(row) for row in floor[:2].tolist()}


def lay_out(units: int) -> Layout:
    """Return a fleet in clusters, as dense as the city's at any size."""
    dice = np.random.default_rng(20241)
    grown = units / CITY
    centres = dice.uniform(-0.5, 0.5, (max(1, round(CLUSTERS * grown)), 2)) * SIDE_M * grown**0.5
    homes = centres[dice.integers(0, len(centres), units)] + dice.normal(0, CLUSTER_M, (units, 2))
    away = dice.random(units) < AWAY
    places = homes + away[:, None] * dice.normal(0, AWAY_M, (units, 2))
    asked = dice.integers(0, units, 600)
    return Layout(
        homes=homes / METRES_PER_DEGREE + MIDDLE,
        places=places / METRES_PER_DEGREE + MIDDLE,
        free=dice.random(units) < FREE,
        skilled=dice.random(units) < SKILLED,
        questions=(homes[asked] + dice.normal(0, 250.0, (600, 2))) / METRES_PER_DEGREE + MIDDLE,
    )


def fleet_of(layout: Layout) -> Fleet:
    """Return the fleet of a layout: all on duty, heard of a minute ago at most."""
    fleet = Fleet(StraightLine())
    fleet.load([_row(layout, row) for row in range(len(layout.places))], NOW_S)
    for row, (lon, lat) in enumerate(layout.places.tolist()):
        fix = Fix(lon=lon, lat=lat, acc_m=5.0, at_s=NOW_S - row % 60)
        fleet.fix(UnitId(str(row)), fix)
    return fleet


def _row(layout: Layout, row: int) -> UnitRow:
    lon, lat = layout.homes[row].tolist()
    unit = Unit(
        id=UnitId(str(row)),
        code=f"U{row}",
        name=f"unit {row}",
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=lon,
        lat=lat,
        moves=Moves.MOTORBIKE,
        capabilities=(SKILL, Capability.RADIO) if layout.skilled[row] else (Capability.RADIO,),
    )
    return UnitRow(unit=unit, on_duty=1, engaged=not layout.free[row])
