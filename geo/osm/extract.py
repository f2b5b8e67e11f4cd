"""Reading an extract of OpenStreetMap, way by way, never the whole of it."""

import math
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import osmium
from osmium.filter import KeyFilter
from osmium.osm import NODE, WAY
from osmium.osm.types import Node, Way

from geo.osm.barrier import barred
from geo.osm.clip import UNKNOWN_E7, Raw, clip
from geo.osm.road import KEYS, Road, road
from geo.point import Box
from geo.roads.build import Source
from geo.roads.graph import E7
from geo.roads.travel import TRAVELS
from geo.roads.ways import Ways

Progress = Callable[[int], None]
"""Told how many roads have been read."""
STEP: Final = 5_000
TIMESTAMPS: Final = ("osmosis_replication_timestamp", "timestamp")

# Every PBF file begins with a block of this type (OSM wiki, PBF Format).
EPOCH: Final = datetime.fromtimestamp(0, UTC)
PBF_MARK: Final = b"OSMHeader"
MARK_WITHIN: Final = 64
OTHER_FORMATS: Final = (".osm", ".bz2", ".gz", ".o5m", ".opl", ".xml")

# Sorted in memory: 16 bytes a node, 320 MB for a province.
LOCATIONS: Final = "flex_mem"
WORLD: Final = Box(-math.inf, -math.inf, math.inf, math.inf)

TagPairs = tuple[tuple[str, str], ...]


class BadExtractError(ValueError):
    """The file is no extract, or has no roads where they are wanted."""


class NoRoadsError(BadExtractError):
    """The file is a whole extract, and has no roads where they are wanted."""


class Extract(NamedTuple):
    """The roads of an extract, and where they come from."""

    ways: Ways
    source: Source


def read(path: Path, box: Box | None = None, progress: Progress | None = None) -> Ways:
    """Return the roads of an extract, or of a box of it, as `read_extract` does."""
    return read_extract(path, box, progress).ways


def read_extract(path: Path, box: Box | None = None, progress: Progress | None = None) -> Extract:
    """Return the roads of an extract, and what it is; of a box only what has an end in it.

    Raises:
        OSError: The file cannot be read.
        BadExtractError: It is empty, cut off or no OSM data.
        NoRoadsError: It has no roads, or none in the box.
    """
    _refuse_strangers(path)
    reading = _Reading(box, progress)
    try:
        reading.take(path)
        timestamp = _timestamp(path) or reading.newest
    except RuntimeError as error:  # all that osmium raises
        raise BadExtractError(
            f"{path} is damaged or was not copied to its end ({error})"
        ) from error
    ways = clip(reading.raw(), box)
    if not len(ways.way_class):
        raise NoRoadsError(_nothing(path, box, reading.held))
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Extract(ways, Source(path.name, digest, timestamp))


def _refuse_strangers(path: Path) -> None:
    """Refuse what is not even the beginning of an extract.

    Raises:
        BadExtractError: It is not.
    """
    with path.open("rb") as file:
        start = file.read(MARK_WITHIN)
    if not start:
        raise BadExtractError(f"{path} is empty")
    if PBF_MARK not in start and path.suffix not in OTHER_FORMATS:
        raise BadExtractError(f"{path} is no OpenStreetMap extract (.osm.pbf)")


def _timestamp(path: Path) -> str:
    header = osmium.FileProcessor(path).header
    return next(filter(None, (header.get(key) for key in TIMESTAMPS)), "")


def _nothing(path: Path, box: Box | None, held: Box | None) -> str:
    """Say why there are no roads: the wrong box, or none at all."""
    if box is None or held is None:
        return f"{path} holds no roads"
    return (
        f"{path} holds no roads in the box {_shown(box)}; its own lie in {_shown(held)} "
        "(west,south,east,north)"
    )


def _shown(box: Box) -> str:
    return ",".join(f"{each:.4f}" for each in box)


