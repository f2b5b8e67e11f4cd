"""The tree of jurisdictions."""

import json
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum
from geo.geojson import BadGeoJsonError
from geo.jurisdiction import (
    BadPathError,
    Jurisdiction,
    JurisdictionIndex,
    Level,
    is_path,
    parent,
    parse_path,
    read_geojson,
    to_geojson,
    within,
)
from geo.point import Point

CITY = Jurisdiction("gz", "广州", shapely.box(113.0, 23.0, 114.0, 24.0))
WEST = Jurisdiction("gz.liwan", "荔湾", shapely.box(113.0, 23.0, 113.5, 24.0))
EAST = Jurisdiction("gz.huangpu", "黄埔", shapely.box(113.5, 23.0, 113.9, 24.0))
STREET = Jurisdiction("gz.huangpu.xiagang", "夏港", shapely.box(113.6, 23.2, 113.7, 23.4))
TREE = (CITY, WEST, EAST, STREET)

labels = st.text("abz019", min_size=1, max_size=3)
paths = st.lists(labels, min_size=1, max_size=5).map(".".join)


@pytest.mark.parametrize("path", ["gz", "gz.hp", "gz.huangpu.xiagang.c012.g0345", "a" * 16])
def test_a_path_is_one_to_five_short_labels(path: str) -> None:
    """And is parsed into them, city first."""
    assert is_path(path)
    assert ".".join(parse_path(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "gz.",
        ".gz",
        "gz..hp",
        "GZ",
        "广州",
        "gz hp",
        "gz\n",
        "a" * 17,
        "a.b.c.d.e.f",
        "gz/x",
    ],
)
def test_anything_else_is_no_path(text: str) -> None:
    """The error keeps what was given and says what a path looks like."""
    assert not is_path(text)
    with pytest.raises(BadPathError, match="one to five labels") as caught:
        parse_path(text)
    assert caught.value.text == text


def test_the_parent_is_one_level_up() -> None:
    """A city has none."""
    assert parent("gz.hp.xg") == "gz.hp"
    assert parent("gz") is None


@pytest.mark.parametrize(
    ("path", "scope", "answer"),
    [
        ("gz.hp", "gz.hp", True),
        ("gz.hp.xg", "gz.hp", True),
        ("gz.hpx", "gz.hp", False),
        ("gz", "gz.hp", False),
        ("sz.hp", "gz", False),
    ],
)
def test_within_keeps_to_the_border_of_labels(path: str, scope: str, *, answer: bool) -> None:
    """gz.hp holds gz.hp.xg, and not gz.hpx."""
    assert within(path, scope) is answer


@given(path=paths, scope=paths)
def test_within_is_a_prefix_of_labels(path: str, scope: str) -> None:
    """As comparing label by label would say."""
    assert within(path, scope) == (parse_path(path)[: len(parse_path(scope))] == parse_path(scope))


def test_the_level_is_the_number_of_labels() -> None:
    """From the city down to the grid."""
    path = "gz.huangpu.xiagang.c012.g0345"
    prefixes = [".".join(path.split(".")[:depth]) for depth in range(1, 6)]
    jurisdictions = [Jurisdiction(each, "x", CITY.polygon) for each in prefixes]
    assert [each.level for each in jurisdictions] == list(Level)
    assert [each.parent for each in jurisdictions] == [None, *prefixes[:-1]]


