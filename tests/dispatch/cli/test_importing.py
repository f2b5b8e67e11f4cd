"""Imports: all or nothing, everything bad is listed, the same file twice changes nothing."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from geo.datum import Datum, point_from_wgs84
from geo.jurisdiction import Jurisdiction, to_geojson
from geo.point import Point
from tests.dispatch.cli.conftest import (
    BOUND_S,
    Command,
    Query,
    box,
    collection,
    interrupted,
    started,
)

pytestmark = pytest.mark.postgres

HEADING = "编号,名称,类型,辖区,经度,纬度,移动方式,能力/装备,人数,队员"
UNITS = f"""{HEADING}
U1,石牌花园,小区,,113.25,23.05,步行,灭火器;AED,3,李四:13800000001;王五:13800000002
U2,黄埔商场,商场,gz.hp,,,电动车,,2,
"""
EVERYTHING = (
    "select to_jsonb(u) as row from unit u union all select to_jsonb(m) from member m order by 1"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Two good units."""
    path = tmp_path / "units.csv"
    path.write_text(UNITS, encoding="utf-8-sig")
    return path


def written(path: Path, text: str) -> Path:
    """The file with that text in it."""
    path.write_text(text, encoding="utf-8")
    return path


# Jurisdictions. --------------------------------------------------------------------------------


def test_jurisdictions_are_imported_once(kapok: Command, query: Query, tree: Path) -> None:
    """The second time nothing changes, and the command says so."""
    first, second = (kapok("import", "jurisdictions", tree, "--datum", "wgs84") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("5 of 5 jurisdictions added or changed")
    assert second.out == "nothing changed: all 5 jurisdictions stand as in the file\n"
    rows = query("select path from jurisdiction order by path")
    assert [row["path"] for row in rows] == ["fs", "gz", "gz.hp", "gz.th", "gz.th.sp"]


def test_a_changed_name_changes_one(
    mapped: Command, tmp_path: Path, country: Sequence[Jurisdiction], query: Query
) -> None:
    """Only what is not already so is touched."""
    renamed = [*country[:-1], box("fs", "禅城", 113.0, 23.0, 113.2, 23.2)]
    path = written(tmp_path / "again.geojson", to_geojson(renamed))
    assert mapped("import", "jurisdictions", path, "--datum", "wgs84").out.startswith("1 of 5")
    assert query("select name from jurisdiction where path = 'fs'") == [{"name": "禅城"}]


def test_every_bad_feature_is_listed_and_nothing_imported(
    kapok: Command, query: Query, tree: Path, tmp_path: Path
) -> None:
    """Number, field, reason; good features wait for the bad ones to be mended."""
    document = json.loads(tree.read_text(encoding="utf-8"))
    document["features"][1]["properties"]["path"] = "GZ"
    document["features"][4]["geometry"] = None
    path = written(tmp_path / "bad.geojson", json.dumps(document))
    ended = kapok("import", "jurisdictions", path, "--datum", "wgs84")
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "feature 2, path",
        "feature 4, path",
        "feature 5, geometry",
        "Error",
    ]
    assert lines[-1] == "Error: 3 bad features, nothing was imported"
    assert query("select * from jurisdiction") == []


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_no_database_takes_is_a_bad_feature(
    kapok: Command, query: Query, tmp_path: Path, name: str
) -> None:
    """JSON can write it; nobody can keep it."""
    document = json.loads(to_geojson([box("gz", "x", 113, 23, 114, 24)]))
    document["features"][0]["properties"]["name"] = name
    path = written(tmp_path / "bad.geojson", json.dumps(document))
    ended = kapok("import", "jurisdictions", path, "--datum", "wgs84")
    assert ended.code == 1
    assert ended.err.startswith("feature 1, name: not 1 to 120 printable characters\n")
    assert query("select * from jurisdiction") == []


def test_what_is_no_geojson_is_refused(kapok: Command, tmp_path: Path) -> None:
    """Deep nesting is no JSON either."""
    for text in ("", "{}", "[" * 100_000):
        path = written(tmp_path / "bad.geojson", text)
        ended = kapok("import", "jurisdictions", path, "--datum", "wgs84")
        assert ended.code == 1
        assert ended.err.startswith("document, ")


# Units. ----------------------------------------------------------------------------------------


