"""The roads follow the site's hours."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatch.desk.the_hour import TheHour, read_hours
from dispatch.settings import BadSetting
from geo.city.roads import roads
from geo.road_eta import RoadNetwork
from geo.roads.build import Source, build
from geo.roads.travel import CAR
from tests.cities import small_city
from tests.fakes import ManualClock

FILE = """
[[spells]]
from = "07:00"
to = "09:00"
car = { all = 2.0 }
"""


def put(folder: Path, text: str) -> Path:
    """Write a file of hours."""
    path = folder / "hours.toml"
    path.write_text(text)
    return path


@pytest.mark.asyncio
async def test_factors_come_and_go_with_their_hours(tmp_path: Path) -> None:
    """The next search takes them; nobody has to start anything anew."""
    network = RoadNetwork(build(roads(small_city(20)), Source("test")), compiled=False)
    clock = ManualClock(datetime(2026, 11, 16, 0, 30, tzinfo=UTC))  # 08:30 in Guangzhou
    hour = TheHour(network, read_hours(put(tmp_path, FILE)), clock)
    await hour.follow()
    assert network.factors[CAR, 0] == 2.0
    clock.advance(3600)
    await hour.follow()
    assert network.factors[CAR, 0] == 1.0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[spells", "KAPOK_ROAD_HOURS"),
        (FILE.replace("07:00", "7 am"), "from"),
        (FILE.replace("all", "high street"), "Expected"),
        (FILE.replace("all", "highway"), "highway"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused(tmp_path: Path, text: str, word: str) -> None:
    """Before anything starts."""
    with pytest.raises(BadSetting, match=word):
        read_hours(put(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A night without factors that somebody meant to count is worse than no start."""
    with pytest.raises(BadSetting, match="KAPOK_ROAD_HOURS"):
        read_hours(tmp_path / "gone.toml")
