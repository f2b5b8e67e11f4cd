"""Units read field by field: whatever a file holds, it is taken or listed, never fatal."""

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatch.cli.unit_rows import BadFileError
from dispatch.cli.unit_words import Column
from dispatch.cli.units_file import (
    MOST_CREW,
    BadField,
    GivenMember,
    GivenUnit,
    Reading,
    faulty,
    read,
)
from geo.eta import Moves
from geo.point import Point
from schemas.unit import Capability, UnitKind
from tests.dispatch.cli.conftest import collection

COLUMNS = tuple(column.value for column in Column)
GOOD = {"code": "U1", "name": "石牌花园", "kind": "residential", "lon": "113.25", "lat": "23.05"}


def table(*rows: dict[str, str]) -> bytes:
    """A CSV file of such rows, all columns in it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def reading(*rows: dict[str, str]) -> Reading:
    """What comes of such rows."""
    return read("units.csv", table(*rows))


def reasons(**cells: str) -> list[tuple[str, str]]:
    """What is bad about a row that is good but for these cells."""
    found = reading(GOOD | cells)
    assert [each.where for each in found.bad] == ["line 2"] * len(found.bad)
    assert bool(found.units) != bool(found.bad)
    return [(each.field, each.reason) for each in found.bad]


def only(**cells: str) -> GivenUnit:
    """The unit of a row that is good, with these cells."""
    found = reading(GOOD | cells)
    assert found.bad == []
    (unit,) = found.units
    return unit


def test_the_least_a_row_can_say() -> None:
    """Everything else has a default."""
    assert only() == GivenUnit(
        where="line 2",
        code="U1",
        name="石牌花园",
        kind=UnitKind.RESIDENTIAL,
        jurisdiction=None,
        place=Point(113.25, 23.05),
        moves=Moves.FOOT,
        capabilities=(),
        crew=0,
        members=(),
    )


def test_a_full_row_in_chinese() -> None:
    """Kinds, ways of moving and equipment have their Chinese words, parts their wide marks."""
    unit = only(
        kind="幼儿园",
        moves="电动车",
        capabilities="灭火器；盾牌、AED",
        crew="３",
        members="李四：13800000001；王五:+86 138-0000-0002;赵六",
    )
    assert unit.kind is UnitKind.KINDERGARTEN
    assert unit.moves is Moves.EBIKE
    assert unit.capabilities == (Capability.AED, Capability.EXTINGUISHER, Capability.SHIELD)
    assert unit.crew == 3
    assert unit.members == (
        GivenMember("李四", "13800000001"),
        GivenMember("王五", "+86 138-0000-0002"),
        GivenMember("赵六", ""),
    )


@pytest.mark.parametrize(
    ("cells", "field", "reason"),
    [
        ({"code": ""}, "code", "missing"),
        ({"code": "x" * 65}, "code", "is not 1 to 64 printable characters"),
        ({"name": ""}, "name", "missing"),
        ({"name": "a\x07b"}, "name", "printable"),
        ({"kind": ""}, "kind", "missing"),
        ({"kind": "castle"}, "kind", "'castle' is none of police_post, village"),
        ({"moves": "飞机"}, "moves", "'飞机' is none of foot, bicycle"),
        ({"capabilities": "aed;magic"}, "capabilities", "'magic' is none of aed"),
        ({"crew": "0"}, "crew", f"is not a whole number from 1 to {MOST_CREW}"),
        ({"crew": "2.5"}, "crew", "whole number"),
        ({"crew": "NaN"}, "crew", "whole number"),
        ({"crew": "1e308"}, "crew", "whole number"),
        ({"crew": str(MOST_CREW + 1)}, "crew", "whole number"),
        ({"members": "李四:1:2"}, "members", "is not name:tel"),
        ({"members": "李四:call me"}, "members", "is no telephone number"),
        ({"members": ":13800000001"}, "members", "missing"),
        ({"members": "李四:138;李四:138"}, "members", "no telephone number|twice"),
        ({"members": "李四;李四"}, "members", "the same member twice"),
        ({"members": ";".join(f"m{n}" for n in range(101))}, "members", "100 are the most"),
        ({"lon": "NaN"}, "lon,lat", "'NaN' is not a number of degrees"),
        ({"lat": "inf"}, "lon,lat", "'inf' is not a number of degrees"),
        ({"lon": "1e308"}, "lon,lat", "are not degrees"),
        ({"lat": "1e999"}, "lon,lat", "are not degrees"),
        ({"lon": "113_3"}, "lon,lat", "not a number"),
        ({"lon": ""}, "lon,lat", "a place needs both"),
        ({"lon": "", "lat": ""}, "lon,lat", "missing, and no jurisdiction either"),
        ({"lon": "23.05", "lat": "113.25"}, "lon,lat", "swapped?"),
    ],
)
def test_every_bad_field_is_listed_with_its_reason(
    cells: dict[str, str], field: str, reason: str
) -> None:
    """And the row is not taken."""
    ((bad_field, said),) = reasons(**cells)
    assert bad_field == field
    assert any(part in said for part in reason.split("|"))


def test_all_that_is_bad_about_a_row_is_listed() -> None:
    """Nobody has to come back three times."""
    assert [field for field, _ in reasons(code="", kind="x", lat="x")] == [
        "code",
        "kind",
        "lon,lat",
    ]


def test_a_jurisdiction_stands_for_a_place() -> None:
    """Where the unit stands is decided when the map is at hand."""
    unit = only(lon="", lat="", jurisdiction="gz.th")
    assert unit.place is None
    assert unit.jurisdiction == "gz.th"


def test_a_code_counts_where_it_is_first() -> None:
    """The later one is told where the first stands, whatever else is wrong."""
    found = reading(GOOD, GOOD | {"code": "U2"}, GOOD | {"code": " U1 ", "kind": "x"})
    assert [unit.code for unit in found.units] == ["U1", "U2"]
    assert [str(each) for each in found.bad][1] == "line 4, code: the same as in line 2"
    assert faulty(found.bad) == 1


def test_a_row_with_a_fault_is_bad() -> None:
    """A comma too many."""
    found = read("u.CSV", b"code,name,kind,lon,lat\nU1,a,b,mall,113,23\n")
    assert found.units == []
    assert found.bad == [
        BadField("line 2", "row", "6 cells under 5 headings: a comma too many?"),
    ]


def feature(geometry: Any, **properties: object) -> dict[str, Any]:
    """A feature of a good unit there."""
    named = {"code": "U1", "name": "石牌花园", "kind": "小区", **properties}
    return {"type": "Feature", "properties": named, "geometry": geometry}


def place(*coordinates: object) -> dict[str, Any]:
    """A point."""
    return {"type": "Point", "coordinates": list(coordinates)}


def test_a_feature_stands_at_its_geometry() -> None:
    """Heights are left out; numbers may be whole; crews may be floats as JSON has them."""
    document = collection(feature(place(113.25, 23, 7.5), crew=3.0))
    found = read("units.geojson", document.encode())
    assert found.bad == []
    assert found.units[0].place == Point(113.25, 23.0)
    assert found.units[0].crew == 3


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        place("113", "23"),
        place(113.0),
        place(float("nan"), 23.0),
        place(1e308, 23.0),
        place(True, False),
        place(10**300, 23),
        "somewhere",
        None,
    ],
)
def test_a_feature_without_a_place_is_bad(geometry: object) -> None:
    """NaN and infinity pass Python's JSON, and no further."""
    found = read("units.json", collection(feature(geometry)).encode())
    assert found.units == []
    assert [each.field for each in found.bad] == ["lon,lat"]
    assert found.bad[0].where == "feature 1"


