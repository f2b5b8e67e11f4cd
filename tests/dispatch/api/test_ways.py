"""Ways of units over REST."""

from typing import Any

import pytest

from dispatch.desk.routes import DrawnWay
from geo.datum import Datum, point_from_wgs84
from geo.eta import Quality
from geo.point import Point
from tests.dispatch.api.conftest import Api

pytestmark = pytest.mark.asyncio
TOLD = DrawnWay(
    line=(Point(113.46, 23.1), Point(113.455, 23.101), Point(113.45, 23.1)),
    eta_s=151.26,
    distance_m=1103.33,
    quality=Quality.NETWORK,
    by="valhalla",
)


async def way(api: Api, **more: Any) -> dict[str, Any]:
    """Return the way of the second unit to a new incident."""
    answer = await api.get(f"{await api.opened()}/ways/{api.desk.fleet[1].id}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found, "named": answer.headers["Kapok-Datum"]}


async def test_a_way_is_a_line_with_seconds_and_who_says_so(api: Api) -> None:
    """As GeoJSON, from the unit to the incident."""
    api.desk.drawn = TOLD
    assert await way(api) == {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [list(p) for p in TOLD.line]},
        "properties": {
            "unit_id": api.desk.fleet[1].id,
            "eta_s": 151.3,
            "distance_m": 1103.3,
            "by": "valhalla",
            "quality": "network",
        },
        "named": "wgs84",
    }


async def test_a_straight_line_is_nobodys_word(api: Api) -> None:
    """And says what it is."""
    found = await way(api)
    assert found["geometry"]["coordinates"] == [[113.46, 23.1], [113.45, 23.1]]
    told = found["properties"]
    assert (told["by"], told["quality"]) == (None, "straight_line")


async def test_a_way_is_drawn_in_the_datum_that_is_asked_for(api: Api) -> None:
    """Every point of it."""
    api.desk.drawn = TOLD
    found = await way(api, params={"datum": "gcj02"})
    moved = [point_from_wgs84(p, Datum.GCJ02) for p in TOLD.line]
    assert found["named"] == "gcj02"
    assert [tuple(p) for p in found["geometry"]["coordinates"]] == [
        pytest.approx(p, abs=1e-6) for p in moved
    ]


async def test_what_one_may_not_see_has_no_way(api: Api) -> None:
    """Neither another district's incident or unit, nor what does not exist."""
    path = await api.opened()
    ours, theirs = api.desk.fleet[0].id, api.desk.fleet[-1].id
    nowhere = f"/v1/incidents/{ours}/ways/{ours}"
    for there in (f"{path}/ways/{theirs}", f"{path}/ways/nobody", nowhere):
        assert (await api.get(there)).status_code == 404
    assert (await api.get(f"{path}/ways/{theirs}", key="kk_tianhe")).status_code == 404


async def test_a_feed_sees_no_units_and_so_no_ways(api: Api) -> None:
    """It would learn where they are."""
    answer = await api.get(f"{await api.opened()}/ways/{api.desk.fleet[0].id}", key="kk_feed")
    assert answer.status_code == 403
