"""The demo closes a bridge, and shows how much less road is within five minutes of its end."""

from datetime import timedelta
from itertools import pairwise
from types import TracebackType
from typing import Any, Final, Self

import httpx
import msgspec
import shapely

from dispatch.ports import Clock
from geo.city import City
from geo.city.plane import CENTRE
from geo.city.river import Bridge
from geo.distance import metres
from geo.point import Floats, Point
from schemas.base import Record

RING_S: Final = 300
TRAVEL: Final = "motorbike"
LIFE: Final = timedelta(hours=1)
"""Longer than most demos: one that is cut off leaves no closure for ever."""
HALF_DEGREES: Final = 0.0004
"""About 40 m beside the bridge, on both sides."""
TIMEOUT_S: Final = 10.0


class ClosedBridge(Record, frozen=True, kw_only=True):
    """What a closure changed: kilometres of road within five minutes by motorbike."""

    bridge: str
    km_before: float
    km_after: float


class Closing:
    """A bridge of the city, closed by REST as a dispatcher would, opened again at the end."""

    def __init__(self, url: str, key: str, clock: Clock) -> None:
        self._clock = clock
        self._client = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT_S, headers={"Authorization": f"Bearer {key}"}
        )
        self._closed: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._closed is not None:
                await self._client.delete(
                    f"/v1/closures/{self._closed}", headers=self._once("open")
                )
        except httpx.HTTPError:
            pass  # it expires by itself
        finally:
            await self._client.aclose()

    async def close(self, city: City) -> ClosedBridge | None:
        """Close the bridge in the middle of the city; None where the city is too small for one."""
        bridge = min(city.bridges, key=lambda each: metres(CENTRE, each.start))
        before = await self._km(bridge)
        if before is None or not await self._shut(bridge):
            return None
        after = await self._km(bridge)
        return ClosedBridge(bridge=bridge.name, km_before=before, km_after=after or 0.0)

    async def _shut(self, bridge: Bridge) -> bool:
        middle = shapely.LineString([bridge.start, bridge.end]).interpolate(0.5, normalized=True)
        body = {
            "polygon": {
                "type": "Polygon",
                "datum": "wgs84",
                "coordinates": [[list(c) for c in _around(middle).exterior.coords]],
            },
            "reason": "演示：桥面封闭",
            "expires_at": (self._clock.now() + LIFE).isoformat(),
        }
        answer = await self._client.post("/v1/closures", json=body, headers=self._once("close"))
        if answer.status_code != httpx.codes.CREATED:
            return False
        self._closed = answer.json()["id"]
        return bool(answer.json()["segments"])

    async def _km(self, bridge: Bridge) -> float | None:
        """Return the road within five minutes of the bridge's end; None where there is no city."""
        lon, lat = bridge.start
        asked: dict[str, str | float] = {
            "lon": lon,
            "lat": lat,
            "datum": "wgs84",
            "travel": TRAVEL,
            "ring_s": RING_S,
        }
        answer = await self._client.get("/v1/rings", params=asked)
        if answer.status_code != httpx.codes.OK:
            return None
        roads = (
            feature["geometry"]
            for feature in msgspec.json.decode(answer.content)["features"]
            if feature["properties"]["part"] == "roads"
        )
        return round(sum(map(_km_of, roads)), 1)

    def _once(self, what: str) -> dict[str, str]:
        return {"Idempotency-Key": f"{what}-{self._clock.new_id()}"}


def _around(middle: shapely.Point) -> shapely.Polygon:
    return shapely.box(
        middle.x - HALF_DEGREES,
        middle.y - HALF_DEGREES,
        middle.x + HALF_DEGREES,
        middle.y + HALF_DEGREES,
    )


def _km_of(geometry: dict[str, Any]) -> float:
    lines = shapely.get_parts(shapely.geometry.shape(geometry))
    return float(sum(_length_m(shapely.get_coordinates(line)) for line in lines)) / 1000.0


def _length_m(places: Floats) -> float:
    return sum(metres(Point(*a), Point(*b)) for a, b in pairwise(places.tolist()))
