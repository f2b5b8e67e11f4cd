"""Areas in GeoJSON, good and bad."""

import json
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum, point_from_wgs84
from geo.geojson import (
    BadFeatureError,
    BadGeoJsonError,
    Feature,
    read_area,
    read_features,
    write_feature,
    write_features,
)
from geo.point import Point

SQUARE = [[113.0, 23.0], [113.1, 23.0], [113.1, 23.1], [113.0, 23.1], [113.0, 23.0]]
AREA = shapely.box(113.0, 23.0, 113.1, 23.1)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def polygon(*rings: object) -> dict[str, Any]:
    """Return a Polygon of these rings."""
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: object) -> str:
    """Return a document with these features."""
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def test_features_are_read_in_order_and_numbered_from_one() -> None:
    """The number is what a person counts in the file."""
    first = {"type": "Feature", "properties": {"path": "gz"}, "geometry": polygon(SQUARE)}
    read = read_features(collection(first, {"type": "Feature"}, 7))
    assert read == [
        Feature(1, {"path": "gz"}, polygon(SQUARE)),
        Feature(2, {}, None),
        Feature(3, {}, None),
    ]


def test_bytes_are_read_with_and_without_a_mark() -> None:
    """UTF-8 as editors on any system write it."""
    text = collection({"type": "Feature", "properties": {"name": "荔湾"}})
    for document in (text, text.encode(), b"\xef\xbb\xbf" + text.encode()):
        assert read_features(document)[0].properties == {"name": "荔湾"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("", "text"),
        ("{", "text"),
        (b'{"type": "\xff"}', "text"),
        ("[" * 100_000, "text"),
        ("[]", "type"),
        ('{"type": "Feature"}', "type"),
        ('{"type": "FeatureCollection"}', "features"),
        ('{"type": "FeatureCollection", "features": {}}', "features"),
        (collection(), "features"),
    ],
)
def test_what_is_no_collection_is_refused_as_a_document(document: bytes | str, field: str) -> None:
    """Number 0 says that no feature is to blame."""
    with pytest.raises(BadGeoJsonError) as caught:
        read_features(document)
    assert [(bad.number, bad.field) for bad in caught.value.bad] == [(0, field)]
    assert str(caught.value).startswith(f"document, {field}: ")


@given(st.binary())
def test_any_bytes_give_features_or_the_documented_error(document: bytes) -> None:
    """Nothing else comes out."""
    with pytest.raises(BadGeoJsonError):
        read_features(document)


def test_an_area_is_read() -> None:
    """A polygon, and a polygon with heights, which are left out."""
    high = [[*corner, 12.5] for corner in SQUARE]
    for ring in (SQUARE, high):
        area = read_area(Feature(1, {}, polygon(ring)), Datum.WGS84)
        assert area.equals(AREA)
        assert not area.has_z


def test_a_multipolygon_is_an_area() -> None:
    """Islands belong to their district."""
    island = [[lon + 0.2, lat] for lon, lat in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE], [island]]}
    area = read_area(Feature(1, {}, geometry), Datum.WGS84)
    assert len(shapely.get_parts(area)) == 2


def test_an_area_is_moved_from_its_datum() -> None:
    """Inside, all is WGS-84."""
    corners = [point_from_wgs84(Point(*corner), Datum.GCJ02) for corner in SQUARE]
    area = read_area(Feature(1, {}, polygon(corners)), Datum.GCJ02)
    assert shapely.equals_exact(area, shapely.Polygon(SQUARE), tolerance=1e-9)


BOW_TIE = [[113.0, 23.0], [113.1, 23.1], [113.1, 23.0], [113.0, 23.1], [113.0, 23.0]]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "None is not a Polygon"),
        ([], "None is not a Polygon"),
        ({"type": "Point", "coordinates": [113.0, 23.0]}, "'Point' is not a Polygon"),
        ({"type": ["Polygon"]}, "is not a Polygon"),
        ({"type": "Polygon"}, "not read"),
        (polygon(), "empty"),
        (polygon(SQUARE[:-1]), "not read"),
        (polygon([["a", 23.0], *SQUARE[1:]]), "not read"),
        (polygon([[float("nan"), 23.0], *SQUARE[1:]]), "not read"),
        (polygon([[113.05, float("inf")], *SQUARE[1:]]), "not read"),
        (polygon([[113.0, 23.0], [1e308, 23.0], *SQUARE[2:]]), "not degrees"),
        (polygon([[113.0, 23.0], [181.0, 23.0], *SQUARE[2:]]), "not degrees"),
        (polygon(BOW_TIE), "Self-intersection"),
    ],
)
def test_a_bad_geometry_is_refused_with_its_reason(geometry: object, reason: str) -> None:
    """The error names the feature, the field and what is wrong."""
    with pytest.raises(BadFeatureError, match=reason) as caught:
        read_area(Feature(7, {}, geometry), Datum.WGS84)
    assert (caught.value.number, caught.value.field) == (7, "geometry")
    assert str(caught.value).startswith("feature 7, geometry: ")


@given(coordinates=json_values, kind=st.sampled_from(["Polygon", "MultiPolygon"]))
def test_any_coordinates_give_an_area_or_the_documented_error(
    coordinates: object, kind: str
) -> None:
    """No document gets through to another exception."""
    with pytest.raises(BadFeatureError):
        read_area(Feature(1, {}, {"type": kind, "coordinates": coordinates}), Datum.GCJ02)


@pytest.mark.parametrize("datum", list(Datum))
def test_what_is_written_is_read_back(datum: Datum) -> None:
    """Properties as they were, the area to a tenth of a millimetre."""
    document = write_features([write_feature({"name": "荔湾"}, AREA, datum)])
    (feature,) = read_features(document)
    assert feature.properties == {"name": "荔湾"}
    assert shapely.equals_exact(read_area(feature, datum), AREA, tolerance=1e-9)


def test_errors_are_told_in_the_order_of_the_document() -> None:
    """One line for each."""
    late, early = BadFeatureError(9, "name", "late"), BadFeatureError(2, "path", "early")
    assert str(BadGeoJsonError([late, early])) == "feature 2, path: early\nfeature 9, name: late"