def test_a_jurisdiction_has_a_path() -> None:
    """Another text is refused when it is made."""
    with pytest.raises(BadPathError):
        Jurisdiction("GZ", "广州", CITY.polygon)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Point(113.65, 23.3), "gz.huangpu.xiagang"),
        (Point(113.55, 23.3), "gz.huangpu"),
        (Point(113.2, 23.3), "gz.liwan"),
        (Point(113.95, 23.3), "gz"),
        (Point(113.6, 23.3), "gz.huangpu.xiagang"),
        (Point(113.5, 23.5), "gz.huangpu"),
        (Point(112.0, 23.3), None),
        (Point(float("nan"), 23.3), None),
        (Point(1e308, 23.3), None),
    ],
)
def test_a_place_belongs_to_the_deepest_jurisdiction_there(place: Point, path: str | None) -> None:
    """Borders go to the smaller path, whatever order the jurisdictions came in; one or many."""
    for order in permutations(TREE):
        index = JurisdictionIndex(order)
        found = index.deepest(place)
        assert (found.path if found else None) == path
        lons, lats = np.array([0.0, place.lon]), np.array([0.0, place.lat])
        assert index.deepest_many(lons, lats) == [None, path]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([112.9, 113.0, 113.5, 113.65, 113.9, 114.0]), st.floats(22.9, 24.1)
        )
    )
)
def test_many_places_are_answered_as_one_is(places: list[tuple[float, float]]) -> None:
    """The vectorised answer is the scalar one, borders included."""
    index = JurisdictionIndex(TREE)
    one_by_one = [index.deepest(Point(*place)) for place in places]
    lons = np.array([lon for lon, _ in places])
    lats = np.array([lat for _, lat in places])
    assert index.deepest_many(lons, lats) == [each.path if each else None for each in one_by_one]


def test_the_index_is_a_tree() -> None:
    """Get by path, children by parent, all of them by path."""
    index = JurisdictionIndex(TREE)
    assert len(index) == 4
    assert index.get("gz.liwan") is WEST
    assert index.get("gz.liw") is None
    assert index.children("gz") == (EAST, WEST)
    assert index.children("gz.liwan") == ()
    assert index.children(None) == (CITY,)
    assert all(a.path < b.path for a, b in pairwise(index))


def test_an_empty_index_knows_no_place() -> None:
    """Nothing imported yet is no error."""
    index = JurisdictionIndex([])
    assert index.deepest(Point(113.2, 23.1)) is None
    assert index.deepest_many(np.array([113.2]), np.array([23.1])) == [None]


@pytest.mark.parametrize("datum", list(Datum))
def test_what_is_written_as_geojson_is_read_back(datum: Datum) -> None:
    """Names and paths as they were, polygons to a tenth of a millimetre, in any datum."""
    back = read_geojson(to_geojson(TREE, datum), datum)
    assert [(each.path, each.name) for each in back] == [(each.path, each.name) for each in TREE]
    for read, written in zip(back, TREE, strict=True):
        assert shapely.equals_exact(read.polygon, written.polygon, tolerance=1e-9)


def feature(path: object, name: object = "名", **changes: object) -> dict[str, Any]:
    """Return a feature as JSON would hold it."""
    geometry = shapely.geometry.mapping(CITY.polygon)
    return {"properties": {"path": path, "name": name}, "geometry": geometry, **changes}


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (feature("gz.HP"), "path", "one to five labels"),
        (feature(None), "path", "one to five labels"),
        (feature(["gz"]), "path", "one to five labels"),
        (feature("gz"), "path", "gz is there already"),
        (feature("gz.hp.xg"), "path", "its parent gz.hp is missing"),
        (feature("gz.hp", name=7), "name", "not a text"),
        (feature("gz.hp", name="  "), "name", "not a text"),
        (feature("gz.hp", name="x" * 121), "name", "not a text"),
        (feature("gz.hp", geometry=None), "geometry", "is not a Polygon"),
        ({}, "path", "one to five labels"),
    ],
)
def test_a_bad_feature_is_named(bad: dict[str, Any], field: str, reason: str) -> None:
    """Its number in the document, the field and the reason."""
    document = json.dumps({"type": "FeatureCollection", "features": [feature("gz"), bad]})
    with pytest.raises(BadGeoJsonError, match=reason) as caught:
        read_geojson(document, Datum.WGS84)
    assert [(each.number, each.field) for each in caught.value.bad] == [(2, field)]


def test_all_bad_features_are_named_at_once() -> None:
    """And a child is not blamed for its parent's other faults."""
    features = [feature("gz", name=""), feature("gz.hp"), feature("gz.X")]
    document = json.dumps({"type": "FeatureCollection", "features": features})
    with pytest.raises(BadGeoJsonError) as caught:
        read_geojson(document, Datum.WGS84)
    assert [each.number for each in caught.value.bad] == [1, 3]
