"""Which roads a service loads."""

from pathlib import Path

import pytest

from dispatch.cli.codes import Failure
from dispatch.cli.serve import roads_of
from dispatch.settings import Settings


def put(folder: Path, *names: str) -> Settings:
    """Return settings of a data folder that has these road files."""
    (folder / "roads").mkdir()
    for name in names:
        (folder / "roads" / name).write_bytes(b"")
    return Settings(data=folder)


def test_without_roads_none_are_loaded(tmp_path: Path) -> None:
    """A service without roads is one all the same; its answers say so."""
    assert roads_of(Settings(data=tmp_path)) is None


def test_the_only_imported_ones_are_loaded(tmp_path: Path) -> None:
    """After one import nothing has to be set; other files do not count."""
    assert roads_of(put(tmp_path, "gz.roads", "gz.roads.part")) == tmp_path / "roads/gz.roads"


def test_of_several_one_has_to_be_named(tmp_path: Path) -> None:
    """Nobody wants to find out in the night which city's were taken."""
    settings = put(tmp_path, "gz.roads", "fs.roads")
    with pytest.raises(Failure, match=r"fs\.roads, gz\.roads.*KAPOK_ROADS"):
        roads_of(settings)


def test_those_that_are_named_are_loaded(tmp_path: Path) -> None:
    """A name goes before what lies in the data folder."""
    put(tmp_path, "gz.roads", "fs.roads")
    named = tmp_path / "roads" / "fs.roads"
    assert roads_of(Settings(data=tmp_path, roads=named)) == named


def test_a_name_without_a_file_stops_the_start(tmp_path: Path) -> None:
    """Better no start than a night of straight lines that somebody took for roads."""
    with pytest.raises(Failure, match="KAPOK_ROADS: no file"):
        roads_of(Settings(data=tmp_path, roads=tmp_path / "gone.roads"))
