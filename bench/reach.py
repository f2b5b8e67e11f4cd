"""The road seconds of all units to one incident, on a real city tiled to the size of Guangzhou."""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from bench.harness.child import Child, child
from bench.harness.machine import ROOT
from bench.harness.result import Found, Mark, Row, ratio
from bench.harness.timing import US
from bench.peers.redis import Redis, redis
from geo.eta import PACES, Moves
from geo.osm import read
from geo.point import Point
from geo.roads.build import Source, build
from geo.roads.file import save
from geo.roads.graph import E7, RoadGraph
from geo.roads.lengths import metres
from geo.roads.travel import MOTORBIKE, TRAVELS
from geo.roads.ways import Ways

MOST_S: Final = 400.0
SAMPLE: Final = "porto.osm.pbf"
SMALL_SAMPLE: Final = "bayfront_singapore.osm.pbf"
BESIDE: Final = ROOT.parent / "shared" / "data"
NODES: Final = 2_400_000
UNITS: Final = 23_334
LIMIT_S: Final = 300.0
RADIUS_M: Final = LIMIT_S * PACES[Moves.MOTORBIKE].speed_mps / PACES[Moves.MOTORBIKE].detour
LINKS: Final = 20
"""Roads from each tile to the next, so that all hangs together."""
QUESTIONS: Final = 600
OFF_DEGREES: Final = 3e-4
ROUNDS: Final = 6
FIXES_S: Final = 2_300

OURS: Final = "all units by road, compiled, Guangzhou's size"
PLAIN: Final = "the same in plain Python"
ALONE: Final = "the same, compiled, Porto alone"
SCIPY: Final = "scipy dijkstra, limit=300, on all nodes of the map"
SCIPY_SMALL: Final = "scipy dijkstra, limit=300, on our contracted graph"
REDIS: Final = "Redis GEOSEARCH, straight line, unix socket"

Places = NDArray[np.float64]


class Town(NamedTuple):
    """A graph in its file, its units and questions in theirs."""

    graph: RoadGraph
    options: dict[str, str]
    places: Places
    questions: Places


