"""Closed roads over REST."""

from typing import Any, Final

import pytest
import shapely

from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from tests.dispatch.api.conftest import Api
from tests.dispatch.api.served import Served
from tests.dispatch.desk.station import Station
from tests.fakes import FakeDesk

pytestmark = pytest.mark.asyncio
RING: Final = [[113.4, 23.1], [113.41, 23.1], [113.41, 23.11], [113.4, 23.1]]
POLYGON: Final[dict[str, Any]] = {"type": "Polygon", "coordinates": [RING], "datum": "gcj02"}
CLOSE: Final[dict[str, Any]] = {
    "polygon": POLYGON,
    "reason": "河水上涨",
    "expires_at": "2026-11-21T18:00:00+08:00",
}


@pytest.fixture
def desk(desk: FakeDesk) -> FakeDesk:
    """A desk that knows whose ground what is."""
    desk.places = JurisdictionIndex(
        [
            Jurisdiction("gz", "广州", shapely.box(113, 22, 115, 24)),
            Jurisdiction("gz.huangpu", "黄埔", shapely.box(113.3, 23, 113.6, 23.3)),
        ]
    )
    return desk


async def closed(api: Api, **facts: Any) -> str:
    """Close roads; return the closure's address."""
    answer = await api.post("/v1/closures", {**CLOSE, **facts})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def test_roads_are_closed_seen_and_opened(api: Api) -> None:
    """The polygon as it was drawn, the instant in UTC; opened again it stays as it is."""
    address = await closed(api)
    view = (await api.get(address)).json()
    assert view["polygon"] == POLYGON
    assert (view["expires_at"], view["jurisdiction"]) == ("2026-11-21T10:00:00Z", "gz.huangpu")
    assert (view["effect"], view["why"]) == ("none", "no roads are loaded")
    headers = {"Authorization": "Bearer kk_dispatcher"}
    ended = [await api.client.delete(address, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in ended] == [200, 200]
    assert [answer.json()["ended_by"] for answer in ended] == ["key:k1", "key:k1"]
    assert (await api.get("/v1/closures")).json() == {"items": [], "next": None}


async def test_the_same_request_closes_once(api: Api) -> None:
    """And says that it was done before."""
    first, again = [await api.post("/v1/closures", CLOSE, once="one") for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await api.post("/v1/closures", {**CLOSE, "reason": "x"}, once="one")).status_code == 422


async def test_closures_are_listed_page_by_page(api: Api) -> None:
    """Newest first."""
    addresses = [await closed(api, reason=f"{n}") for n in range(3)]
    page = (await api.get("/v1/closures", params={"limit": 2})).json()
    rest = (await api.get("/v1/closures", params={"cursor": page["next"]})).json()
    listed = [item["id"] for item in (*page["items"], *rest["items"])]
    assert listed == [address.rsplit("/", 1)[1] for address in reversed(addresses)]
    assert rest["next"] is None


WRONG: Final[tuple[tuple[dict[str, Any], int, str | None], ...]] = (
    ({"reason": ""}, 422, "/reason"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "/expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422, "/expires_at"),
    ({"polygon": {**POLYGON, "coordinates": [[]]}}, 422, "/polygon"),
    ({"polygon": {**POLYGON, "coordinates": [RING[:3]]}}, 422, "/polygon"),
    ({"polygon": {**POLYGON, "coordinates": [RING[:3] * 99]}}, 422, "/polygon"),
    ({"travels": ["car"]}, 422, "/travels"),
    ({"polygon": {**POLYGON, "coordinates": [[[x + 0.5, y] for x, y in RING]]}}, 403, None),
)


async def test_what_cannot_be_closed_is_a_problem(api: Api) -> None:
    """With a pointer to what is wrong."""
    for facts, status, pointer in WRONG:
        answer = await api.post("/v1/closures", {**CLOSE, **facts})
        assert answer.status_code == status, answer.text
        assert answer.json().get("errors", [{}])[0].get("pointer") == pointer


async def test_another_district_neither_sees_nor_ends_it(api: Api) -> None:
    """Nor does anything that is no id; a feed and a registrar close nothing."""
    address = await closed(api)
    for path in (address, "/v1/closures/nothing"):
        assert (await api.get(path, key="kk_tianhe")).status_code == 404
        headers = {"Authorization": "Bearer kk_tianhe"}
        assert (await api.client.delete(path, headers=headers)).status_code == 404
    for key in ("kk_feed", "kk_registrar"):
        assert (await api.post("/v1/closures", CLOSE, key=key)).status_code == 403
    assert (await api.get("/v1/closures", key="kk_feed")).status_code == 403
    assert (await api.get("/v1/closures", key="kk_registrar")).status_code == 200


@pytest.mark.postgres
async def test_closures_survive_a_restart(station: Station) -> None:
    """From the request to the database and back, in another process too."""
    served = Served.at(station)
    async with served.client:
        here = station.issued[0]
        ring = [[here.lon + x, here.lat + y] for x, y in ((0, 0), (1e-6, 0), (0, 1e-6), (0, 0))]
        body = {
            "polygon": {"type": "Polygon", "coordinates": [ring], "datum": "wgs84"},
            "reason": "塌方",
            "expires_at": "2026-11-22T00:00:00Z",
        }
        made = await served.do("/v1/closures", body)
    other = Served.at(await Station.start(station.dsn, station.clock, station.issued))
    async with other.client:
        assert await other.see(f"/v1/closures/{made['id']}") == made
        assert (await other.see("/v1/closures"))["items"] == [made]
    await other.station.store.close()
