"""A stand-in that speaks Valhalla's HTTP, with straight lines for roads; it can fail as asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Final

from geo.distance import metres
from geo.point import Point

SPEED_MPS: Final = {"pedestrian": 1.4, "bicycle": 4.5, "motor_scooter": 8.3, "auto": 10.0}

BRIDGE: Final = 3.0
"""How much longer a way over the river is."""


class Mood(Enum):
    """How it answers."""

    GOOD = "as it should"
    SLOW = "never"
    BROKEN = "status 500"
    REFUSING = "status 400"
    NONSENSE = "what is no JSON"
    SHORT = "one row too few"
    LONG = "more than anybody reads"
    CUT = "half an answer"
    BACKWARDS = "a second less than nothing"
    SPOT = "a line of one point"
    ISLAND = "that there is no way for anybody"


class StandIn:
    """One server on a port of its own. West of its `river`, a longitude, ways are long."""

    def __init__(self) -> None:
        self.mood = Mood.GOOD
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self.url = ""
        self.river: float | None = None

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until it ends."""
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        length = next(
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.asked.append((path, json.loads(await reader.readexactly(length))))
        if self.mood is Mood.SLOW:
            await asyncio.sleep(3600)
        status, body = self._said(path, self.asked[-1][1])
        sent = body[: len(body) // 2] if self.mood is Mood.CUT else body
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + sent)
        await writer.drain()
        return self.mood is not Mood.CUT

    def _said(self, path: str, asked: dict[str, Any]) -> tuple[str, bytes]:
        if self.mood is Mood.BROKEN:
            return "500 Internal Server Error", b"{}"
        if self.mood is Mood.REFUSING:
            return "400 Bad Request", b'{"error_code":442,"error":"No path could be found"}'
        if self.mood is Mood.NONSENSE:
            return "200 OK", b"<html>"
        if self.mood is Mood.LONG:
            return "200 OK", b" " * 2**20
        told = _matrix(asked, self.river) if path == "/sources_to_targets" else _route(asked)
        if self.mood is Mood.ISLAND:
            told["sources_to_targets"] = [[{"time": None, "distance": None}]] * len(
                asked["sources"]
            )
        if self.mood is Mood.BACKWARDS:
            told["sources_to_targets"][0][0]["time"] = -1
        if self.mood is Mood.SPOT:
            told["routes"][0]["geometry"]["coordinates"].pop()
        if self.mood is Mood.SHORT:
            told["sources_to_targets"].pop()
        return "200 OK", json.dumps(told).encode()


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """Run one on loopback."""
    server = StandIn()
    listening = await asyncio.start_server(server.hear, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


def _matrix(asked: dict[str, Any], river: float | None) -> dict[str, Any]:
    (target,) = asked["targets"]
    speed = SPEED_MPS[asked["costing"]]
    rows = [
        [_cell(_away_m(source, target) * _winding(source, river), i, speed)]
        for i, source in enumerate(asked["sources"])
    ]
    return {"algorithm": "costmatrix", "units": "kilometers", "sources_to_targets": rows}


def _winding(source: dict[str, float], river: float | None) -> float:
    """Return how much longer than straight a way is."""
    return BRIDGE if river is not None and source["lon"] < river else 1.0


def _cell(away_m: float, number: int, speed_mps: float) -> dict[str, Any]:
    """Return a cell; there is no way from beyond 50 km."""
    if away_m > 50_000:
        return {"time": None, "distance": None, "from_index": number, "to_index": 0}
    told = {"time": round(away_m / speed_mps), "distance": round(away_m / 1000, 3)}
    return {**told, "from_index": number, "to_index": 0}


def _route(asked: dict[str, Any]) -> dict[str, Any]:
    start, end = asked["locations"]
    away_m = _away_m(start, end)
    line = [[p["lon"], p["lat"]] for p in (start, end)]
    geometry = {"type": "LineString", "coordinates": line}
    seconds = away_m / SPEED_MPS[asked["costing"]]
    return {
        "code": "Ok",
        "routes": [{"geometry": geometry, "duration": seconds, "distance": away_m}],
    }


def _away_m(a: dict[str, float], b: dict[str, float]) -> float:
    return float(metres(Point(a["lon"], a["lat"]), Point(b["lon"], b["lat"])))
