"""Notices over REST."""

import pytest

from tests.dispatch.api.conftest import Api

pytestmark = pytest.mark.asyncio
NOTICE = {"level": "info", "text": "演练通知", "drill": True}


async def sent(api: Api, **facts: object) -> str:
    """Send a notice; return its address."""
    answer = await api.post("/v1/notices", {**NOTICE, **facts})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def test_a_notice_is_sent_read_and_taken_back(api: Api) -> None:
    """To the key's own jurisdiction where none is named."""
    address = await sent(api)
    view = (await api.get(address)).json()
    assert (view["jurisdiction"], view["by"], view["addressed"]) == ("gz.huangpu", "key:k1", 0)
    back = await api.post(f"{address}/withdraw", {})
    assert (back.status_code, back.json()["withdrawn_by"]) == (200, "key:k1")


async def test_the_same_request_sends_one(api: Api) -> None:
    """And says that it was sent before."""
    first, again = [await api.post("/v1/notices", NOTICE, once="one") for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await api.post("/v1/notices", {**NOTICE, "text": "x"}, once="one")).status_code == 422


async def test_notices_are_listed_page_by_page_without_counts(api: Api) -> None:
    """Newest first."""
    addresses = [await sent(api, text=f"{n}") for n in range(3)]
    page = (await api.get("/v1/notices", params={"limit": 2})).json()
    rest = (await api.get("/v1/notices", params={"cursor": page["next"]})).json()
    listed = [item["id"] for item in (*page["items"], *rest["items"])]
    assert listed == [address.rsplit("/", 1)[1] for address in reversed(addresses)]
    assert (page["items"][0]["addressed"], rest.get("next")) == (None, None)


@pytest.mark.parametrize(
    ("facts", "status", "pointer"),
    [
        ({"text": "x" * 1001}, 422, "/text"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "/expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422, "/expires_at"),
        ({"polygon": {"type": "Polygon", "coordinates": [[]], "datum": "wgs84"}}, 422, "/polygon"),
        ({"jurisdiction": "gz.tianhe"}, 403, None),
    ],
)
async def test_what_cannot_be_sent_is_a_problem(
    api: Api, facts: dict[str, object], status: int, pointer: str | None
) -> None:
    """With a pointer to what is wrong."""
    answer = await api.post("/v1/notices", {**NOTICE, **facts})
    assert answer.status_code == status
    told = answer.json().get("errors", [{}])[0].get("pointer")
    assert told == pointer


async def test_a_notice_with_an_end_and_an_area_is_kept_as_given(api: Api) -> None:
    """The instant in UTC, the area in its own datum."""
    ring = [[113.4, 23.1], [113.5, 23.1], [113.5, 23.2], [113.4, 23.1]]
    area = {"type": "Polygon", "coordinates": [ring], "datum": "gcj02"}
    address = await sent(api, polygon=area, expires_at="2026-11-21T18:00:00+08:00")
    view = (await api.get(address)).json()
    assert (view["polygon"], view["expires_at"]) == (area, "2026-11-21T10:00:00Z")


async def test_another_district_does_not_see_it(api: Api) -> None:
    """Nor does anything that is no id; a feed may not ask."""
    address = await sent(api)
    assert (await api.get(address, key="kk_tianhe")).status_code == 404
    assert (await api.get("/v1/notices/nothing")).status_code == 404
    assert (await api.get("/v1/notices", key="kk_feed")).status_code == 403
