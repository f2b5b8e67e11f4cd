"""Road seconds and ways by a Valhalla server over HTTP; nobody waits for one that is slow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from math import inf
from types import TracebackType
from typing import Annotated, Any, Final, Self

import httpx
import msgspec

from dispatch.ports import Leg, RouterAway, Start, Way
from geo.eta import Moves
from geo.point import Point

WITHIN_S: Final = 0.05
"""All that an answer may take: above it our own graph has answered a hundred times."""
ANSWER_BYTES: Final = 256 * 1024
AWAY_MOST: Final = 3
"""So many failures in a row, and it is left alone for `REST_S`."""
REST_S: Final = 5.0
COSTING: Final[dict[Moves, str]] = {
    Moves.FOOT: "pedestrian",
    Moves.BICYCLE: "bicycle",
    Moves.EBIKE: "bicycle",
    Moves.MOTORBIKE: "motor_scooter",
    Moves.CAR: "auto",
}
ENDS: Final = 2
"""Points a line has at least."""
MATRIX: Final = "/sources_to_targets"
ROUTE: Final = "/route"


class Refused(RouterAway):
    """It knows no way there: an answer like any other, and no reason to leave it alone."""


Measure = Annotated[float, msgspec.Meta(ge=0)]


class _Cell(msgspec.Struct):
    time: Measure | None = None
    distance: Measure | None = None


class _Matrix(msgspec.Struct):
    sources_to_targets: list[list[_Cell]]


class _Line(msgspec.Struct):
    coordinates: list[tuple[float, float]]


class _Route(msgspec.Struct):
    geometry: _Line
    duration: Measure
    distance: Measure


class _Routes(msgspec.Struct):
    routes: list[_Route]


class Valhalla:
    """One server (version 3.1 and later), asked over connections that stay open."""

    name: Final = "valhalla"

    def __init__(self, url: str, within_s: float = WITHIN_S) -> None:
        """Take the address of the server, and the seconds a question may take in all."""
        self._within_s = within_s
        self._failures = 0
        self._rests_until_s = -inf
        self._client = httpx.AsyncClient(
            base_url=url, follow_redirects=False, trust_env=False, timeout=within_s
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def legs(self, place: Point, starts: Sequence[Start]) -> list[Leg]:
        """Return the way of each start to a place: road seconds (no turnout) and metres.

        Those for whom there is no way have inf for both.

        Raises:
            RouterAway: it said nothing of use within the time, or is left alone for now.
        """
        order = sorted(range(len(starts)), key=lambda i: COSTING[starts[i].moves])
        groups = [
            (costing, list(which))
            for costing, which in groupby(order, key=lambda i: COSTING[starts[i].moves])
        ]
        async with self._asked():
            columns = await asyncio.gather(
                *(self._column(place, [starts[i] for i in which], c) for c, which in groups)
            )
        legs = [Leg(inf, inf)] * len(starts)
        for (_, which), column in zip(groups, columns, strict=True):
            for i, leg in zip(which, column, strict=True):
                legs[i] = leg
        return legs

    async def way(self, start: Start, place: Point) -> Way:
        """Return the line on the map that a start takes to a place.

        Raises:
            RouterAway: as for `legs`, or there is no such way.
        """
        asked = {
            "locations": [_place(start.place), _place(place)],
            "costing": COSTING[start.moves],
            "format": "osrm",
            "shape_format": "geojson",
            "directions_type": "none",
        }
        async with self._asked():
            routes = msgspec.json.decode(await self._post(ROUTE, asked), type=_Routes).routes
            if not routes or len(routes[0].geometry.coordinates) < ENDS:
                raise Refused("no way")
            best = routes[0]
            line = tuple(Point(*each) for each in best.geometry.coordinates)
            return Way(line=line, leg=Leg(best.duration, best.distance))

    async def _column(self, place: Point, starts: Sequence[Start], costing: str) -> list[Leg]:
        """Ask for all ways of one costing to the place."""
        asked = {
            "sources": [_place(start.place) for start in starts],
            "targets": [_place(place)],
            "costing": costing,
            "units": "kilometers",
        }
        rows = msgspec.json.decode(await self._post(MATRIX, asked), type=_Matrix)
        if [len(row) for row in rows.sources_to_targets] != [1] * len(starts):
            raise RouterAway("not as many answers as were asked for")
        return [_leg(row[0]) for row in rows.sources_to_targets]

    async def _post(self, path: str, asked: dict[str, Any]) -> bytes:
        body = bytearray()
        async with self._client.stream(
            "POST",
            path,
            content=msgspec.json.encode(asked),
            headers={"Content-Type": "application/json"},
        ) as response:
            if response.is_client_error:
                raise Refused(f"status {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise RouterAway(f"status {response.status_code}")
            async for part in response.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES:
                    raise RouterAway("the answer is too long")
        return bytes(body)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Bound a question in time; count failures, and ask nothing while it rests."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until_s:
            raise RouterAway("left alone after failures")
        try:
            async with asyncio.timeout(self._within_s):
                yield
        except Refused:
            raise
        except (RouterAway, OSError, httpx.HTTPError, msgspec.MsgspecError) as error:
            self._failures += 1
            if self._failures >= AWAY_MOST:
                self._failures, self._rests_until_s = 0, loop.time() + REST_S
            raise RouterAway(str(error) or type(error).__name__) from error
        self._failures = 0


def _place(point: Point) -> dict[str, float]:
    return {"lon": round(point.lon, 6), "lat": round(point.lat, 6)}


def _leg(cell: _Cell) -> Leg:
    if cell.time is None or cell.distance is None:
        return Leg(inf, inf)
    return Leg(cell.time, cell.distance * 1000.0)
