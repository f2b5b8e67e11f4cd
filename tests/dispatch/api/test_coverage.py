"""Coverage over REST."""

from typing import Any

import pytest

from geo.datum import Datum, point_to_wgs84
from geo.eta import StraightLine
from geo.point import Point
from tests.dispatch.api.conftest import Api
from tests.dispatch.desk.test_coverage import Room
from tests.fakes import FakeDesk

pytestmark = pytest.mark.asyncio
CITY = "kk_commander"


@pytest.fixture
def desk(desk: FakeDesk) -> FakeDesk:
    """A desk with forty units in a city of five districts of five grids."""
    room = Room(StraightLine(compiled=False), clock=desk.clock)
    desk.coverage = room.coverage
    return desk


async def see(api: Api, path: str, key: str = CITY) -> dict[str, Any]:
    """Read something that is there."""
    answer = await api.get(path, key=key)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def grids(api: Api, query: str = "") -> list[dict[str, Any]]:
    """Return all grids, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await see(api, f"/v1/coverage/grids?limit=7{query}{cursor}")
        assert page["type"] == "FeatureCollection"
        found += page["features"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def test_sums_are_those_of_the_grids(api: Api) -> None:
    """Of the whole, and of each part."""
    view = await see(api, "/v1/coverage")
    told = [grid["properties"] for grid in await grids(api)]
    assert (view["total"]["jurisdiction"], view["total"]["grids"]) == ("gz", len(told))
    assert view["total"]["within_300"] == sum(grid["units_300"] > 0 for grid in told) > 0
    assert view["total"]["sure_180"] == sum(grid["p_180"] >= 0.95 for grid in told)
    assert (view["quality"], view["free_units"], view["pending"]) == ("straight_line", 40, 0)
    assert view["straight_line_grids"] == len(told)
    for part in view["parts"]:
        own = [g for g in told if g["jurisdiction"].startswith(part["jurisdiction"])]
        assert part["within_180"] == sum(grid["units_180"] > 0 for grid in own)
        assert part["name"]


async def test_parts_come_page_by_page(api: Api) -> None:
    """By path, as deep as is asked."""
    first = await see(api, "/v1/coverage?level=3&limit=1")
    rest = await see(api, f"/v1/coverage?level=3&limit=200&cursor={first['next']}")
    paths = [part["jurisdiction"] for part in (*first["parts"], *rest["parts"])]
    assert paths == [f"gz.d{x}.g{y}" for x in range(5) for y in range(5)]


async def test_an_answer_tells_how_old_it_is(api: Api) -> None:
    """Until another is made."""
    ages = []
    for seconds in (0, 9, 1):
        api.desk.clock.advance(seconds)
        ages.append((await see(api, "/v1/coverage"))["age_s"])
    assert ages == [0.0, 9.0, 0.0]


async def test_bare_grids_are_those_with_nobody_near(api: Api) -> None:
    """Within the ring that is named."""
    for ring in ("180", "300"):
        bare = await grids(api, f"&uncovered={ring}")
        assert bare == [g for g in await grids(api) if g["properties"][f"units_{ring}"] == 0]
        assert len(bare) < 25


async def test_grids_are_told_in_the_datum_asked_for(api: Api) -> None:
    """Each a place inside the grid."""
    plain = await see(api, "/v1/coverage/grids?limit=1")
    moved = await see(api, "/v1/coverage/grids?limit=1&datum=gcj02")
    there = moved["features"][0]["geometry"]["coordinates"]
    back = point_to_wgs84(Point(*there), Datum.GCJ02)
    assert list(back) == pytest.approx(plain["features"][0]["geometry"]["coordinates"], abs=1e-7)


WRONG = {
    "/v1/coverage?jurisdiction=GZ": 400,
    "/v1/coverage?level=6": 400,
    "/v1/coverage?limit=201": 400,
    "/v1/coverage?cursor=x": 400,
    "/v1/coverage/grids?limit=2001": 400,
    "/v1/coverage/grids?uncovered=60": 400,
    "/v1/coverage/grids?jurisdiction=sz": 403,
    "/v1/coverage?jurisdiction=sz": 403,
}


async def test_what_makes_no_sense_is_a_problem(api: Api) -> None:
    """And so is what lies beyond one's jurisdiction."""
    assert {path: (await api.get(path, key=CITY)).status_code for path in WRONG} == WRONG


async def test_one_sees_ones_own_jurisdiction(api: Api) -> None:
    """In which nothing may be; a feed sees nothing."""
    far = await see(api, "/v1/coverage", key="kk_registrar")
    assert (far["total"]["jurisdiction"], far["total"]["grids"], far["parts"]) == (
        "gz.huangpu",
        0,
        [],
    )
    assert (await api.get("/v1/coverage", key="kk_feed")).status_code == 403