def test_units_are_imported_with_their_members(mapped: Command, query: Query, units: Path) -> None:
    """Words are translated, places moved to WGS-84, crews filled up."""
    ended = mapped("import", "units", units, "--datum", "gcj02")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("2 units: 2 added, 0 changed; 5 members added or changed")
    first, second = query("select * from unit order by code")
    assert (first["kind"], first["moves"]) == ("residential", "foot")
    assert first["capabilities"] == ["aed", "extinguisher"]
    assert (first["juris"], second["juris"]) == ("gz.th.sp", "gz.hp")
    there = point_from_wgs84(Point(first["lon"], first["lat"]), Datum.GCJ02)
    assert there == pytest.approx((113.25, 23.05), abs=1e-8)
    assert 113.3 < second["lon"] < 113.4
    assert (second["min_crew"], second["fixed"], second["disabled"]) == (1, True, False)
    rows = query(
        "select m.name, tel, leader, duty from member m join unit u on u.id = unit_id "
        "order by u.code, m.id"
    )
    assert [(r["name"], r["tel"], r["leader"]) for r in rows] == [
        ("李四", "13800000001", True),
        ("王五", "13800000002", False),
        ("队员 1", "", False),
        ("队员 1", "", True),
        ("队员 2", "", False),
    ]
    assert {r["duty"] for r in rows} == {"off"}


def test_a_second_import_changes_nothing(mapped: Command, query: Query, units: Path) -> None:
    """Ids, duty and what the service counted stay."""
    mapped("import", "units", units, "--datum", "gcj02")
    query("update member set duty = 'on' where tel <> '' returning id")
    query("update unit set offers = 7, disabled = true where code = 'U1' returning id")
    before = query(EVERYTHING)
    ended = mapped("import", "units", units, "--datum", "gcj02")
    assert (ended.code, ended.out) == (0, "nothing changed: all 2 units stand as in the file\n")
    assert query(EVERYTHING) == before


def test_a_changed_file_changes_what_it_says(mapped: Command, query: Query, units: Path) -> None:
    """The unit keeps its id, a member with a new number his; who is missing stays."""
    mapped("import", "units", units, "--datum", "gcj02")
    before = {row["code"]: row["id"] for row in query("select code, id from unit")}
    text = UNITS.replace("黄埔商场", "黄埔广场").replace("13800000002", "13900000002")
    ended = mapped("import", "units", written(units, text), "--datum", "gcj02")
    assert ended.out.startswith("2 units: 0 added, 1 changed; 1 members added or changed")
    assert {row["code"]: row["id"] for row in query("select code, id from unit")} == before
    assert len(query("select * from member")) == 5


BAD_ROWS = f"""{UNITS}
U3,远方,小区,,0,0,,,,
U4,,城堡,gz.nowhere,,,,,,
U1,再来,小区,gz.th,,,,,,
U5,数字,小区,,NaN,1e308,,,1e308,
U6,好的,小区,gz.th,,,,,,
"""


def test_every_bad_row_is_listed_and_nothing_imported(
    mapped: Command, query: Query, units: Path
) -> None:
    """In the order of the file, with line, field and reason."""
    ended = mapped("import", "units", written(units, BAD_ROWS), "--datum", "gcj02")
    assert ended.code == 1
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == [
        "line 5, lon,lat",
        "line 6, name",
        "line 6, kind",
        "line 7, code",
        "line 8, crew",
        "line 8, lon,lat",
        "Error",
    ]
    assert "4 bad rows, 3 good; nothing was imported" in ended.err
    assert query("select * from unit") == []


def test_bad_rows_are_skipped_when_asked(mapped: Command, query: Query, units: Path) -> None:
    """They are listed all the same."""
    path = written(units, BAD_ROWS)
    ended = mapped("import", "units", path, "--datum", "gcj02", "--skip-bad")
    assert ended.code == 0
    assert "line 6, kind: '城堡' is none of police_post" in ended.err
    assert "4 bad rows skipped" in ended.err
    assert [r["code"] for r in query("select code from unit order by 1")] == ["U1", "U2", "U6"]


@pytest.mark.parametrize("more", [(), ("--skip-bad",)])
@pytest.mark.parametrize("rows", ["", "U3,远方,小区,,0,0,,,,\n"])
def test_nothing_good_has_a_code_of_its_own(
    mapped: Command, units: Path, more: tuple[str, ...], rows: str
) -> None:
    """A nightly script notices an empty export."""
    path = written(units, f"{HEADING}\n{rows}")
    ended = mapped("import", "units", path, "--datum", "gcj02", *more)
    assert ended.code == 3
    assert "no good rows" in ended.err


