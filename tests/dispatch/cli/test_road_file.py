"""`kapok import roads`: an extract becomes a file, or nothing changes and one sentence says why."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from dispatch.cli.codes import Code
from dispatch.cli.main import main
from dispatch.cli.road_file import plain_name
from geo.roads.file import load
from tests.dispatch.cli.conftest import Ended
from tests.samples import BAYFRONT, SPO, osm_sample

Run = Callable[..., Ended]
PART = "-46.65,-23.56,-46.63,-23.54"


@pytest.fixture
def roads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command with a data folder of the test's own."""
    monkeypatch.setenv("KAPOK_DATA", str(tmp_path / "data"))

    def run(*arguments: object) -> Ended:
        code = main(["import", "roads", *map(str, arguments)])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def test_roads_are_imported_into_the_data_folder(roads: Run, tmp_path: Path) -> None:
    """The file is whole, knows its source, and is told in one line and one for each travel."""
    extract = osm_sample(BAYFRONT)
    ended = roads(extract)
    graph = load(tmp_path / "data" / "roads" / "bayfront_singapore.roads", verify=True)
    assert (ended.code, ended.err) == (Code.OK, "")
    assert ended.out.startswith(
        "bayfront_singapore.osm.pbf (OSM of 2019-11-29T03:01:24Z): "
        f"{graph.nodes} junctions and {graph.segments} segments in "
    )
    travels = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert travels == ["foot", "bicycle", "motorbike", "car"]
    assert graph.about.sha256 == sha256(extract.read_bytes()).hexdigest()


def test_roads_go_where_they_are_told(roads: Run, tmp_path: Path) -> None:
    """The folder is made."""
    target = tmp_path / "elsewhere" / "town.roads"
    assert roads(osm_sample(BAYFRONT), "--to", target).code == Code.OK
    assert load(target).segments > 0
    assert not (tmp_path / "data").exists()


def test_a_second_import_gives_the_same_file(roads: Run, tmp_path: Path) -> None:
    """To the last byte."""
    target = tmp_path / "town.roads"
    written = []
    for _ in range(2):
        roads(osm_sample(BAYFRONT), "--to", target)
        written.append(target.read_bytes())
    assert written[0] == written[1]


def test_a_box_is_a_part(roads: Run, tmp_path: Path) -> None:
    """Negative degrees need no quoting."""
    whole, part = tmp_path / "whole.roads", tmp_path / "part.roads"
    assert roads(osm_sample(SPO), "--to", whole).code == Code.OK
    assert roads(osm_sample(SPO), "--to", part, "--bbox", PART).code == Code.OK
    assert load(part).segments < load(whole).segments / 3


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("1,2,3", "four numbers are needed"),
        ("a,b,c,d", "four numbers are needed"),
        ("2,1,1,2", "no box runs from 2.0° to 1.0° east"),
        ("1,3,2,3", "no box runs from 3.0° to 3.0° north"),
        ("1,2,181,3", "no box runs from 1.0° to 181.0° east"),
        ("nan,2,3,4", "no box runs from nan°"),
    ],
)
def test_a_box_that_is_none_is_a_wrong_command_line(roads: Run, box: str, said: str) -> None:
    """Before anything is read."""
    ended = roads(osm_sample(BAYFRONT), "--bbox", box)
    assert ended.code == Code.USAGE
    assert said in ended.err


def test_a_box_of_another_place_ends_with_nothing_good(roads: Run, tmp_path: Path) -> None:
    """It tells where the extract's roads lie, and nothing is written."""
    ended = roads(osm_sample(BAYFRONT), "--bbox", "113,22,114,24")
    assert ended.code == Code.NOTHING
    assert "its own lie in 103.85" in ended.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; nothing was imported"),
        (b"something else", "is no OpenStreetMap extract"),
    ],
)
def test_a_file_that_is_no_extract_fails(
    roads: Run, tmp_path: Path, data: bytes, said: str
) -> None:
    """One sentence, no traceback."""
    bad = tmp_path / "town.osm.pbf"
    bad.write_bytes(data)
    ended = roads(bad)
    assert (ended.code, ended.out) == (Code.FAILED, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_download_that_was_cut_off_leaves_the_old_roads(roads: Run, tmp_path: Path) -> None:
    """The file that services read stays as it was."""
    target, cut = tmp_path / "town.roads", tmp_path / "cut.osm.pbf"
    roads(osm_sample(BAYFRONT), "--to", target)
    before = target.read_bytes()
    cut.write_bytes(osm_sample(BAYFRONT).read_bytes()[:50_000])
    ended = roads(cut, "--to", target)
    assert ended.code == Code.FAILED
    assert "not copied to its end" in ended.err
    assert target.read_bytes() == before


def test_a_missing_file_is_a_wrong_command_line(roads: Run, tmp_path: Path) -> None:
    """As for every command."""
    assert roads(tmp_path / "none.osm.pbf").code == Code.USAGE


def test_a_place_that_cannot_be_written_to_fails(roads: Run, tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "file").write_text("")
    ended = roads(osm_sample(BAYFRONT), "--to", tmp_path / "file" / "town.roads")
    assert ended.code == Code.FAILED
    assert str(tmp_path / "file") in ended.err


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("porto.osm.pbf", "porto"),
        ("guangdong-latest.osm.pbf", "guangdong"),
        ("town.osm", "town"),
        ("town.pbf", "town"),
        (".osm.pbf", "extract"),
    ],
)
def test_the_roads_are_named_as_the_extract(name: str, plain: str) -> None:
    """Without what tells its format, or that it was the latest."""
    assert plain_name(Path(name)) == plain
