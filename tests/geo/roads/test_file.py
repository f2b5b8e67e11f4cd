"""The road graph in a file: what was written is what is mapped, and nothing else is."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from geo.roads import file
from geo.roads.file import MAGIC, TYPES, BadRoadsError, load, save
from geo.roads.graph import RoadGraph
from tests.geo.roads.drawing import Line, graph_of

PLACES = [(0, 0), (1, 0), (2, 0), (1, 1), (3, 0)]
LINES = [Line([0, 1, 2]), Line([1, 3], "footway"), Line([2, 4], one_way=True)]


@pytest.fixture(scope="module")
def graph() -> RoadGraph:
    """A small graph with a gate."""
    return graph_of(PLACES, LINES, {1: 8})


@pytest.fixture
def path(graph: RoadGraph, tmp_path: Path) -> Path:
    """A file of it."""
    written = tmp_path / "town.roads"
    save(graph, written)
    return written


def damaged(path: Path, at: int, data: bytes) -> None:
    """Write over the bytes of a file from a place on."""
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def test_every_array_has_a_type_in_the_file() -> None:
    """What is added to the graph is not forgotten in the file."""
    assert [*TYPES, "grid", "about"] == [field.name for field in fields(RoadGraph)]


@pytest.mark.parametrize("verify", [False, True])
def test_a_graph_comes_back_as_it_was(graph: RoadGraph, path: Path, verify: bool) -> None:
    """Every array with its type and shape, and what it is about."""
    found = load(path, verify=verify)
    for name in TYPES:
        mine, theirs = getattr(graph, name), getattr(found, name)
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(mine, theirs)
    assert (found.grid, found.about) == (graph.grid, graph.about)


def test_an_empty_graph_comes_back(tmp_path: Path) -> None:
    """Arrays of no length are arrays all the same."""
    save(graph_of([], []), tmp_path / "empty.roads")
    found = load(tmp_path / "empty.roads", verify=True)
    assert (found.nodes, found.segment_s.shape) == (0, (4, 2, 0))


def test_arrays_are_maps_that_nobody_writes_to(path: Path) -> None:
    """Each begins at a multiple of 64 bytes."""
    found = load(path)
    for name in TYPES:
        array = getattr(found, name)
        assert not array.flags.writeable
        assert array.ctypes.data % 64 == 0


def test_the_same_graph_gives_the_same_file(graph: RoadGraph, path: Path) -> None:
    """Also when it has been through one."""
    before = path.read_bytes()
    save(load(path), path)
    assert path.read_bytes() == before


def test_a_map_stays_as_it_was_when_its_file_is_replaced(graph: RoadGraph, path: Path) -> None:
    """A process goes on with the roads it started with."""
    old = load(path)
    save(graph_of(PLACES[:2], [Line([0, 1])]), path)
    np.testing.assert_array_equal(old.segment_m, graph.segment_m)
    assert load(path).segments == 1


def test_no_part_is_left_behind(path: Path) -> None:
    """Not when all is well."""
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_stays_when_the_new_one_cannot_be_written(
    graph: RoadGraph, path: Path
) -> None:
    """A folder in its place stands for a full disk."""
    before = path.read_bytes()
    (path.parent / "town.roads.part").mkdir()
    with pytest.raises(IsADirectoryError):
        save(graph, path)
    assert path.read_bytes() == before


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """The caller may make one."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.roads")


@pytest.mark.parametrize("size", [0, 5, 200])
def test_a_file_that_is_cut_in_its_head_is_refused(path: Path, size: int) -> None:
    """Whatever is left of it."""
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BadRoadsError):
        load(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_refused(path: Path, change: int) -> None:
    """Cut off or grown by a byte."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] if change < 0 else data + b"\0")
    with pytest.raises(BadRoadsError, match="not written or copied to its end"):
        load(path)


def test_another_file_is_refused(path: Path) -> None:
    """It says what would make one."""
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(BadRoadsError, match="`kapok import roads` makes one"):
        load(path)


def test_another_version_is_refused(path: Path) -> None:
    """It says which, and what to do."""
    path.write_bytes(path.read_bytes().replace(MAGIC, b"kapok-roads 99\n", 1))
    with pytest.raises(BadRoadsError, match="is of version 99, not 1: import the roads again"):
        load(path)


def test_a_changed_header_is_always_noticed(path: Path) -> None:
    """No array is ever read from a wrong place."""
    at = path.read_bytes().index(b'"offset' if b'"offset' in path.read_bytes() else b'"arrays"')
    damaged(path, at + 1, b"Q")
    with pytest.raises(BadRoadsError, match="its header is not the one"):
        load(path)


def test_a_changed_array_is_noticed_when_all_is_verified(path: Path) -> None:
    """One bit of the last array."""
    size = path.stat().st_size
    damaged(path, size - 64, bytes([path.read_bytes()[size - 64] ^ 1]))
    assert load(path).segments > 0
    with pytest.raises(BadRoadsError, match="SHA-256"):
        load(path, verify=True)


def test_the_header_can_be_read_by_anybody(path: Path, graph: RoadGraph) -> None:
    """Its third line is JSON."""
    header = json.loads(path.read_bytes().split(b"\n", 3)[2])
    assert header["about"]["source"] == graph.about.source
    assert [name for name, *_ in header["arrays"]] == list(file.TYPES)
