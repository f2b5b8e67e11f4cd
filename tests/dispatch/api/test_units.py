"""Units over REST: by jurisdiction, by box, page by page."""

import msgspec
import pytest

from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas.rest import UnitPage
from tests.dispatch.api.conftest import Api
from tests.fakes import unit_in_view

pytestmark = pytest.mark.asyncio


async def codes(api: Api, query: str = "", key: str = "kk_dispatcher") -> list[str]:
    """Return the codes of the units on one page."""
    response = await api.get(f"/v1/units{query}", key=key)
    assert response.status_code == 200, response.text
    return [item["code"] for item in response.json()["items"]]


async def test_one_sees_the_units_of_ones_jurisdiction(api: Api) -> None:
    """And those under it."""
    assert await codes(api) == ["u0", "u1", "u2", "u3"]
    assert await codes(api, key="kk_tianhe") == ["u9"]
    assert await codes(api, key="kk_commander") == ["u0", "u1", "u2", "u3", "u9"]


async def test_units_are_filtered_by_jurisdiction(api: Api) -> None:
    """Inside one's own."""
    assert await codes(api, "?jurisdiction=gz.tianhe", key="kk_commander") == ["u9"]
    assert await codes(api, "?jurisdiction=gz.tianhe") == []


async def test_units_are_filtered_by_box(api: Api) -> None:
    """Borders included."""
    assert await codes(api, "?box=113.45,23,113.465,23.2") == ["u0", "u1"]


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
async def test_a_box_is_in_the_datum_asked_for(api: Api, datum: Datum) -> None:
    """Read as WGS-84 it would lie half a kilometre away."""
    south_west = point_from_wgs84(Point(113.4595, 23.0995), datum)
    north_east = point_from_wgs84(Point(113.4605, 23.1005), datum)
    box = ",".join(str(number) for number in (*south_west, *north_east))
    assert await codes(api, f"?box={box}&datum={datum}") == ["u1"]
    assert await codes(api, f"?box={box}") == []


async def test_a_list_is_walked_to_its_end_without_gaps_or_doubles(api: Api) -> None:
    """By id; a unit that is new behind the cursor is met, one before it is not."""
    api.desk.fleet = [unit_in_view(n) for n in range(1, 12)]
    seen: list[str] = []
    path = "/v1/units?limit=3"
    for _ in range(10):
        page = msgspec.json.decode((await api.get(path)).content, type=UnitPage)
        seen += [item.code for item in page.items]
        if page.next is None:
            break
        api.desk.fleet.append(unit_in_view(0 if len(seen) == 3 else 12 + len(seen)))
        path = f"/v1/units?limit=3&cursor={page.next}"
    assert seen[:11] == [f"u{n}" for n in range(1, 12)]
    assert len(set(seen)) == len(seen)
    assert "u0" not in seen


async def test_a_unit_is_read_in_the_datum_asked_for(api: Api) -> None:
    """Home and position both."""
    unit = api.desk.fleet[0]
    response = await api.get(f"/v1/units/{unit.id}?datum=gcj02")
    there = point_from_wgs84(Point(unit.position.lon, unit.position.lat), Datum.GCJ02)
    place = {"lon": there.lon, "lat": there.lat, "datum": "gcj02"}
    assert response.json()["home"] == response.json()["position"] == place
    assert response.headers["Kapok-Datum"] == "gcj02"


async def test_a_unit_of_another_district_is_not_found(api: Api) -> None:
    """It sounds like one that never was."""
    for name in (api.desk.fleet[-1].id, "nobody", "%00", "x" * 65):
        response = await api.get(f"/v1/units/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_a_feed_does_not_see_units(api: Api) -> None:
    """It has no need to."""
    for path in ("/v1/units", f"/v1/units/{api.desk.fleet[0].id}"):
        assert (await api.get(path, key="kk_feed")).status_code == 403


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1e9", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("cursor=WyJpbmNpZGVudHMiLCIxIl0", "cursor"),
        ("datum=wgs", "datum"),
        ("jurisdiction=GZ", "jurisdiction"),
        ("jurisdiction=gz.", "jurisdiction"),
        ("jurisdiction=gz%0A", "jurisdiction"),
        ("jurisdiction=", "jurisdiction"),
        ("box=", "box"),
        ("box=1,2,3", "box"),
        ("box=1,2,3,4,5", "box"),
        ("box=a,b,c,d", "box"),
        ("box=nan,nan,nan,nan", "box"),
        ("box=113,23,1e308,24", "box"),
        ("box=114,23,113,24", "box"),
        ("box=113,24,114,23", "box"),
        ("juris=gz", "juris"),
    ],
)
async def test_a_bad_parameter_is_refused_and_named(api: Api, query: str, parameter: str) -> None:
    """Nothing is guessed, nothing misspelt is passed over."""
    response = await api.get(f"/v1/units?{query}")
    told = response.json()
    assert (response.status_code, told["code"]) == (400, "bad_parameter"), told
    assert told["errors"][0]["parameter"] == parameter


async def test_a_bad_datum_header_is_refused_and_named(api: Api) -> None:
    """As the query parameter is."""
    response = await api.get("/v1/units", headers={"Kapok-Datum": "gps"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "Kapok-Datum"
