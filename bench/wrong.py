"""How often, and by how many seconds, dispatch by straight line would have been wrong."""

from itertools import product
from typing import Final, NamedTuple

import numpy as np

from bench.harness.extract import extract
from bench.harness.homes import UNITS_KM2, Places, area_km2, homes
from bench.harness.result import Found, Row
from geo.distance import metres_many
from geo.eta import MOVES, PACES, Moves
from geo.osm import read_extract
from geo.point import Floats, Point
from geo.road_eta import RoadNetwork
from geo.road_standing import RoadStandings
from geo.roads.build import build

MOST_S: Final = 300.0
EXTRACTS: Final = ("bayfront_singapore", "spo", "porto")
WAYS: Final = (Moves.FOOT, Moves.BICYCLE, Moves.MOTORBIKE, Moves.CAR)
INCIDENTS: Final = 2_000
FLEETS: Final = 20
"""So many times all units are spread anew."""
LEAST_UNITS: Final = 3
NEAR_S: Final = 1_200.0
FAR_S: Final = 7_200.0
"""Who takes longer counts as if he took this."""
SHARES_S: Final = (60.0, 180.0)
CIRCLES_S: Final = (180.0, 300.0)
LATE: Final = "of the units inside"
SEED: Final = 4


class Told(NamedTuple):
    """What came of the incidents of one extract, by one way of moving."""

    lost_s: list[float]
    """Of each incident: how much later the nearest by straight line is than the best by road."""
    bare: list[Floats]
    """For each incident and circle: units inside, and those of them who are late. No detour."""
    detour: list[Floats]
    """The same, of the circle that is drawn where no roads are known."""


def measure(scale: float) -> Found:
    """Measure on each extract there is; a small run takes the smallest only."""
    names = EXTRACTS if scale >= 1 else EXTRACTS[:1]
    rows = [row for name in names for row in _rows_of(name, max(round(INCIDENTS * scale), FLEETS))]
    return Found(rows=rows)


def _rows_of(name: str, incidents: int) -> list[Row]:
    path = extract(name)
    if path is None:
        return [Row.missing(f"no extract {name}: KAPOK_OSM_SAMPLES says where")]
    network = RoadNetwork(build(*read_extract(path)))
    dice = np.random.default_rng(SEED)
    units = max(round(area_km2(network.graph) * UNITS_KM2), LEAST_UNITS)
    told = {moves: Told([], [], []) for moves in WAYS}
    for _ in range(FLEETS):
        places = homes(network.graph, units, dice)
        happened = homes(network.graph, incidents // FLEETS, dice)
        for moves in WAYS:
            _tell(network, places, happened, moves, told[moves])
    counted = Row.count(f"{name}: units, spread {FLEETS} times", float(units), "units")
    return [counted, *(row for moves in WAYS for row in _rows(f"{name}, {moves}", told[moves]))]


def _tell(network: RoadNetwork, places: Places, happened: Places, moves: Moves, told: Told) -> None:
    """Add what comes of some incidents, with all units moving the same way."""
    standings = network.standings()
    for row, (lon, lat) in enumerate(places.tolist()):
        standings.put(row, lon, lat, MOVES.index(moves))
    bare_mps, turnout_s = PACES[moves].speed_mps, network.turnout_s
    for lon, lat in happened.tolist():
        place = Point(lon, lat)
        straight_m = metres_many(place, places[:, 0], places[:, 1])
        eta_s = etas_s(standings, place, int(np.argmin(straight_m)), len(places))
        told.lost_s.append(float(eta_s[np.argmin(straight_m)] - eta_s.min()))
        bare = [(limit_s - turnout_s) * bare_mps for limit_s in CIRCLES_S]
        drawn = [network.fallback.radius_m(moves, limit_s) for limit_s in CIRCLES_S]
        told.bare.append(claimed(straight_m, eta_s, bare))
        told.detour.append(claimed(straight_m, eta_s, drawn))


def etas_s(standings: RoadStandings, place: Point, wanted: int, count: int) -> Floats:
    """Return the ETAs of all, looked for far enough to know that of one; `FAR_S` beyond."""
    eta_s = np.full(count, FAR_S)
    for limit_s in (NEAR_S, FAR_S):
        rows, reach = standings.reach(place, limit_s)
        eta_s[rows] = reach.eta_s
        if eta_s[wanted] < FAR_S:
            break
    return eta_s


def claimed(straight_m: Floats, eta_s: Floats, radii_m: list[float]) -> Floats:
    """Return for each circle how many units are inside, and how many of them come too late."""
    counts = [
        (np.sum(straight_m <= radius_m), np.sum((straight_m <= radius_m) & (eta_s > limit_s)))
        for limit_s, radius_m in zip(CIRCLES_S, radii_m, strict=True)
    ]
    return np.array(counts, np.float64)


def _rows(name: str, told: Told) -> list[Row]:
    lost_s = np.array(told.lost_s)
    wrong = lost_s[lost_s > 0.0]
    rows = [
        Row.count(f"{name}: the nearest by straight line is not the first there", *_share(lost_s)),
        Row.of(f"{name}: lost where it is not", wrong.tolist(), "s"),
        _quantile(f"{name}: lost where it is not, 90 of 100 are below", wrong),
    ]
    rows += [
        Row.count(f"{name}: {least_s:g} s lost and more", *_share(lost_s, least_s))
        for least_s in SHARES_S
    ]
    kinds = (("speed x time", told.bare), ("with our detour", told.detour))
    for (kind, counts), at in product(kinds, range(len(CIRCLES_S))):
        inside, late = np.sum(counts, axis=0)[at].tolist()
        what = f"{name}: late in the {CIRCLES_S[at] / 60:g}-minute circle, {kind}"
        rows.append(Row.count(what, late / inside, LATE) if inside else Row.missing(what))
    return rows


def _share(lost_s: Floats, least_s: float = 0.0) -> tuple[float, str]:
    lost = lost_s >= least_s if least_s else lost_s > 0.0
    return float(np.mean(lost)), "of incidents"


def _quantile(what: str, lost_s: Floats) -> Row:
    if not len(lost_s):
        return Row.missing(what)
    return Row.count(what, float(np.quantile(lost_s, 0.9)), "s")