def test_an_unknown_jurisdiction_and_another_city_are_bad_rows(
    mapped: Command, units: Path
) -> None:
    """What the map says about a row comes in the same list."""
    rows = "U1,a,小区,gz.nowhere,,,,,,\nU2,b,小区,fs,113.35,23.1,,,,\n"
    path = written(units, f"{HEADING}\n{rows}")
    lines = mapped("import", "units", path, "--datum", "wgs84").err.splitlines()
    assert lines[0].startswith("line 2, jurisdiction: there is no jurisdiction 'gz.nowhere'")
    assert lines[1].startswith("line 3, jurisdiction: fs is in another city")


def test_features_are_units_too(mapped: Command, query: Query, tmp_path: Path) -> None:
    """English properties, places as geometry; what nobody reads is named."""
    properties = {"code": "U1", "name": "花园", "kind": "residential", "colour": "red"}
    geometry = {"type": "Point", "coordinates": [113.25, 23.05]}
    feature: dict[str, Any] = {
        "type": "Feature",
        "properties": {**properties, "capabilities": ["aed"], "members": [{"name": "李四"}]},
        "geometry": geometry,
    }
    path = written(tmp_path / "units.geojson", collection(feature))
    ended = mapped("import", "units", path, "--datum", "bd09")
    assert ended.code == 0
    assert ended.err == "headings not used: 'colour'\n"
    assert query("select code, juris, capabilities from unit") == [
        {"code": "U1", "juris": "gz.th.sp", "capabilities": ["aed"]}
    ]


def test_units_need_a_map_first(kapok: Command, units: Path) -> None:
    """Without jurisdictions every place would be outside."""
    ended = kapok("import", "units", units, "--datum", "gcj02")
    assert ended.code == 1
    assert "`kapok import jurisdictions` comes first" in ended.err


def test_a_file_that_cannot_be_read_imports_nothing(mapped: Command, units: Path) -> None:
    """One sentence with the line."""
    units.write_bytes("编号,名称\n".encode("gbk"))
    ended = mapped("import", "units", units, "--datum", "gcj02")
    assert ended.code == 1
    assert "line 1 is not UTF-8: save the file as CSV UTF-8; nothing was imported" in ended.err


def test_a_file_the_system_does_not_give_is_one_sentence(kapok: Command) -> None:
    """Its own memory is readable by its rights, and not from the start."""
    ended = kapok("import", "jurisdictions", "/proc/self/mem", "--datum", "wgs84")
    assert (ended.code, ended.err) == (1, "Error: cannot read /proc/self/mem: Input/output error\n")


@pytest.mark.asyncio
async def test_ctrl_c_in_the_middle_leaves_nothing(
    mapped: Command, database: str, units: Path
) -> None:
    """The units are written, the members wait for a lock that the test holds: none stays."""
    gate = await asyncpg.connect(database)
    async with gate.transaction():
        await gate.execute("lock table member in share mode")
        command = started("import", "units", str(units), "--datum", "gcj02", DATABASE_URL=database)
        async with asyncio.timeout(BOUND_S):
            while not await gate.fetchval("select count(*) from pg_locks where not granted"):
                pass
        assert (await asyncio.to_thread(interrupted, command))[0] == 130
    assert await gate.fetchval("select count(*) from unit") == 0
    await gate.close()


@pytest.mark.parametrize("what", ["jurisdictions", "units"])
@pytest.mark.parametrize("datum", [(), ("--datum", "wgs72"), ("--datum", "")])
def test_a_missing_or_wrong_datum_is_a_wrong_command_line(
    kapok: Command, units: Path, what: str, datum: tuple[str, ...]
) -> None:
    """A position without its datum may be 600 m off."""
    ended = kapok("import", what, units, *datum)
    assert ended.code == 2
    assert "--datum" in ended.err


def test_a_file_of_another_kind_or_none_is_a_wrong_command_line(
    kapok: Command, tmp_path: Path
) -> None:
    """The end of its name tells how a file is read."""
    sheet = written(tmp_path / "units.xlsx", "")
    for path in (sheet, tmp_path / "missing.csv", tmp_path):
        assert kapok("import", "units", path, "--datum", "gcj02").code == 2
    assert "ends in none of .csv, .geojson, .json" in (
        kapok("import", "units", sheet, "--datum", "gcj02").err
    )


def test_a_file_larger_than_the_limit_is_refused(kapok: Command, tmp_path: Path) -> None:
    """A sparse file of more bytes than anybody exports."""
    path = tmp_path / "units.csv"
    with path.open("wb") as file:
        file.truncate(257 * 2**20)
    ended = kapok("import", "units", path, "--datum", "gcj02")
    assert ended.code == 1
    assert "is larger than 256 MiB" in ended.err
