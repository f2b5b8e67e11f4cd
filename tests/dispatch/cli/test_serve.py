"""Which roads a service loads."""

from pathlib import Path

import pytest

from dispatch.cli.codes import Failure
from dispatch.cli.serve import roads_of
from dispatch.settings import Settings
from geo.city.roads import roads
from geo.roads import file as road_file
from geo.roads.build import Source, build
from tests.cities import small_city


def put(folder: Path, *names: str) -> Settings:
    """Return settings of a data folder that has these road files."""
    (folder / "roads").mkdir()
    graph = build(roads(small_city(20)), Source("test"))
    for name in names:
        road_file.save(graph, folder / "roads" / name)
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
    with pytest.raises(Failure, match=r"KAPOK_ROADS: .*gone\.roads"):
        roads_of(Settings(data=tmp_path, roads=tmp_path / "gone.roads"))


def test_what_is_no_road_file_stops_the_start(tmp_path: Path) -> None:
    """An extract, say, that was never imported."""
    named = tmp_path / "porto.osm.pbf"
    named.write_bytes(b"OSMHeader")
    with pytest.raises(Failure, match="KAPOK_ROADS: "):
        roads_of(Settings(data=tmp_path, roads=named))
