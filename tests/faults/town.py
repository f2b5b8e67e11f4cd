"""A small city on disk, made once a run and copied for each test: its data, a key, its phones."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from dispatch.auth import Role, token_hash
from dispatch.cli.calls import Caller
from dispatch.cli.city import IssuedPhone, register
from dispatch.clock import SystemClock, new_token
from dispatch.phone.behaviour import Habits
from dispatch.phone.fleet import PhoneLine
from dispatch.store import neighbour
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.store.registry import registry
from geo.city import City, build
from geo.eta import PACES, Moves
from schemas.base import Instant, KeyId

UNITS: Final = 120
PER_MINUTE: Final = 600
SEED: Final = 11
ANSWER_S: Final = 5.0
"""Within this a caller has an answer, whatever is broken."""
CREATED: Final = 201
QUICK: Final = Habits(
    accept=0.8, decline=0.1, see_s=0.2, decide_s=0.2, turnout_s=1, control_s=2, resolve_s=2
)
"""People who answer in a fraction of a second: a few seconds see every kind of message."""


FASTEST: Final = max(Moves, key=lambda moves: PACES[moves].speed_mps)


@dataclass(frozen=True)
class Town:
    """A registered small city on disk, with the keys of a dispatcher and of a registrar."""

    data: Path
    city: City
    phones: Sequence[IssuedPhone]
    key: str
    registrar: str
    since: Instant
    new_id: Callable[[], str]

    @property
    def postgres(self) -> Path:
        """The folder of its database."""
        return self.data / "postgres"

    @property
    def dsn(self) -> str:
        """The address of the database that a running service has started."""
        found = neighbour.address(self.postgres)
        assert found is not None
        return found

    def copied(self, data: Path) -> "Town":
        """Return the same town in a folder of its own."""
        shutil.copytree(self.data, data)
        return replace(self, data=data, since=SystemClock().now())

    def caller(self, url: str, per_minute: float = PER_MINUTE, seed: int = 3) -> Caller:
        """Return someone who opens incidents, each sent until it is answered."""
        dice = np.random.default_rng(seed)
        return Caller(self.city, url, self.key, per_minute, dice, self.new_id)

    async def post(
        self,
        url: str,
        path: str,
        body: dict[str, Any],
        key: str | None = None,
        within_s: float = ANSWER_S,
    ) -> httpx.Response:
        """Send one request, as a dispatcher, under an id of its own; raise TransportError."""
        headers = {
            "Authorization": f"Bearer {key or self.key}",
            "Idempotency-Key": self.new_id(),
        }
        async with httpx.AsyncClient(base_url=url, timeout=within_s, headers=headers) as client:
            return await client.post(path, json=body)

    def call(self, n: int = 0) -> dict[str, Any]:
        """Return the body of a call from the door of the n-th unit."""
        phone = self.phones[n]
        return {
            "kind": "illness",
            "priority": 2,
            "title": "突发疾病",
            "position": {"lon": phone.lon, "lat": phone.lat, "datum": "wgs84"},
            "source": "test",
            "drill": True,
        }

    async def notify(self, url: str, text: str) -> str:
        """Send a notice to all phones; return its id."""
        body = {"level": "warn", "text": text, "drill": True}
        answer = await self.post(url, "/v1/notices", body)
        assert answer.status_code == CREATED, answer.text
        return str(answer.json()["id"])

    def lines(self) -> list[PhoneLine]:
        """Return the phones as their fleet reads them."""
        return [
            PhoneLine(
                device=p.device, token=p.token, unit=p.unit, lon=p.lon, lat=p.lat, moves=FASTEST
            )
            for p in self.phones
        ]


async def made(data: Path, units: int = UNITS) -> Town:
    """Register a town of so many units, all with phones, and leave it on disk."""
    city, clock = build(SEED, units), SystemClock()
    key, registrar = new_token("kk"), new_token("kk")
    async with EmbeddedPostgres(data / "postgres") as server:
        async with connected(server.dsn) as connection:
            await migrate(connection)
        async with registry(server.dsn) as registered:
            phones = await register(registered, city, units, clock.new_id, lambda *_: None)
            for role, token in ((Role.DISPATCHER, key), (Role.REGISTRAR, registrar)):
                await registered.put_key(
                    KeyId(clock.new_id()), str(role), role, "gz", token_hash(token)
                )
    return Town(data, city, phones, key, registrar, clock.now(), clock.new_id)


@asynccontextmanager
async def database(town: Town) -> AsyncIterator[EmbeddedPostgres]:
    """Run a town's database as one outside the service, in the hands of the test."""
    async with EmbeddedPostgres(town.postgres) as server:
        yield server