class _Reading:
    """What has been read so far, in flat arrays."""

    def __init__(self, box: Box | None, progress: Progress | None) -> None:
        self._wanted = _e7(box)
        self._progress = progress
        self._node, self._lon, self._lat = array("q"), array("i"), array("i")
        self._first, self._kind = array("i", [0]), array("i")
        self._kinds: dict[TagPairs, int] = {}
        self._roads: list[Road] = []
        self._masks: dict[int, int] = {}
        self._held = [UNKNOWN_E7, UNKNOWN_E7, -UNKNOWN_E7, -UNKNOWN_E7]
        self._seen = 0
        self._newest = EPOCH

    @property
    def newest(self) -> str:
        """When the last of the roads was changed; '' where the extract does not tell."""
        return f"{self._newest:%Y-%m-%dT%H:%M:%SZ}" if self._newest > EPOCH else ""

    @property
    def held(self) -> Box | None:
        """What box all roads of the extract lie in, also those outside the one wanted."""
        return Box(*(each / E7 for each in self._held)) if self._seen else None

    def take(self, path: Path) -> None:
        """Read the file once; the places of its nodes are kept until its end."""
        for each in _objects(path):
            if isinstance(each, Node):
                self._take_node(each)
            else:
                self._take_way(each)

    def raw(self) -> Raw:
        """Return all of it."""
        kind = np.array(self._kind)
        classes = np.array([each.road_class for each in self._roads], dtype=np.uint8)
        mps = np.array([each.mps for each in self._roads], dtype=np.float32)
        barred_node = np.array(sorted(self._masks), dtype=np.int64)
        return Raw(
            node=np.array(self._node),
            lon_e7=np.array(self._lon),
            lat_e7=np.array(self._lat),
            first=np.array(self._first),
            way_class=classes[kind],
            way_mps=mps.reshape(-1, len(TRAVELS), 2)[kind].transpose(1, 2, 0),
            barred_node=barred_node,
            barred=np.array([self._masks[node] for node in barred_node.tolist()], dtype=np.uint8),
        )

    def _take_node(self, node: Node) -> None:
        if mask := barred(dict(node.tags)):
            self._masks[node.id] = mask

    def _take_way(self, way: Way) -> None:
        kind = self._kind_of(tuple((tag.k, tag.v) for tag in way.tags if tag.k in KEYS))
        if kind is None:
            return
        self._count(way)
        nodes = [(node.ref, node.x, node.y) for node in way.nodes]
        if len(nodes) < 2 or not self._near([n[1] for n in nodes], [n[2] for n in nodes]):
            return
        for ref, lon, lat in nodes:
            self._node.append(ref)
            self._lon.append(lon)
            self._lat.append(lat)
        self._first.append(len(self._node))
        self._kind.append(kind)

    def _kind_of(self, tags: TagPairs) -> int | None:
        """Return the number of what such tags mean; few sets of tags are on most ways."""
        if tags not in self._kinds:
            found = road(dict(tags))
            self._kinds[tags] = len(self._roads) if found else -1
            self._roads += [found] if found else []
        kind = self._kinds[tags]
        return None if kind < 0 else kind

    def _count(self, way: Way) -> None:
        self._seen += 1
        self._newest = max(self._newest, way.timestamp)
        if self._progress is not None and self._seen % STEP == 0:
            self._progress(self._seen)

    def _near(self, lons: list[int], lats: list[int]) -> bool:
        """Tell whether the way may have a part in the box; note how far the roads spread."""
        west, south, east, north = min(lons), min(lats), max(lons), max(lats)
        if east < UNKNOWN_E7:
            held = self._held
            self._held = [
                min(west, held[0]), min(south, held[1]), max(east, held[2]), max(north, held[3])
            ]  # fmt: skip
        wanted = self._wanted
        across = west <= wanted.east and east >= wanted.west
        return across and south <= wanted.north and north >= wanted.south


def _e7(box: Box | None) -> Box:
    return WORLD if box is None else Box(*(each * E7 for each in box))


def _objects(path: Path) -> Iterator[Node | Way]:
    """Go through barriers, then ways; every way's nodes know where they are, if the file does."""
    barriers, highways = KeyFilter("barrier"), KeyFilter("highway")
    barriers.enable_for(NODE)
    highways.enable_for(WAY)
    source = osmium.io.File(str(path), "" if path.suffix in OTHER_FORMATS else "pbf")
    processor = osmium.FileProcessor(source, NODE | WAY).with_locations(LOCATIONS)
    processor.with_filter(barriers)
    processor.with_filter(highways)
    yield from (each for each in processor if isinstance(each, Node | Way))
