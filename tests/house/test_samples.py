"""Real extracts are there, or a test says that they are not; in CI they have to be."""

from pathlib import Path

import pytest

from tests.samples import BAYFRONT, osm_sample


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the extracts are said to be in."""
    monkeypatch.setenv("KAPOK_OSM_SAMPLES", str(tmp_path))
    return tmp_path


def test_an_extract_is_taken_from_the_folder_named(elsewhere: Path) -> None:
    """By its short name."""
    (elsewhere / f"{BAYFRONT}.osm.pbf").touch()
    assert osm_sample(BAYFRONT) == elsewhere / f"{BAYFRONT}.osm.pbf"


def test_a_test_without_its_extract_is_skipped(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="KAPOK_OSM_SAMPLES says where"):
        osm_sample(BAYFRONT)


def test_in_ci_a_missing_extract_is_a_failure(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left out there without anybody noticing."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="in CI the extracts are always there"):
        osm_sample(BAYFRONT)
