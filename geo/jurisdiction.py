"""The five-level tree of jurisdictions: paths, polygons, and whose ground a place is."""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.datum import Datum
from geo.geojson import (
    Area,
    BadFeatureError,
    BadGeoJsonError,
    Feature,
    read_area,
    read_features,
    write_feature,
    write_features,
)
from geo.point import Floats, Point

LABEL: Final = r"[a-z0-9]{1,16}"
NAME_CHARS: Final = 120
PATH: Final = re.compile(rf"{LABEL}(\.{LABEL}){{0,4}}")


class Level(IntEnum):
    """How deep a jurisdiction lies: the number of labels in its path."""

    CITY = 1
    DISTRICT = 2
    STREET = 3
    VILLAGE = 4
    GRID = 5


class BadPathError(ValueError):
    """The text is no jurisdiction path."""

    def __init__(self, text: object) -> None:
        """Keep the text that was given."""
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        """Say what a path looks like."""
        return f"{self.text!r} is not one to five labels of a-z and 0-9 joined by dots"


def is_path(text: str) -> bool:
    """Tell whether the text is one to five labels `[a-z0-9]{1,16}` joined by dots."""
    return PATH.fullmatch(text) is not None


def parse_path(text: str) -> tuple[str, ...]:
    """Return the labels, city first.

    Raises:
        BadPathError: The text is no path.
    """
    if not is_path(text):
        raise BadPathError(text)
    return tuple(text.split("."))


def parent(path: str) -> str | None:
    """Return the path one level up, None above the city."""
    head, dot, _ = path.rpartition(".")
    return head if dot else None


def within(path: str, scope: str) -> bool:
    """Tell whether `path` is `scope` or lies under it, label by label."""
    return path == scope or path.startswith(f"{scope}.")


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A node of the tree and its ground, in WGS-84."""

    path: str
    name: str
    polygon: Area

    def __post_init__(self) -> None:
        """Refuse a path that is none.

        Raises:
            BadPathError: The path is not one to five labels.
        """
        if not is_path(self.path):
            raise BadPathError(self.path)

    @property
    def level(self) -> Level:
        """Its depth in the tree."""
        return Level(self.path.count(".") + 1)

    @property
    def parent(self) -> str | None:
        """The path one level up, None above the city."""
        return parent(self.path)


def read_geojson(document: bytes | str, datum: Datum) -> list[Jurisdiction]:
    """Return the jurisdictions of a FeatureCollection in its order, moved from `datum` to WGS-84.

    A feature is a Polygon or MultiPolygon with the properties `path` and `name`; every path but
    a city's needs its parent in the same document.

    Raises:
        BadGeoJsonError: Some feature is bad. All that are bad are named in it.
    """
    features = read_features(document)
    known = {str(each.properties.get("path")) for each in features}
    seen: set[str] = set()
    bad: list[BadFeatureError] = []
    jurisdictions: list[Jurisdiction] = []
    for feature in features:
        try:
            jurisdictions.append(_read(feature, datum, seen, known))
        except BadFeatureError as error:
            bad.append(error)
    if bad:
        raise BadGeoJsonError(bad)
    return jurisdictions


def to_geojson(jurisdictions: Iterable[Jurisdiction], datum: Datum = Datum.WGS84) -> str:
    """Return a FeatureCollection in `datum`, which `read_geojson` reads back."""
    return write_features(
        write_feature({"path": each.path, "name": each.name}, each.polygon, datum)
        for each in jurisdictions
    )


class JurisdictionIndex:
    """Answers whose ground a place is; borders belong to the smaller path of those they part."""

    def __init__(self, jurisdictions: Iterable[Jurisdiction]) -> None:
        """Take the jurisdictions, in any order; a path given twice counts once, the last."""
        self._by_path = {each.path: each for each in jurisdictions}
        self._children: dict[str | None, list[Jurisdiction]] = {}
        for path in sorted(self._by_path):
            self._children.setdefault(parent(path), []).append(self._by_path[path])
        self._layers = [_Layer(each) for each in self._by_level() if each]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_path)

    def __iter__(self) -> Iterator[Jurisdiction]:
        """Go through all of them by path."""
        return (self._by_path[path] for path in sorted(self._by_path))

    def get(self, path: str) -> Jurisdiction | None:
        """Return the jurisdiction of exactly this path."""
        return self._by_path.get(path)

    def children(self, path: str | None) -> tuple[Jurisdiction, ...]:
        """Return those one level under `path`, by path; under None the cities."""
        return tuple(self._children.get(path, ()))

    def deepest(self, point: Point) -> Jurisdiction | None:
        """Return the deepest jurisdiction whose polygon holds the point, None outside all."""
        if not point.on_earth:
            return None
        place = shapely.Point(point.lon, point.lat)
        owners = (layer.owner(place) for layer in self._layers)
        return next((owner for owner in owners if owner), None)

    def deepest_many(self, lons: Floats, lats: Floats) -> list[str | None]:
        """Return the path `deepest` gives for each pair, in their order."""
        paths: list[str | None] = [None] * len(lons)
        open_places = np.flatnonzero(np.isfinite(lons) & np.isfinite(lats))
        for layer in self._layers:
            owners = layer.owners(lons[open_places], lats[open_places])
            for place, owner in zip(open_places, owners, strict=True):
                paths[place] = layer.path(owner)
            open_places = open_places[owners < 0]
        return paths

    def _by_level(self) -> list[list[Jurisdiction]]:
        """Return the jurisdictions of each level by path, the deepest level first."""
        return [[each for each in self if each.level is level] for level in reversed(Level)]


class _Layer:
    """All jurisdictions of one level, by path, in a tree of their boxes."""

    def __init__(self, jurisdictions: list[Jurisdiction]) -> None:
        self._jurisdictions = jurisdictions
        self._tree = shapely.STRtree([each.polygon for each in jurisdictions])

    def owner(self, place: shapely.Point) -> Jurisdiction | None:
        hits = self._tree.query(place, predicate="intersects")
        return self._jurisdictions[hits.min()] if len(hits) else None

    def owners(self, lons: Floats, lats: Floats) -> NDArray[np.intp]:
        """Return the first owner's number for each place, -1 where there is none."""
        nobody = len(self._jurisdictions)
        owners = np.full(len(lons), nobody, dtype=np.intp)
        place, owner = self._tree.query(shapely.points(lons, lats), predicate="intersects")
        np.minimum.at(owners, place, owner)
        return np.where(owners == nobody, -1, owners)

    def path(self, number: int) -> str | None:
        return self._jurisdictions[number].path if number >= 0 else None


def _read(feature: Feature, datum: Datum, seen: set[str], known: Container[str]) -> Jurisdiction:
    path = _read_path(feature, seen, known)
    return Jurisdiction(path, _read_name(feature), read_area(feature, datum))


def _read_path(feature: Feature, seen: set[str], known: Container[str]) -> str:
    """Return the feature's path and add it to those seen; its parent is one of the known."""
    path = feature.properties.get("path")
    if not isinstance(path, str) or not is_path(path):
        raise BadFeatureError(feature.number, "path", str(BadPathError(path)))
    if path in seen:
        raise BadFeatureError(feature.number, "path", f"{path} is there already")
    seen.add(path)
    above = parent(path)
    if above is not None and above not in known:
        raise BadFeatureError(feature.number, "path", f"its parent {above} is missing")
    return path


def _read_name(feature: Feature) -> str:
    name = feature.properties.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_CHARS:
        reason = f"not a text of 1 to {NAME_CHARS} characters"
        raise BadFeatureError(feature.number, "name", reason)
    return name.strip()
