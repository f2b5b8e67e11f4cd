"""The dispatcher's API as the service itself puts it together."""

from typing import Any, cast

import httpx
import pytest
import shapely

from dispatch.auth import token_hash
from dispatch.store.registry import registry
from dispatch.wiring import service
from geo.jurisdiction import Jurisdiction
from schemas.base import KeyId

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]
HOME = {"lon": 113.45, "lat": 23.1, "datum": "wgs84"}


async def test_a_service_takes_a_registrars_word_and_enrols_a_phone(database: str) -> None:
    """From a new unit to the token of its first phone."""
    async with registry(database) as known:
        await known.put_jurisdictions([Jurisdiction("gz", "广州", shapely.box(113, 22, 114, 24))])
        await known.put_key(KeyId("k1"), "x", "registrar", "gz", token_hash("kk_1"))
    async with service(database) as running:
        app = httpx.ASGITransport(cast("Any", running.app))
        async with httpx.AsyncClient(transport=app, base_url="http://kapok") as client:

            async def do(path: str, body: dict[str, Any], once: str) -> Any:
                headers = {"Authorization": "Bearer kk_1", "Idempotency-Key": once}
                response = await client.post(path, json=body, headers=headers)
                assert response.status_code in {200, 201}, response.text
                return response.json()

            body = {"code": "GZ-1", "name": "夏港", "kind": "village", "home": HOME}
            unit = await do("/v1/units", body, "1")
            member = await do(f"/v1/units/{unit['id']}/members", {"name": "陈"}, "2")
            issued = await do(f"/v1/members/{member['id']}/enrol-code", {}, "3")
            phone = await do("/v1/device/enrol", {"code": issued["code"]}, "4")
            known_as = await running.phones.identify(phone["token"])
    assert (unit["jurisdiction"], known_as.unit_id) == ("gz", unit["id"])
