"""Files of units as rows: every encoding, quote and heading has its answer."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatch.cli.unit_rows import NESTED, BadFileError, Rows, heading_text, read_csv, read_geojson
from dispatch.cli.unit_words import Column
from tests.dispatch.cli.conftest import collection

HEADING = "code,name,kind,lon,lat\n"
ROW = "U1,花园,mall,113.3,23.1\n"


def test_a_byte_order_mark_is_no_part_of_the_first_heading() -> None:
    """Spreadsheets write one."""
    data = (HEADING + ROW).encode()
    assert read_csv(data) == read_csv(b"\xef\xbb\xbf" + data)
    assert read_csv(data).rows[0].cells[Column.CODE] == "U1"


def test_chinese_headings_mean_the_same() -> None:
    """Files come from offices."""
    chinese = read_csv(("编号,名称,类型,经度,纬度\n" + ROW).encode())
    assert chinese == read_csv((HEADING + ROW).encode())


def test_rows_are_known_by_the_line_they_begin_on() -> None:
    """A quoted cell may run over lines; empty lines count, and are no rows."""
    text = HEADING + 'U1,"two\nlines",mall,1,2\n\n , ,\nU2,b,mall,1,2\r\nU3,c\u2028,mall,1,2'
    assert [row.where for row in read_csv(text.encode()).rows] == ["line 2", "line 6", "line 7"]


def test_a_short_row_has_empty_cells_and_a_long_one_a_fault() -> None:
    """One comma too many moves every cell behind it."""
    short, long = read_csv((HEADING + "U1,a\nU2,a,b,mall,1,2\n").encode()).rows
    assert short.fault is None
    assert Column.KIND not in short.cells
    assert long.fault == "6 cells under 5 headings: a comma too many?"


def test_headings_nobody_reads_are_named() -> None:
    """A misspelt one would otherwise be lost in silence."""
    assert read_csv(b"code,name,kind,lon,lat,remark,\n").unused == ("remark",)
    feature = {"type": "Feature", "properties": {"code": "U1", "colour": "red"}}
    assert read_geojson(collection(feature).encode()).unused == ("colour",)
    assert heading_text(("a", "b")) == "'a', 'b'"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        ("编号,名称\n".encode("gbk"), "line 1 is not UTF-8"),
        (HEADING.encode() + b"U1,\xff", "line 2 is not UTF-8"),
        (b"name,kind,lon,lat\n", "no column for code"),
        (b"code;name;kind;lon;lat\n", "line 1 has too few cells: headings are parted by commas"),
        (b"code,lon,lat\n", "no column for name, kind"),
        (b"code,name,kind,lon\n", "one of lon and lat"),
        (b"code,name,kind\n", "neither lon and lat nor jurisdiction"),
        ("code,name,kind,lon,lat,编号\n".encode(), "two columns for code"),
        (HEADING.encode() + b'U1,"never ends\n', "line 2 cannot be read"),
        (HEADING.encode() + b"x" * 200_000, "line 2 cannot be read"),
    ],
)
def test_a_file_nothing_can_be_read_of_is_refused(data: bytes, said: str) -> None:
    """The message tells the line and the way out."""
    with pytest.raises(BadFileError, match=said):
        read_csv(data)


def test_more_rows_than_the_limit_are_refused() -> None:
    """Every file has an end."""
    assert len(read_csv((HEADING + ROW * 2).encode(), most=2).rows) == 2
    with pytest.raises(BadFileError, match="more than 2 rows"):
        read_csv((HEADING + ROW * 3).encode(), most=2)


def test_features_are_rows_with_a_geometry() -> None:
    """Lists and objects read like the cells of a table; null is an empty cell."""
    place = {"type": "Point", "coordinates": [113.3, 23.1]}
    properties = {
        "编号": "U1",
        "crew": 3,
        "moves": None,
        "capabilities": ["aed", "rope"],
        "members": [{"name": "李四", "tel": 138}, {"name": "王五"}, "赵六:139"],
        "kind": {"a": 1},
    }
    feature = {"type": "Feature", "properties": properties, "geometry": place}
    (row,) = read_geojson(collection(feature).encode()).rows
    assert row.where == "feature 1"
    assert row.geometry == place
    assert row.cells == {
        Column.CODE: "U1",
        Column.CREW: "3",
        Column.MOVES: "",
        Column.CAPABILITIES: "aed;rope",
        Column.MEMBERS: "李四:138;王五:;赵六:139",
        Column.KIND: NESTED,
    }


def test_no_feature_collection_is_refused() -> None:
    """The reason comes from the reader of GeoJSON."""
    with pytest.raises(BadFileError, match="not a FeatureCollection"):
        read_geojson(b"{}")


def outcome(read: Callable[[bytes], Rows], data: bytes) -> Rows | str:
    """What is read, or why not."""
    try:
        return read(data)
    except BadFileError as error:
        return str(error)


@given(st.binary(max_size=300))
@example(b'code,name,kind,lon,lat\n"')
@example(b"[" * 100_000)
@example(b"\xef\xbb\xbf")
def test_any_bytes_give_rows_or_a_refusal(data: bytes) -> None:
    """No other end."""
    for read in (read_csv, read_geojson):
        assert outcome(read, data)
