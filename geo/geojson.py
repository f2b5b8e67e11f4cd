"""Areas in GeoJSON: every feature is checked, and all that is bad is told at once."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

import numpy as np
import shapely

from geo.datum import Arrays, Datum, from_wgs84, to_wgs84
from geo.point import EARTH, Floats

Area = shapely.Polygon | shapely.MultiPolygon
Conversion = Callable[[Floats, Floats, Datum], Arrays]
# Where a feature stands in its document, from 1; what concerns no one feature has 0.
DOCUMENT: Final = 0
POLYGONAL: Final = ("Polygon", "MultiPolygon")


class BadFeatureError(ValueError):
    """One feature is not what is read here."""

    def __init__(self, number: int, field: str, reason: str) -> None:
        """Keep the feature's number in the document (1 is the first), its field, the reason."""
        super().__init__(number, field, reason)
        self.number = number
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        """Say where and why."""
        where = f"feature {self.number}" if self.number != DOCUMENT else "document"
        return f"{where}, {self.field}: {self.reason}"


class BadGeoJsonError(ValueError):
    """Some of a document is bad, and nothing of it was taken."""

    def __init__(self, bad: Iterable[BadFeatureError]) -> None:
        """Keep every bad feature in the document's order."""
        self.bad = tuple(sorted(bad, key=lambda each: each.number))
        super().__init__(self.bad)

    def __str__(self) -> str:
        """Say one line for each."""
        return "\n".join(str(each) for each in self.bad)


class Feature(NamedTuple):
    """A feature as it stands in the document, unchecked."""

    number: int
    properties: dict[str, Any]
    geometry: object


def read_features(document: bytes | str) -> list[Feature]:
    """Return the features of a FeatureCollection in its order; what is no object reads as empty.

    Raises:
        BadGeoJsonError: The document is no FeatureCollection with features in it.
    """
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise _bad_document("text", f"not JSON in UTF-8 ({error})") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "FeatureCollection":
        raise _bad_document("type", "not a FeatureCollection")
    features = parsed.get("features")
    if not isinstance(features, list) or not features:
        raise _bad_document("features", "not a list with features in it")
    return [_feature(number, each) for number, each in enumerate(features, start=1)]


def read_area(feature: Feature, datum: Datum) -> Area:
    """Return the feature's Polygon or MultiPolygon, moved from `datum` to WGS-84.

    Raises:
        BadFeatureError: It is another geometry, empty, not valid, or not on the earth.
    """
    area = _parsed(feature)
    if not EARTH.contains_many(*shapely.get_coordinates(area).T).all():
        raise BadFeatureError(feature.number, "geometry", "coordinates are not degrees")
    moved = _moved(area, datum, to_wgs84)
    if not moved.is_valid:
        reason = f"not a valid area ({shapely.is_valid_reason(moved)})"
        raise BadFeatureError(feature.number, "geometry", reason)
    return moved


def write_feature(properties: dict[str, Any], area: Area, datum: Datum) -> dict[str, Any]:
    """Return the feature of a WGS-84 area with its coordinates in `datum`."""
    geometry = shapely.geometry.mapping(_moved(area, datum, from_wgs84))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def write_features(features: Iterable[dict[str, Any]]) -> str:
    """Return the FeatureCollection of such features, in their order."""
    collection = {"type": "FeatureCollection", "features": list(features)}
    return json.dumps(collection, ensure_ascii=False)


def _bad_document(field: str, reason: str) -> BadGeoJsonError:
    return BadGeoJsonError([BadFeatureError(DOCUMENT, field, reason)])


def _feature(number: int, found: object) -> Feature:
    feature = found if isinstance(found, dict) else {}
    properties = feature.get("properties")
    return Feature(
        number, properties if isinstance(properties, dict) else {}, feature.get("geometry")
    )


def _parsed(feature: Feature) -> Area:
    """Return the geometry as GEOS reads it, without heights, if it is an area at all."""
    kind = feature.geometry.get("type") if isinstance(feature.geometry, dict) else None
    if kind not in POLYGONAL:
        raise BadFeatureError(
            feature.number, "geometry", f"{kind!r} is not a Polygon or MultiPolygon"
        )
    try:
        area = shapely.from_geojson(json.dumps(feature.geometry, allow_nan=False))
    except (ValueError, RecursionError, shapely.GEOSException) as error:
        raise BadFeatureError(feature.number, "geometry", f"not read ({error})") from error
    if area.is_empty:
        raise BadFeatureError(feature.number, "geometry", "empty")
    return cast(Area, shapely.force_2d(area))


def _moved(area: Area, datum: Datum, convert: Conversion) -> Area:
    def move(coordinates: Floats) -> Floats:
        return np.column_stack(convert(coordinates[:, 0], coordinates[:, 1], datum))

    return shapely.transform(area, move)
