"""Our road seconds on foot beside those of a real Valhalla, on the same map."""

import asyncio
import os
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

import httpx
import numpy as np

from bench.harness.extract import extract
from bench.harness.homes import UNITS_KM2, Places, area_km2, homes
from bench.harness.result import Found, Mark, Row
from dispatch.ports import RouterAway, Start
from dispatch.router.valhalla import MATRIX, ROUTE, WITHIN_S, Valhalla
from geo.distance import metres_many
from geo.eta import MOVES, PACES, Moves
from geo.osm import read_extract
from geo.point import Floats, Point
from geo.road_eta import RoadNetwork
from geo.road_standing import WALK_MPS
from geo.roads.build import build
from geo.roads.travel import FOOT

MOST_S: Final = 300.0
URL: Final = "VALHALLA_URL"
"""Where it listens; its tiles are made of the same extract."""
SAMPLE: Final = "porto"
SMALL_SAMPLE: Final = "bayfront_singapore"
INCIDENTS: Final = 500
NEAREST: Final = 20
"""So many units by straight line are asked for, as the desk does."""
FAR_S: Final = 7_200.0
PATIENT_S: Final = 10.0
SEED: Final = 7
MICRODEGREES: Final = 6
"""Both sides get places as they are sent: to 0.1 m."""
COSTING: Final[dict[str, Any]] = {
    "costing": "pedestrian",
    "costing_options": {
        "pedestrian": {"walking_speed": round(PACES[Moves.FOOT].speed_mps * 3.6, 2)}
    },
}
GONE: Final = f"no Valhalla: {URL} says where one runs"
FAR_OFF_S: Final = 30.0


class Question(NamedTuple):
    """One incident and the units near it."""

    place: Point
    units: Places
    ours_s: Floats
    """On the road alone, as Valhalla reckons; inf beyond `FAR_S`."""
    approach_s: Floats
    """The way on foot between both places and the road, which Valhalla leaves out."""


class Theirs(NamedTuple):
    """What Valhalla says to one question; inf where it knows no way."""

    routes_s: Floats
    """A question for each pair."""
    matrix_s: Floats
    """One question for all."""


def measure(scale: float) -> Found:
    """Measure against the service that runs, or say that there is none."""
    url, path = os.environ.get(URL), extract(SAMPLE if scale >= 1 else SMALL_SAMPLE)
    if not url:
        return Found(rows=[Row.missing(GONE)])
    if path is None:
        return Found(rows=[Row.missing(f"no extract {SAMPLE}: KAPOK_OSM_SAMPLES says where")])
    questions = asked(RoadNetwork(build(*read_extract(path))), max(round(INCIDENTS * scale), 5))
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENT_S) as client:
        theirs = [Theirs(_routes(client, q), _matrix(client, q)) for q in questions]
    return compared(questions, theirs, asyncio.run(_through_ours(url, questions)))


def asked(network: RoadNetwork, incidents: int) -> list[Question]:
    """Return incidents beside the roads of a map, with the nearest units and our seconds."""
    graph, dice = network.graph, np.random.default_rng(SEED)
    count = max(round(area_km2(graph) * UNITS_KM2), NEAREST)
    units, happened = (np.round(homes(graph, n, dice), MICRODEGREES) for n in (count, incidents))
    off_m, at_off_m = (_off_m(network, places) for places in (units, happened))
    standings = network.standings()
    for row, (lon, lat) in enumerate(units.tolist()):
        standings.put(row, lon, lat, MOVES.index(Moves.FOOT))
    questions = []
    for (lon, lat), here_off_m in zip(happened.tolist(), at_off_m.tolist(), strict=True):
        place = Point(lon, lat)
        near = np.argsort(metres_many(place, units[:, 0], units[:, 1]))[:NEAREST]
        rows, reach = standings.reach(place, FAR_S)
        seconds = np.full(count, np.inf)
        seconds[rows] = reach.eta_s - network.turnout_s
        approach_s = (off_m[near] + here_off_m) / WALK_MPS
        questions.append(Question(place, units[near], seconds[near] - approach_s, approach_s))
    return questions


def _off_m(network: RoadNetwork, places: Places) -> Floats:
    travels = np.full(len(places), FOOT, np.uint8)
    return network.snapper.snap(travels, places[:, 0], places[:, 1]).off_m


# What Valhalla says. -----------------------------------------------------------------------------


def _routes(client: httpx.Client, question: Question) -> Floats:
    """Return the seconds of each pair, asked for by itself."""
    return np.array([_route(client, unit, question.place) for unit in question.units.tolist()])


