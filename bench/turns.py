"""What it costs to ignore turn restrictions: seconds by car, on a real extract, with and without.

Kapok's roads know no banned turns. Here every piece of road is a node of its own, so that a turn is
an arrow that can be left out, and the same ways are searched twice by scipy. U-turns are made at
dead ends only, in both.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import osmium
from numpy.typing import NDArray
from osmium.osm.types import Node, Relation, Way
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from bench.harness.machine import ROOT
from bench.harness.result import Found, Row
from geo.osm.barrier import barred
from geo.osm.road import KEYS, road
from geo.roads.lengths import metres
from geo.roads.travel import CAR

MOST_S: Final = 300.0
WHOLE: Final = "porto"
SMALL: Final = "bayfront_singapore"
STARTS: Final = 60
LIMITS_S: Final = (180, 300, 600)
LATE_S: Final = (10, 30)
SEED: Final = 3
DETOUR_S: Final = 900.0
"""Longer detours are counted as this one."""
INSTANT_S: Final = 1e-9
"""A piece of no length would be no arrow."""

Doubles = NDArray[np.float64]


class Piece(NamedTuple):
    """A piece of a way in one direction."""

    tail: int
    head: int
    way: int
    seconds: float


class Bans(NamedTuple):
    """By way and node: the ways one may not turn into there, and those one has to."""

    no: dict[tuple[int, int], set[int]]
    only: dict[tuple[int, int], set[int]]


def measure(scale: float) -> Found:
    """Measure the whole extract, or a small one for less than a tenth."""
    name = WHOLE if scale >= 0.1 else SMALL
    folder = Path(os.environ.get("KAPOK_OSM_SAMPLES") or ROOT.parent / "shared" / "data")
    path = folder / f"{name}.osm.pbf"
    if not path.is_file():
        return Found(rows=[Row.missing(f"by car, {name}")])
    pieces, bans = read(path)
    starts = np.random.default_rng(SEED).integers(0, len(pieces), max(int(STARTS * scale), 2))
    free = dijkstra(turns(pieces, None), indices=starts, limit=max(LIMITS_S))
    bound = dijkstra(turns(pieces, bans), indices=starts, limit=max(LIMITS_S) + DETOUR_S)
    rules = len(bans.no) + len(bans.only)
    rows = [Row.count(f"turns that are banned or ordered, {name}", rules, "places")]
    return Found(rows=rows + [row for limit in LIMITS_S for row in compared(free, bound, limit)])


def compared(free: Doubles, bound: Doubles, limit_s: int) -> Iterator[Row]:
    """Go through what the turns cost on all ways of up to so many seconds."""
    near = (free > 0) & (free <= limit_s)
    lost = np.minimum(bound[near] - free[near], DETOUR_S)
    if not len(lost):
        yield Row.missing(f"lost within {limit_s} s")
        return
    yield Row.of(f"lost within {limit_s} s, median", lost.tolist(), "s")
    yield Row.count(f"lost within {limit_s} s, mean", float(lost.mean()), "s")
    for late_s in LATE_S:
        share = 100 * float((lost > late_s).mean())
        yield Row.count(f"more than {late_s} s lost within {limit_s} s", share, "%")


def read(path: Path) -> tuple[list[Piece], Bans]:
    """Return the pieces that cars may use, and the turns they may not take."""
    walls, pieces = set[int](), list[Piece]()
    bans = Bans(defaultdict(set), defaultdict(set))
    for each in osmium.FileProcessor(path).with_locations():
        if isinstance(each, Node):
            if "barrier" in each.tags and barred(dict(each.tags)) >> CAR & 1:
                walls.add(each.id)
        elif isinstance(each, Way):
            pieces += pieces_of(each, walls)
        elif isinstance(each, Relation) and each.tags.get("type") == "restriction":
            _note(each, bans)
    return pieces, bans


def pieces_of(way: Way, walls: set[int]) -> Iterator[Piece]:
    """Go through a way's pieces, in each direction that cars may take."""
    found = road({tag.k: tag.v for tag in way.tags if tag.k in KEYS})
    if found is None:
        return
    nodes = [(node.ref, node.x, node.y) for node in way.nodes if node.location.valid()]
    places = np.array([node[1:] for node in nodes], dtype=np.int32).reshape(-1, 2)
    lengths = metres(places[:-1, 0], places[:-1, 1], places[1:, 0], places[1:, 1]).tolist()
    along, against = found.mps[CAR]
    for (a, *_), (b, *_), length in zip(nodes[:-1], nodes[1:], lengths, strict=True):
        if a == b or a in walls or b in walls:
            continue
        if along > 0:
            yield Piece(a, b, way.id, length / along)
        if against > 0:
            yield Piece(b, a, way.id, length / against)


def _note(relation: Relation, bans: Bans) -> None:
    """Note a restriction at one node; those along a way are few, and left out."""
    kind = relation.tags.get("restriction") or ""
    if kind[:3] not in {"no_", "onl"} or "motorcar" in (relation.tags.get("except") or ""):
        return
    role: dict[str, list[int]] = defaultdict(list)
    for member in relation.members:
        role[f"{member.role} {member.type}"].append(member.ref)
    if len(role["via n"]) != 1:
        return
    for way in role["from w"]:
        rules = bans.no if kind.startswith("no_") else bans.only
        rules[way, role["via n"][0]].update(role["to w"])


def turns(pieces: list[Piece], bans: Bans | None) -> csr_array:
    """Return the seconds of turning from each piece into each other, and going to its end."""
    leaving: dict[int, list[int]] = defaultdict(list)
    for number, piece in enumerate(pieces):
        leaving[piece.tail].append(number)
    come, go = [], []
    for number, piece in enumerate(pieces):
        for other in _taken(piece, leaving[piece.head], pieces, bans):
            come.append(number)
            go.append(other)
    seconds = np.array([piece.seconds for piece in pieces])[go] + INSTANT_S
    return csr_array((seconds, (come, go)), shape=(len(pieces),) * 2)


def _taken(
    piece: Piece, leaving: list[int], pieces: list[Piece], bans: Bans | None
) -> Iterator[int]:
    """Go through the pieces that one may turn into."""
    no = bans.no.get((piece.way, piece.head), set()) if bans else set()
    only = bans.only.get((piece.way, piece.head)) if bans else None
    for other in leaving:
        into = pieces[other]
        if into.head == piece.tail and len(leaving) > 1:
            continue
        if into.way not in no and (only is None or into.way in only):
            yield other
