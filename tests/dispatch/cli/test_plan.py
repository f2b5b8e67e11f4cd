"""`kapok plan`, for the grids a service says nobody reaches."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.cli.codes import Code
from geo.datum import Datum, point_from_wgs84
from geo.roads import file as road_file
from tests.dispatch.cli.answering import KEY, Told, answering
from tests.geo.net import at, net


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a service."""
    with answering() as address:
        yield address


@pytest.fixture
def told(url: str, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs the command."""
    return Told(capsys, "plan", "--url", url, "--key", KEY, "--travel", "foot")


def test_posts_are_told_in_the_order_of_what_they_add(told: Told) -> None:
    """With what they cover together, and what no choice covers more than."""
    found = told.json("--posts", "3")
    gains = [post["adds"] for post in found["posts"]]
    assert [post["rank"] for post in found["posts"]] == [1, 2, 3]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) == found["covered"] <= found["at_most"] <= found["uncovered"]
    assert found["posts"][0]["site"].startswith("gz.d")


def test_a_person_reads_a_table(told: Told) -> None:
    """And that it was told as the crow flies."""
    said = told("--posts", "2")
    assert "no roads given" in said
    assert "of as many posts covers more" in said
    assert "that nobody reaches within 180 s" in said


def test_the_exact_choice_is_at_least_as_good(told: Told) -> None:
    """And says that there is none better."""
    exact, greedy = (told.json("--posts", "3", *more) for more in (["--exact"], []))
    assert greedy["covered"] <= exact["covered"] == exact["at_most"] <= greedy["at_most"]
    assert "no other choice of as many posts covers more" in told("--posts", "3", "--exact")


def test_out_of_time_it_is_said_what_may_be_possible(told: Told) -> None:
    """The best that is known is told."""
    found = told.json("--posts", "2", "--exact", "--within", "0")
    assert 0 < found["covered"] <= found["at_most"]


def test_sites_may_be_given_in_any_datum(told: Told, tmp_path: Path) -> None:
    """One beside a grid that nobody reaches; unnamed ones are named by their line."""
    bare = told.json("--posts", "1")["posts"][0]
    file = tmp_path / "sites.csv"
    there = point_from_wgs84(at((0.0, 0.0))._replace(lon=bare["lon"], lat=bare["lat"]), Datum.GCJ02)
    file.write_text(
        f"name,lon,lat\n警务室,{there.lon},{there.lat}\n,{there.lon + 1},{there.lat}\n", "utf-8"
    )
    found = told.json("--posts", "2", "--sites", str(file), "--datum", "gcj02")
    (post,) = found["posts"]
    assert (post["site"], post["adds"]) == ("警务室", bare["adds"])
    assert post["lon"] == pytest.approx(bare["lon"], abs=1e-6)


@pytest.mark.parametrize("row", ["x,23.1", "113.2,91", "113.2"])
def test_a_bad_site_is_named_by_its_line(told: Told, tmp_path: Path, row: str) -> None:
    """Nothing is guessed."""
    file = tmp_path / "sites.csv"
    file.write_text(f"lon,lat\n{row}\n", encoding="utf-8")
    assert "line 2" in told("--posts", "1", "--sites", str(file), code=Code.FAILED)


def test_with_roads_a_post_reaches_what_its_roads_lead_to(told: Told, tmp_path: Path) -> None:
    """Less than as the crow flies; a file that is none is said to be none."""
    streets = [((0.0, y + 0.5), (5.0, y + 0.5)) for y in range(5)]
    file = tmp_path / "town.roads"
    road_file.save(net(*streets), file)
    by_road = told.json("--posts", "5", "--roads", str(file))
    assert 0 < by_road["covered"] < told.json("--posts", "5")["covered"]
    assert "no roads given" not in told("--posts", "1", "--roads", str(file))
    file.write_bytes(b"no roads")
    assert "town.roads" in told("--posts", "1", "--roads", str(file), code=Code.FAILED)


def test_where_all_that_counts_is_covered_nothing_is_planned(told: Told, tmp_path: Path) -> None:
    """And nothing is to be done."""
    file = tmp_path / "weights.csv"
    file.write_text("gz.nowhere,1\n", encoding="utf-8")
    assert "has somebody within 180 s" in told(
        "--posts", "1", "--weights", str(file), code=Code.NOTHING
    )


def test_posts_are_written_for_a_map(told: Told, tmp_path: Path) -> None:
    """As GeoJSON."""
    file = tmp_path / "posts.geojson"
    told("--posts", "2", "--geojson", str(file))
    made = json.loads(file.read_text(encoding="utf-8"))
    assert [f["properties"]["rank"] for f in made["features"]] == [1, 2]