def measure(scale: float) -> Found:
    """Measure on a real extract, or say that nothing was run where there is none."""
    sample = _sample(SAMPLE if scale >= 1 else SMALL_SAMPLE)
    if sample is None:
        return Found(rows=[Row.missing(f"no extract {SAMPLE}: KAPOK_OSM_SAMPLES says where")])
    ways = read(sample)
    tiles = max(2, -(-round(NODES * scale) // len(ways.node_lon)))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return _measured(ways, tiles, max(round(UNITS * scale), 50), folder, stack)


def _sample(name: str) -> Path | None:
    path = Path(os.environ.get("KAPOK_OSM_SAMPLES") or BESIDE) / name
    return path if path.exists() else None


def _measured(ways: Ways, tiles: int, units: int, folder: Path, stack: ExitStack) -> Found:
    """Measure all contenders in turn."""
    many, began = tiled(ways, tiles), perf_counter()
    city = town(build(many, Source("tiled")), units, folder / "city")
    build_s = perf_counter() - began
    porto = town(build(ways, Source("alone")), max(units // tiles, 10), folder / "alone")

    # The first to start compiles, where that was not done before.
    alone = stack.enter_context(child("bench.peers.searcher", plain=False, **porto.options))
    ours = stack.enter_context(child("bench.peers.searcher", plain=False, **city.options))
    ours.ask("touch")
    pss_mb = ours.pss_kb() / 1024
    plain = stack.enter_context(child("bench.peers.searcher", plain=True, **city.options))
    geosearch = _geosearch(stack.enter_context(redis()), city)

    asked: dict[str, Callable[[int, int], list[float]] | None] = {
        OURS: _searches(ours),
        PLAIN: _searches(plain),
        ALONE: _searches(alone),
        SCIPY: _dijkstra(*raw(many), city),
        SCIPY_SMALL: _dijkstra(*contracted(city.graph), city),
        REDIS: geosearch,
    }
    rows = _rows(asked)
    moved = ours.ask("move", seconds=4)["shares"]
    rows |= {
        "snap": Row.of(f"{FIXES_S:,} fixes a second: share of a core", moved, "of a core"),
        "build": Row.count(f"building the graph of {len(many.node_lon):,} nodes", build_s, "s"),
        "first": Row.count(
            "start from the file, with all that is imported and compiled for it",
            ours.facts["first_s"],
            "s",
        ),
        "start": Row.count(
            "start from the file, once more in the same process", ours.facts["start_s"], "s"
        ),
        "pss": Row.count("memory of the process, all of the graph read", pss_mb, "MB"),
    }
    return _found(rows)


def _found(rows: dict[str, Row]) -> Found:
    """Return all rows, what they are to each other, and the marks."""
    to_scipy, growth = ratio(rows[OURS], rows[SCIPY]), ratio(rows[OURS], rows[ALONE])
    plain, crow = ratio(rows[PLAIN], rows[SCIPY]), ratio(rows[OURS], rows[REDIS])
    ratios = {
        "compiled to scipy": to_scipy,
        "plain Python to scipy": plain,
        "compiled to scipy on our graph": ratio(rows[OURS], rows[SCIPY_SMALL]),
        "compiled to Redis GEOSEARCH": crow,
        "Guangzhou's size to Porto": growth,
    }
    marks = {
        "compiled to scipy": Mark.at_most(1 / 20, to_scipy),
        "plain Python to scipy": Mark.at_most(1 / 2, plain),
        "compiled to Redis GEOSEARCH": Mark.at_most(2.5, crow),
        "Guangzhou's size to Porto": Mark.at_most(2.0, growth),
        "share of a core for the fixes": Mark.at_most(0.05, rows["snap"].median),
        "seconds of a start": Mark.at_most(3.0, rows["first"].median),
        "MB of the process": Mark.at_most(500.0, rows["pss"].median),
    }
    return Found(rows=list(rows.values()), ratios=ratios, marks=marks)


def _rows(asked: dict[str, Callable[[int, int], list[float]] | None]) -> dict[str, Row]:
    """Ask all the same questions, in the same rounds; the first warms up and is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in asked}
    calls = QUESTIONS // (ROUNDS + 1)
    for turn in range(ROUNDS + 1):
        for name, ask in asked.items():
            taken = ask(turn * calls, calls) if ask else []
            samples[name] += taken if turn else []
    return {name: Row.of(name, taken, US) for name, taken in samples.items()}


def _searches(searcher: Child) -> Callable[[int, int], list[float]]:
    """Return what asks a process of ours."""

    def ask(first: int, calls: int) -> list[float]:
        found: list[float] = searcher.ask("reach", first=first, calls=calls, limit_s=LIMIT_S)["us"]
        return found

    return ask


def _dijkstra(graph: csr_array, nodes: Places, town: Town) -> Callable[[int, int], list[float]]:
    """Return what asks scipy, from the node nearest to each question; units are left to it."""
    near = [int(np.argmin(np.abs(nodes - place).sum(axis=1))) for place in town.questions.tolist()]

    def ask(first: int, calls: int) -> list[float]:
        taken = []
        for node in near[first : first + calls]:
            began = perf_counter_ns()
            dijkstra(graph, indices=node, limit=LIMIT_S)
            taken.append((perf_counter_ns() - began) / 1000)
        return taken

    return ask


def _geosearch(server: Redis | None, town: Town) -> Callable[[int, int], list[float]] | None:
    """Return what asks Redis for those as near as a motorbike gets in the time."""
    if server is None:
        return None
    server.add(town.places.tolist())

    def ask(first: int, calls: int) -> list[float]:
        taken = []
        for lon, lat in town.questions[first : first + calls].tolist():
            began = perf_counter_ns()
            server.near(Point(lon, lat), RADIUS_M)
            taken.append((perf_counter_ns() - began) / 1000)
        return taken

    return ask


# The cities. -------------------------------------------------------------------------------------


def tiled(ways: Ways, tiles: int) -> Ways:
    """Return the same map many times side by side, with some roads from each to the next."""
    nodes = len(ways.node_lon)
    side = float(np.ptp(ways.node_lon)) + 0.001
    both = np.flatnonzero((ways.way_mps > 0).all(axis=(0, 1)))
    begin = ways.way_node[ways.way_first[np.random.default_rng(1).choice(both, LINKS)]]
    links = np.concatenate(
        [np.column_stack((begin + nodes * n, begin + nodes * (n + 1))) for n in range(tiles - 1)]
    )
    each = np.arange(tiles)
    lengths = np.concatenate((np.tile(np.diff(ways.way_first), tiles), np.full(len(links), 2)))
    tiles_nodes = (ways.way_node[None, :] + each[:, None] * nodes).ravel()
    link_mps = np.ones((len(TRAVELS), 2, len(links)), np.float32)
    return Ways(
        node_lon=(ways.node_lon[None, :] + each[:, None] * side).ravel(),
        node_lat=np.tile(ways.node_lat, tiles),
        node_barred=np.tile(ways.node_barred, tiles),
        way_first=np.concatenate(([0], np.cumsum(lengths))).astype(np.int32),
        way_node=np.concatenate((tiles_nodes, links.ravel())).astype(np.int32),
        way_class=np.concatenate(
            (np.tile(ways.way_class, tiles), ways.way_class[both[:1]].repeat(len(links)))
        ),
        way_mps=np.concatenate((np.tile(ways.way_mps, (1, 1, tiles)), link_mps), axis=2),
    )


def town(graph: RoadGraph, units: int, path: Path) -> Town:
    """Return a graph in its file, with units and questions beside its roads."""
    dice = np.random.default_rng(5)
    main = np.flatnonzero(graph.segment_main >> MOTORBIKE & 1)

    def beside(count: int) -> Places:
        vertex = graph.shape_first[dice.choice(main, count)]
        places = np.column_stack((graph.shape_lon[vertex], graph.shape_lat[vertex])) / E7
        return places + dice.normal(0, OFF_DEGREES, places.shape)

    places, questions = beside(units), beside(QUESTIONS)
    options = {name: f"{path}.{name}" for name in ("graph", "places", "questions")}
    save(graph, Path(options["graph"]))
    for name, array in (("places", places), ("questions", questions)):
        options[name] += ".npy"
        np.save(options[name], array)
    return Town(graph, options, places, questions)


def raw(ways: Ways) -> tuple[csr_array, Places]:
    """Return the map as it is, every node of it, against the direction of travel."""
    last = np.zeros(len(ways.way_node), np.bool_)
    last[ways.way_first[1:] - 1] = True
    at = np.flatnonzero(~last)
    a, b = ways.way_node[at], ways.way_node[at + 1]
    way = np.repeat(np.arange(len(ways.way_class)), np.diff(ways.way_first))[at]
    lon, lat = (np.round(each * E7).astype(np.int32) for each in (ways.node_lon, ways.node_lat))
    length = np.maximum(metres(lon[a], lat[a], lon[b], lat[b]), 0.01)
    up, down = ways.way_mps[MOTORBIKE][:, way]
    tails, heads = (
        np.concatenate((b[up > 0], a[down > 0])),
        np.concatenate((a[up > 0], b[down > 0])),
    )
    s = np.concatenate(((length[up > 0] / up[up > 0]), (length[down > 0] / down[down > 0])))
    count = len(ways.node_lon)
    nodes = np.column_stack((ways.node_lon, ways.node_lat))
    return csr_array((s, (tails, heads)), shape=(count, count)), nodes


def contracted(graph: RoadGraph) -> tuple[csr_array, Places]:
    """Return our own graph as scipy takes it."""
    s = graph.arc_s[MOTORBIKE].astype(np.float64)
    may = np.isfinite(s) & (s > 0)
    into = np.repeat(np.arange(graph.nodes), np.diff(graph.arc_first))
    sparse = csr_array((s[may], (into[may], graph.arc_from[may])), shape=(graph.nodes,) * 2)
    return sparse, np.column_stack((graph.node_lon, graph.node_lat)) / E7
