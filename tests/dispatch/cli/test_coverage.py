"""`kapok coverage`, asked of a service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.cli.codes import Code
from tests.dispatch.cli.answering import KEY, Told, answering


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a service."""
    with answering() as address:
        yield address


@pytest.fixture
def told(url: str, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs the command."""
    return Told(capsys, "coverage", "--url", url, "--key", KEY)


def test_it_shows_every_part_and_the_whole(told: Told) -> None:
    """And which grids nobody reaches."""
    said = told()
    assert "12 free units, 25 grids, straight_line (0 s old)" in said
    assert all(f"gz.d{x}" in said for x in range(5))
    assert "within 180 s" in said
    assert "grids have nobody within 180 s" in said


def test_it_tells_the_same_to_a_machine(told: Told) -> None:
    """Sums by part, the whole last; grids with nobody near, as many as are asked for."""
    found = told.json("--most", "2")
    parts = {part["path"]: part for part in found["parts"]}
    assert list(parts) == [*(f"gz.d{x}" for x in range(5)), "gz"]
    assert (parts["gz"]["places"], parts["gz"]["weight"]) == (25, 25.0)
    assert found["uncovered"] == 25 - parts["gz"]["within"][0] > len(found["listed"]) == 2
    assert told.json("--ring", "300")["uncovered"] == 25 - parts["gz"]["within"][1]


def test_a_part_may_be_asked_about_as_deep_as_one_likes(told: Told) -> None:
    """By path and level."""
    found = told.json("--jurisdiction", "gz.d1", "--level", "3")
    assert [part["path"] for part in found["parts"]] == [
        *(f"gz.d1.g{y}" for y in range(5)),
        "gz.d1",
    ]


def test_weights_are_what_is_summed_and_sorted_by(told: Told, tmp_path: Path) -> None:
    """What counts nothing is not listed."""
    file = tmp_path / "weights.csv"
    file.write_text("gz.d1,2\ngz.d3,7\n", encoding="utf-8")
    found = told.json("--weights", str(file), "--most", "99")
    parts = {part["path"]: part["weight"] for part in found["parts"]}
    assert (parts["gz.d0"], parts["gz.d1"], parts["gz"]) == (0.0, 10.0, 45.0)
    listed = [grid["jurisdiction"][:5] for grid in found["listed"]]
    assert listed == sorted(listed, reverse=True)
    assert set(listed) <= {"gz.d1", "gz.d3"}
    assert " - " in told("--weights", str(file))


def test_all_grids_are_written_for_a_map(told: Told, tmp_path: Path) -> None:
    """As GeoJSON, each with its weight."""
    file = tmp_path / "grids.geojson"
    told("--geojson", str(file))
    made = json.loads(file.read_text(encoding="utf-8"))
    assert (made["type"], len(made["features"])) == ("FeatureCollection", 25)
    assert made["features"][0]["properties"]["weight"] == 1.0


def test_what_the_service_refuses_ends_the_command(told: Told) -> None:
    """With its reason."""
    assert "may not see_units" in told("--key", "kk_feed", code=Code.FAILED)
    assert "beyond your jurisdiction" in told("--jurisdiction", "sz", code=Code.FAILED)
