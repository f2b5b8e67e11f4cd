"""A running service with its phones, spoken to from outside."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from dispatch.cli.city import IssuedPhone
from dispatch.clock import SystemClock, new_token
from dispatch.wiring import Service
from schemas.wire import SUBPROTOCOL

PATIENCE_S: Final = 20.0
KEY: Final = new_token("kk")
WHO: Final = {"Authorization": f"Bearer {KEY}"}


class Town:
    """A running service with its phones."""

    def __init__(self, running: Service, url: str, phones: list[IssuedPhone]) -> None:
        self.running, self.url, self.phones = running, url, phones
        self.clock = SystemClock()
        self.stack = AsyncExitStack()
        self.http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def socket(self, phone: IssuedPhone, **hello: Any) -> ClientConnection:
        """Open a phone's socket and say hello."""
        line = await self.stack.enter_async_context(
            connect(
                self.url.replace("http", "ws") + "/v1/ws/unit",
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
                compression=None,
                proxy=None,
                ping_interval=None,
                close_timeout=0.2,
            )
        )
        said = {"t": "hello", "tok": phone.token, "datum": "wgs84", "ts": 1, "inst": "run-1"}
        await line.send(msgspec.json.encode(said | hello).decode())
        return line

    async def call(self, near: IssuedPhone, **headers: str) -> Any:
        """Open an incident at a phone's post; return its case."""
        return (await self.answered(near, **headers)).json()

    async def answered(self, near: IssuedPhone, **headers: str) -> httpx.Response:
        """Open an incident at a phone's post; return the whole answer."""
        response = await self.http.post(
            "/v1/incidents",
            json={
                "kind": "theft",
                "priority": 2,
                "position": {"lon": near.lon, "lat": near.lat, "datum": "wgs84"},
                "title": "有人偷电瓶",
                "drill": False,
                "needs": [{}],
            },
            headers={**WHO, "Idempotency-Key": self.clock.new_id(), **headers},
        )
        assert response.status_code == 201, response.text
        return response

    async def ask(self, phone: IssuedPhone, what: str, **more: Any) -> Any:
        """Ask the twin, as a phone."""
        token = more.pop("token", phone.token)
        headers = {"Authorization": f"Bearer {token}", "Kapok-Datum": "wgs84", **more}
        response = await self.http.get(f"/v1/device/{what}", headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, phone: IssuedPhone, *frames: Any) -> list[Any]:
        """Post frames; return their replies."""
        response = await self.http.post(
            "/v1/device/messages",
            json={"frames": list(frames)},
            headers={"Authorization": f"Bearer {phone.token}", "Kapok-Datum": "wgs84"},
        )
        assert response.status_code == 200, response.text
        replies: list[Any] = response.json()["replies"]
        return replies

    def phone_of(self, unit: str) -> IssuedPhone:
        """Return the phone of a unit."""
        return next(phone for phone in self.phones if phone.unit == unit)

    def yes(self, oid: str) -> dict[str, Any]:
        """Return the tap on yes."""
        at = self.clock.now().timestamp() * 1000
        command = self.clock.new_id()
        return {"t": "offer.reply", "id": command, "oid": oid, "rev": 1, "at": at, "r": "accept"}


async def hear(line: ClientConnection, kind: str) -> Any:
    """Listen until a frame of a kind comes."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            frame = msgspec.json.decode(await line.recv())
            if frame["t"] == kind:
                return frame
