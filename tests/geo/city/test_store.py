"""The synthetic city in a file."""

from pathlib import Path

import pytest

from geo.city import City, build, store
from geo.city.store import BadStoreError


@pytest.fixture(scope="module")
def city() -> City:
    """Return a part of a city."""
    return build(seed=1, units=300)


@pytest.fixture(scope="module")
def data(city: City) -> bytes:
    """Return it as bytes."""
    return store.dumps(city)


def test_a_city_comes_back_as_it_was(city: City, data: bytes) -> None:
    """To the last digit."""
    assert store.loads(data) == city


def test_the_same_seed_gives_the_same_bytes(data: bytes) -> None:
    """Also when it has been through a file."""
    assert store.dumps(build(seed=1, units=300)) == data
    assert store.dumps(store.loads(data)) == data


def test_a_whole_city_is_a_small_file() -> None:
    """Below 6 MB, and the same when read back."""
    whole = build(seed=1)
    data = store.dumps(whole)
    assert len(data) < 6_000_000
    assert store.loads(data) == whole


def test_a_saved_city_is_loaded(city: City, tmp_path: Path) -> None:
    """Nothing but the file is left behind."""
    path = tmp_path / "city.bin"
    store.save(city, path)
    assert store.load(path) == city
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("end", [0, 5, 20, 60, -1])
def test_a_damaged_city_is_refused(data: bytes, end: int) -> None:
    """A file cut off anywhere is no city."""
    with pytest.raises(BadStoreError):
        store.loads(data[:end])


def test_a_changed_byte_is_noticed(data: bytes) -> None:
    """The digest covers all of it."""
    with pytest.raises(BadStoreError):
        store.loads(data[:-1] + bytes([data[-1] ^ 1]))


def test_another_version_is_refused(data: bytes) -> None:
    """It may mean something else."""
    with pytest.raises(BadStoreError):
        store.loads(data.replace(b"kapok-city 1", b"kapok-city 0", 1))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not the same as a damaged one."""
    with pytest.raises(FileNotFoundError):
        store.load(tmp_path / "city.bin")


def test_a_city_is_built_once_and_read_then(city: City, tmp_path: Path) -> None:
    """The folder is made; the second time its file is not written again."""
    folder = tmp_path / "new" / "folder"
    assert store.cached(folder, seed=1, units=300) == city
    (path,) = folder.iterdir()
    written = path.stat().st_mtime_ns
    assert store.cached(folder, seed=1, units=300) == city
    assert path.stat().st_mtime_ns == written


def test_a_damaged_file_is_built_anew(city: City, tmp_path: Path) -> None:
    """Nobody has to delete it by hand."""
    store.cached(tmp_path, seed=1, units=300)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"half a c")
    assert store.cached(tmp_path, seed=1, units=300) == city
    assert store.load(path) == city
