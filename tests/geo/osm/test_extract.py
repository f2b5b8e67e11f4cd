"""Reading extracts: real ones, small written ones, and files that are none."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import pytest

from geo import osm
from geo.osm import BadExtractError, NoRoadsError, read_extract
from geo.osm.extract import STEP
from geo.point import Box
from geo.roads.classes import CLASS_OF
from tests.samples import BAYFRONT, SPO, osm_sample

STREET = {"highway": "residential"}
NODES = {n: (113.0 + n / 1_000, 23.0) for n in range(1, 6)}


def written(
    path: Path,
    ways: Sequence[tuple[Sequence[int], Mapping[str, str]]],
    gates: Mapping[int, Mapping[str, str]] | None = None,
    **header: str,
) -> Path:
    """An extract with these ways along nodes 1 to 5."""
    about = osmium.io.Header()
    for key, value in header.items():
        about.set(key, value)
    with osmium.SimpleWriter(str(path), header=about, overwrite=True) as writer:
        for node, place in NODES.items():
            tags: Any = (gates or {}).get(node, {})
            writer.add_node(osmium.osm.mutable.Node(id=node, location=place, tags=tags))
        for number, (nodes, tags) in enumerate(ways, start=1):
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags=tags))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test may write an extract."""
    return tmp_path / "town.osm.pbf"


def test_roads_are_read_with_their_nodes(path: Path) -> None:
    """And nothing that is no road."""
    found = osm.read(written(path, [([1, 2, 3], STREET), ([3, 4], {"building": "yes"})]))
    assert found.node_lon.tolist() == pytest.approx([113.001, 113.002, 113.003])
    assert found.way_node.tolist() == [0, 1, 2]
    assert found.way_class.tolist() == [CLASS_OF["residential"]]


def test_gates_stand_where_they_are(path: Path) -> None:
    """As a mask of those who cannot pass."""
    written(path, [([1, 2, 3], STREET)], {2: {"barrier": "bollard"}, 3: {"barrier": "no"}})
    assert osm.read(path).node_barred.tolist() == [0, 8, 0]


def test_each_way_has_the_paces_of_its_tags(path: Path) -> None:
    """Also when many ways have the same."""
    one_way = STREET | {"oneway": "yes", "name": "a street"}
    ways = [([1, 2], STREET), ([2, 3], one_way), ([3, 4], STREET), ([4, 5], {"highway": "x"})]
    mps = osm.read(written(path, ways)).way_mps
    assert mps.shape == (4, 2, 3)
    assert (mps[3, 1] > 0).tolist() == [True, False, True]


def test_a_way_of_one_node_is_none(path: Path) -> None:
    """Nobody gets anywhere on it."""
    assert len(osm.read(written(path, [([1], STREET), ([1, 2], STREET)])).way_class) == 1


def test_the_extract_is_known_by_name_digest_and_time(path: Path) -> None:
    """The time of the extract's own header."""
    written(path, [([1, 2], STREET)], osmosis_replication_timestamp="2026-01-02T03:04:05Z")
    source = read_extract(path).source
    assert source.name == "town.osm.pbf"
    assert source.sha256 == sha256(path.read_bytes()).hexdigest()
    assert source.osm_timestamp == "2026-01-02T03:04:05Z"


def test_without_a_header_s_time_the_newest_road_tells_it() -> None:
    """No map is older than what is on it."""
    assert read_extract(osm_sample(BAYFRONT)).source.osm_timestamp == "2019-11-29T03:01:24Z"


def test_a_time_that_nobody_knows_is_left_empty(path: Path) -> None:
    """1970 is none."""
    assert read_extract(written(path, [([1, 2], STREET)])).source.osm_timestamp == ""


def test_a_box_keeps_what_has_an_end_in_it(path: Path) -> None:
    """Ways far away are not even looked at."""
    written(path, [([1, 2, 3], STREET), ([4, 5], STREET)])
    found = osm.read(path, Box(113.0005, 22, 113.0015, 24))
    assert found.node_lon.tolist() == pytest.approx([113.001, 113.002])


def test_a_part_of_a_real_centre_is_smaller_than_the_whole() -> None:
    """Every way that is left comes near the box."""
    whole = osm.read(osm_sample(SPO))
    part = osm.read(osm_sample(SPO), Box(-46.65, -23.56, -46.63, -23.54))
    assert 0 < len(part.way_class) < len(whole.way_class) / 3
    assert len(whole.way_class) == 5_736
    assert (whole.node_barred > 0).sum() > 5


def test_a_way_is_cut_where_the_extract_lacks_a_node(path: Path) -> None:
    """As at the border of what was cut out of a larger one."""
    found = osm.read(written(path, [([1, 2, 99, 3, 4], STREET)]))
    assert np.diff(found.way_first).tolist() == [2, 2]
    assert found.node_lon.tolist() == pytest.approx([113.001, 113.002, 113.003, 113.004])


def test_progress_is_told(path: Path) -> None:
    """Every so many roads."""
    told: list[int] = []
    written(path, [([1, 2], STREET)] * (2 * STEP + 1))
    read_extract(path, progress=told.append)
    assert told == [STEP, 2 * STEP]


def test_another_format_is_read_too(tmp_path: Path) -> None:
    """Whatever osmium knows by its ending."""
    assert len(osm.read(written(tmp_path / "town.osm", [([1, 2], STREET)])).way_class) == 1


# Bad files. -----------------------------------------------------------------------------------


def test_an_empty_file_is_refused(path: Path) -> None:
    """It says so."""
    path.write_bytes(b"")
    with pytest.raises(BadExtractError, match=r"town\.osm\.pbf is empty"):
        read_extract(path)


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    """Before any of it is read."""
    path.write_bytes(b"PK\x03\x04 not a map at all")
    with pytest.raises(BadExtractError, match="is no OpenStreetMap extract"):
        read_extract(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_an_extract_that_was_cut_off_is_refused(path: Path, share: float) -> None:
    """However much of it there is."""
    whole = osm_sample(SPO).read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadExtractError, match="damaged or was not copied to its end"):
        read_extract(path)


def test_text_that_calls_itself_osm_is_refused(tmp_path: Path) -> None:
    """Osmium's own words are passed on."""
    path = tmp_path / "town.osm"
    path.write_text("<html>not found</html>")
    with pytest.raises(BadExtractError, match="damaged"):
        read_extract(path)


def test_an_extract_without_roads_is_refused(path: Path) -> None:
    """There would be nothing to search."""
    with pytest.raises(NoRoadsError, match=r"holds no roads$"):
        read_extract(written(path, [([1, 2], {"building": "yes"})]))


def test_a_box_of_another_place_is_refused(path: Path) -> None:
    """It tells where the extract's own roads lie."""
    written(path, [([1, 2], STREET)])
    with pytest.raises(NoRoadsError) as refused:
        read_extract(path, Box(-10, 40, -8, 42))
    assert "in the box -10.0000,40.0000,-8.0000,42.0000" in str(refused.value)
    assert "lie in 113.0010,23.0000,113.0020,23.0000" in str(refused.value)


def test_a_box_of_an_extract_without_roads_says_that_there_are_none(path: Path) -> None:
    """Another box would not help."""
    written(path, [([1, 2], {"building": "yes"})])
    with pytest.raises(NoRoadsError, match=r"holds no roads$"):
        read_extract(path, Box(113, 22, 114, 24))
