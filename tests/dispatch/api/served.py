"""A real desk over a real database behind the real API, and a reader of its streams."""

import asyncio
from contextlib import suppress
from typing import Any, Final, Self, cast

import msgspec
from httpx import Response
from litestar import Litestar

from dispatch.api import build
from dispatch.api.follow import Streams
from dispatch.api.measured import Measured
from dispatch.auth import Grant, Role, token_hash
from dispatch.clock import new_code, new_token
from dispatch.desk.register import Register
from schemas.base import KeyId
from tests.dispatch.api.conftest import Api
from tests.dispatch.desk.station import Station

ROLES: Final = tuple(Role)
NOWHERE: Final = "zz"
"""A jurisdiction with nothing in it."""


def keys() -> dict[str, Grant]:
    """Return a key of every role for the whole city, and one for nothing of it."""
    held = {}
    for role in ROLES:
        held[f"kk_{role}"] = Grant(key_id=KeyId(f"k-{role}"), role=role, juris="gz")
        held[f"kk_{role}_far"] = Grant(key_id=KeyId(f"f-{role}"), role=role, juris=NOWHERE)
    return held


class Served(Api):
    """A client of the API of one process; its key is a dispatcher's unless one is named."""

    station: Station
    app: Litestar

    @classmethod
    def at(cls, station: Station, **more: Any) -> Self:
        """Return a client of a process that has recovered."""
        station.desk.keyring.replace((token_hash(t), g) for t, g in keys().items())
        app = build(
            station.desk,
            measured=Measured("0", station.registry),
            register=Register(station.desk, new_code=new_code, new_token=new_token),
            streams=Streams(every_s=0.01, **more),
        )
        made = cast("Self", cls.of(app, cast("Any", station.desk)))
        made.station, made.app = station, app
        return made

    @property
    def unit(self) -> str:
        """Return the id of the first unit on duty."""
        return self.station.issued[0].unit

    async def do(self, path: str, body: object, *, key: str = "kk_dispatcher", **more: Any) -> Any:
        """Change something, and have it done; return the answer."""
        response = await self.post(path, body, key=key, **more)
        assert response.status_code in {200, 201}, response.text
        return response.json()

    async def see(self, path: str, *, key: str = "kk_dispatcher") -> Any:
        """Read something that is there."""
        response = await self.get(path, key=key)
        assert response.status_code == 200, response.text
        return response.json()

    async def call(self, near: int = 0, **facts: Any) -> dict[str, Any]:
        """Open an incident near a unit's post; return it."""
        body = msgspec.to_builtins(self.station.body(near, **facts))
        opened: dict[str, Any] = await self.do("/v1/incidents", body)
        return opened

    def open_offer(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Return the first offer that may be answered."""
        found: dict[str, Any] = next(o for o in incident["offers"] if o["state"] == "open")
        return found

    async def accepted(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Let the first unit asked say yes by radio; return the incident."""
        offer = self.open_offer(incident)
        path = f"/v1/incidents/{incident['id']}/offers/{offer['id']}/accept"
        answered: dict[str, Any] = await self.do(path, {"via": "radio"})
        return answered


def live(incident: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the assignments that have not ended."""
    return [task for task in incident["assignments"] if task["ended_at"] is None]


class Reader:
    """Reads a stream as a browser would, chunk by chunk; it may be slow, and it may leave."""

    def __init__(self, app: Litestar, key: str = "kk_dispatcher", query: str = "") -> None:
        self._app = app
        self._leave = asyncio.Event()
        self._asked = False
        self.free = asyncio.Event()
        self.free.set()
        self.status = 0
        self.text = ""
        self.ended = False
        self._grown = asyncio.Event()
        self._headers = [(b"authorization", f"Bearer {key}".encode())]
        self._query = query
        self._task: asyncio.Task[None] | None = None

    def resume(self, last: str) -> Self:
        """Come back with the id of the last line that was seen."""
        self._headers.append((b"last-event-id", last.encode()))
        return self

    async def __aenter__(self) -> Self:
        """Open the stream."""
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self._leave.set()
        assert self._task is not None
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(self._task, 10)

    async def until(self, lines: int) -> list[dict[str, Any]]:
        """Wait until there are as many lines; return them."""
        async with asyncio.timeout(20):
            while len(self.lines) < lines and not self.ended:
                self._grown.clear()
                await self._grown.wait()
        return self.lines

    async def until_text(self, text: str) -> None:
        """Wait until the stream has said this."""
        async with asyncio.timeout(20):
            while text not in self.text and not self.ended:
                self._grown.clear()
                await self._grown.wait()

    async def end(self) -> None:
        """Wait until the other side has ended it."""
        async with asyncio.timeout(20):
            while not self.ended:
                self._grown.clear()
                await self._grown.wait()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return what was told, each with its id."""
        told = []
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                told.append({"id": fields["id"], **msgspec.json.decode(fields["data"])})
        return told

    async def _read(self) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/events",
            "raw_path": b"/v1/events",
            "query_string": self._query.encode(),
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("kapok", 80),
        }
        try:
            await cast("Any", self._app)(scope, self._receive, self._send)
        finally:
            self.ended = True
            self._grown.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._grown.set()
            return
        await self.free.wait()
        self.text += message.get("body", b"").decode()
        self._grown.set()


def code(response: Response) -> tuple[int, str]:
    """Return the status of a refusal, and its code."""
    return response.status_code, response.json()["code"]
