"""A fake desk behind the real API, and keys of every role."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Final, cast

import msgspec
import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar
from prometheus_client import CollectorRegistry, Counter

from dispatch.api import build
from dispatch.api.measured import Measured
from dispatch.auth import Grant, Role, token_hash
from dispatch.cli.city import register
from dispatch.store.registry import registry as registry_of
from schemas.base import KeyId
from tests.cities import small_city
from tests.dispatch.desk.station import Station
from tests.fakes import FakeDesk, ManualClock, unit_in_view

CALL: Final[dict[str, Any]] = {
    "kind": "water_rescue",
    "priority": 1,
    "position": {"lon": 113.45, "lat": 23.1, "datum": "wgs84"},
    "title": "有人落水",
    "drill": False,
}
KEYS: Final = {
    "kk_dispatcher": Grant(key_id=KeyId("k1"), role=Role.DISPATCHER, juris="gz.huangpu"),
    "kk_tianhe": Grant(key_id=KeyId("k2"), role=Role.DISPATCHER, juris="gz.tianhe"),
    "kk_feed": Grant(key_id=KeyId("k3"), role=Role.API_FEED, juris="gz.huangpu"),
    "kk_registrar": Grant(key_id=KeyId("k4"), role=Role.REGISTRAR, juris="gz.huangpu"),
    "kk_commander": Grant(key_id=KeyId("k5"), role=Role.COMMANDER, juris="gz"),
}


class Api:
    """Speaks to the API as a client with one key would."""

    def __init__(self, client: AsyncClient, desk: FakeDesk) -> None:
        self.client = client
        self.desk = desk
        self._numbers = count(1)

    @classmethod
    def of(cls, app: Litestar, desk: FakeDesk) -> "Api":
        """Return a client of an application that is not served anywhere.

        Litestar's own client waits for each answer in the test's loop, so nothing could overlap.
        """
        transport = ASGITransport(cast("Any", app))
        return cls(AsyncClient(transport=transport, base_url="http://kapok"), desk)

    async def get(self, path: str, *, key: str = "kk_dispatcher", **more: Any) -> Response:
        """Read."""
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        return await self.client.get(path, headers=headers, **more)

    async def post(
        self,
        path: str,
        body: object = None,
        *,
        key: str = "kk_dispatcher",
        once: str | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Change, with a new idempotency key unless `once` is given."""
        given = {
            "Authorization": f"Bearer {key}",
            "Idempotency-Key": once or f"change-{next(self._numbers)}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        content = msgspec.json.encode(body) if raw is None else raw
        return await self.client.post(path, content=content, headers=given)

    async def opened(self, **changes: Any) -> str:
        """Open an incident; return its address."""
        response = await self.post("/v1/incidents", {**CALL, **changes})
        assert response.status_code == 201, response.text
        return response.headers["Location"]


@pytest.fixture
def desk() -> FakeDesk:
    """A desk with five units in two districts, and a key of every role."""
    desk = FakeDesk()
    desk.keyring.replace((token_hash(token), grant) for token, grant in KEYS.items())
    desk.fleet = [unit_in_view(n, lon=113.45 + n / 100) for n in range(4)]
    desk.fleet.append(unit_in_view(9, juris="gz.tianhe", lon=113.3))
    return desk


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry with one counter."""
    registry = CollectorRegistry()
    Counter("kapok_calls", "Calls", registry=registry).inc()
    return registry


@pytest.fixture
def app(desk: FakeDesk, registry: CollectorRegistry) -> Litestar:
    """The application over the fake desk; two changes may be under way."""
    return build(desk, measured=Measured("0", registry), most_in_flight=2)


@pytest_asyncio.fixture
async def api(app: Litestar, desk: FakeDesk) -> AsyncIterator[Api]:
    """A client of the application."""
    api = Api.of(app, desk)
    async with api.client:
        yield api


@pytest_asyncio.fixture
async def station(database: str) -> AsyncIterator[Station]:
    """One process over a database with sixty units, all on duty."""
    clock = ManualClock()
    async with registry_of(database) as registered:
        issued = await register(registered, small_city(60), 60, clock.new_id, lambda *_: None)
    station = await Station.start(database, clock, issued)
    yield station
    await station.store.close()