TEXT = st.text(max_size=20) | st.sampled_from(["U1", "mall", "113.25", "23.05", "NaN", "a:1;b"])


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), TEXT), max_size=5))
@example([GOOD | {"code": "\x00"}])
@example([GOOD | {"lon": "９" * 50}])
def test_any_text_in_any_cell_is_taken_or_listed(rows: list[dict[str, str]]) -> None:
    """Every row that has something in it is a unit or has a bad field; none is both."""
    try:
        found = reading(*rows)
    except (BadFileError, UnicodeEncodeError):
        return
    good = {unit.where for unit in found.units}
    bad = {each.where for each in found.bad}
    assert not good & bad
    assert len(good) + len(bad) <= len(rows)
    assert all(unit.name.isprintable() and unit.code.isprintable() for unit in found.units)
    assert all(unit.place is None or unit.place.on_earth for unit in found.units)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(COLUMNS), JSON), JSON | st.builds(place, JSON, JSON))
def test_any_feature_is_taken_or_listed(properties: dict[str, Any], geometry: object) -> None:
    """The same for GeoJSON, whose cells may hold anything."""
    document = collection(feature(geometry, **properties))
    found = read("units.geojson", document.encode())
    assert bool(found.units) != bool(found.bad)


def outcome(name: str, data: bytes) -> Reading | str:
    """What is read, or why not."""
    try:
        return read(name, data)
    except BadFileError as error:
        return str(error)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_give_units_or_listed_errors(data: bytes) -> None:
    """Never another exception."""
    assert outcome("units.csv", b"code,name,kind,lon,lat\n" + data)
    assert outcome("units.geojson", data)