def _route(client: httpx.Client, unit: list[float], place: Point) -> float:
    rest = {"format": "osrm", "shape_format": "no_shape", "directions_type": "none"}
    locations = [_location(*unit), _location(*place)]
    answer = client.post(ROUTE, json={"locations": locations, **COSTING, **rest})
    return float(answer.json()["routes"][0]["duration"]) if answer.is_success else np.inf


def _matrix(client: httpx.Client, question: Question) -> Floats:
    """Return the seconds of all pairs, asked for at once as our client does."""
    sources = [_location(*unit) for unit in question.units.tolist()]
    body = {"sources": sources, "targets": [_location(*question.place)], **COSTING}
    answer = client.post(MATRIX, json=body)
    if not answer.is_success:
        return np.full(len(sources), np.inf)
    cells = [row[0]["time"] for row in answer.json()["sources_to_targets"]]
    return np.array([np.inf if cell is None else cell for cell in cells], np.float64)


def _location(lon: float, lat: float) -> dict[str, float]:
    return {"lon": lon, "lat": lat}


async def _through_ours(url: str, questions: list[Question]) -> list[float]:
    """Return the milliseconds of each answer that our own client got, however late it came."""
    taken = []
    async with Valhalla(url, PATIENT_S) as router:
        for question in questions:
            starts = [Start(Point(*unit), Moves.FOOT) for unit in question.units.tolist()]
            began = perf_counter_ns()
            try:
                await router.legs(question.place, starts)
            except RouterAway:
                continue
            taken.append((perf_counter_ns() - began) / 1e6)
    return taken


# What it comes to. -------------------------------------------------------------------------------


def compared(questions: list[Question], theirs: list[Theirs], taken_ms: list[float]) -> Found:
    """Return how far apart both are, and how often they would send the same unit."""
    ours_s = np.array([question.ours_s for question in questions])
    routes_s = np.array([each.routes_s for each in theirs])
    matrix_s = np.array([each.matrix_s for each in theirs])
    to_routes, to_matrix = apart_s(ours_s, routes_s), apart_s(ours_s, matrix_s)
    of_its_own = apart_s(matrix_s, routes_s)
    approach_s = np.array([question.approach_s for question in questions])
    other_off = _other(ours_s + approach_s, routes_s)
    other, other_matrix = (_other(ours_s, each) for each in (routes_s, matrix_s))
    in_time = np.sum(np.array(taken_ms) <= WITHIN_S * 1_000) / len(questions)
    rows = [
        Row.count(f"incidents, {NEAREST} units each", float(len(questions)), "incidents"),
        Row.count("pairs that both know a way for", len(to_routes) / ours_s.size, "of pairs"),
        *_rows("ours to its routes, one pair a question", to_routes),
        *_rows("ours to its matrix, all units at once", to_matrix),
        *_rows("its own matrix to its own routes", of_its_own),
        Row.count("another best unit than by its routes", other, "of incidents"),
        Row.count("another best unit than by its matrix", other_matrix, "of incidents"),
        Row.of("the way off the road, which it leaves out", approach_s.ravel().tolist(), "s"),
        Row.count("another best unit than by its routes, with that way", other_off, "of incidents"),
        Row.of("its matrix through our client", taken_ms, "ms"),
        Row.count("answered so, in the time the desk has", float(in_time), "of incidents"),
    ]
    marks = {
        "seconds from its routes, median": Mark.at_most(2.0, rows[2].median),
        "seconds from its matrix, median": Mark.at_most(2.0, rows[5].median),
        "another best unit than by its routes": Mark.at_most(0.05, other),
        "another best unit than by its matrix": Mark.at_most(0.05, other_matrix),
    }
    return Found(rows=rows, marks=marks)


def apart_s(ours_s: Floats, theirs_s: Floats) -> Floats:
    """Return the seconds between two answers, where both know a way."""
    both = np.isfinite(ours_s) & np.isfinite(theirs_s)
    return np.abs(ours_s[both] - theirs_s[both])


def _other(ours_s: Floats, theirs_s: Floats) -> float:
    return float(np.mean(ours_s.argmin(axis=1) != theirs_s.argmin(axis=1)))


def _rows(what: str, seconds: Floats) -> list[Row]:
    """Return three rows of differences."""
    if not len(seconds):
        return [Row.missing(what)] * 3
    return [
        Row.of(what, seconds.tolist(), "s"),
        Row.count(f"{what}: 90 of 100 are below", float(np.quantile(seconds, 0.9)), "s"),
        Row.count(f"{what}: over 30 s", float(np.mean(seconds > FAR_OFF_S)), "of pairs"),
    ]
