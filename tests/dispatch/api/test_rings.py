"""Rings over REST."""

from typing import Any, Final

import pytest
import shapely

from dispatch.desk.ring_maps import RingMaps
from geo.datum import Datum, point_from_wgs84
from geo.road_eta import RoadNetwork
from tests.dispatch.api.conftest import Api
from tests.geo.net import at, town

pytestmark = pytest.mark.asyncio
HERE = at((2.5, 2.5))
PLACE = {"lon": HERE.lon, "lat": HERE.lat}


async def rings(api: Api, **query: Any) -> list[dict[str, Any]]:
    """Return the features of the rings of a place."""
    answer = await api.get("/v1/rings", params={**PLACE, **query})
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = answer.json()["features"]
    return found


async def test_without_roads_rings_are_circles_and_say_so(api: Api) -> None:
    """Three and five minutes by every way of moving, the widest first."""
    told = [feature["properties"] for feature in await rings(api)]
    assert [p["ring_s"] for p in told] == [300] * 4 + [180] * 4
    assert [p["travel"] for p in told[:4]] == ["foot", "bicycle", "motorbike", "car"]
    assert {(p["part"], p["quality"]) for p in told} == {("area", "straight_line")}


async def test_with_roads_the_searched_stretches_are_told(api: Api) -> None:
    """As lines, and an area around them."""
    api.desk.ring_maps = RingMaps(RoadNetwork(town(4), compiled=False))
    found = await rings(api, travel="car,foot", ring_s="120")
    told = [(f["properties"]["travel"], f["properties"]["part"]) for f in found]
    assert told == [("foot", "roads"), ("foot", "area"), ("car", "roads"), ("car", "area")]
    assert {f["properties"]["quality"] for f in found} == {"network"}
    lines = shapely.geometry.shape(found[0]["geometry"])
    assert lines.geom_type == "MultiLineString"
    assert shapely.geometry.shape(found[1]["geometry"]).buffer(1e-5).covers(lines)


async def test_a_ring_is_asked_for_and_drawn_in_the_datum_that_is_named(api: Api) -> None:
    """Place and features alike."""
    there = point_from_wgs84(HERE, Datum.GCJ02)
    moved = await api.get(
        "/v1/rings", params={"lon": there.lon, "lat": there.lat, "datum": "gcj02", "travel": "foot"}
    )
    assert moved.headers["Kapok-Datum"] == "gcj02"
    middle = shapely.geometry.shape(moved.json()["features"][0]["geometry"]).centroid
    assert (middle.x, middle.y) == pytest.approx(there, abs=1e-4)


WRONG: Final = (
    {"travel": "boat"},
    {"travel": ""},
    {"ring_s": "0"},
    {"ring_s": "601"},
    {"ring_s": "60,120,180,240"},
    {"ring_s": "60,"},
    {"ring_s": "٣"},
    {"lon": "181"},
    {"lat": "x"},
)


async def test_what_makes_no_sense_is_named(api: Api) -> None:
    """By its parameter."""
    for wrong in WRONG:
        answer = await api.get("/v1/rings", params={**PLACE, **wrong})
        named = {answer.json()["errors"][0]["parameter"]}
        assert (answer.status_code, named) == (400, set(wrong))


async def test_more_than_an_answer_may_have_is_refused(api: Api) -> None:
    """With the parameter that asks for it."""
    api.desk.ring_maps = RingMaps(RoadNetwork(town(4), compiled=False), most=5)
    answer = await api.get("/v1/rings", params=PLACE)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "ring_s")


async def test_a_place_outside_the_city_is_no_place(api: Api) -> None:
    """Whoever asks; and a feed may not ask."""
    api.desk.outside = True
    answer = await api.get("/v1/rings", params=PLACE)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "lon")
    assert (await api.get("/v1/rings", params=PLACE, key="kk_feed")).status_code == 403
