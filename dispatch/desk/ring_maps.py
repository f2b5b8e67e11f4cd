"""Rings of one place to be drawn: searched here, drawn in a thread, for drawing takes a while."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from dispatch.core.errors import Invalid
from geo.eta import EtaModel, Moves, StraightLine
from geo.point import Point
from geo.ring import Edges, Ring, circle, ring
from geo.road_eta import RoadNetwork
from geo.roads.travel import Travel

STRETCHES_MOST: Final = 20_000
"""Stretches of road in all rings of one answer: some megabytes."""


class Drawn(NamedTuple):
    """A ring, by whom and in what time."""

    travel: Travel
    ring_s: int
    ring: Ring


class RingMaps:
    """What is within some seconds of a place. Who is, is told by candidates, never by these."""

    def __init__(self, model: EtaModel, most: int = STRETCHES_MOST) -> None:
        self._model = model
        self._most = most

    async def around(
        self, place: Point, travels: Sequence[Travel], rings_s: Sequence[int]
    ) -> list[Drawn]:
        """Return the rings of a place in WGS-84, the widest first.

        Raises:
            Invalid: there is more road in them than one answer may have.
        """
        wanted = [(t, s) for s in sorted(set(rings_s), reverse=True) for t in travels]
        model = self._model
        if not isinstance(model, RoadNetwork):
            straight = model if isinstance(model, StraightLine) else StraightLine()
            return [Drawn(t, s, _circle(straight, place, t, s)) for t, s in wanted]
        found, stretches = [], 0
        for travel, ring_s in wanted:
            edges = model.edges(place, Moves(travel), float(ring_s))
            stretches += 0 if edges is None else len(edges.segments)
            if stretches > self._most:
                raise Invalid("too many roads for one answer: ask for less", path="$.ring_s")
            found.append(edges)
            await asyncio.sleep(0)  # a search holds the loop for some milliseconds
        return await asyncio.to_thread(_draw, model, place, wanted, found)


def _draw(
    model: RoadNetwork,
    place: Point,
    wanted: Sequence[tuple[Travel, int]],
    found: Sequence[Edges | None],
) -> list[Drawn]:
    """Draw what was searched; where no road is near, a circle."""
    return [
        Drawn(
            t,
            s,
            _circle(model.fallback, place, t, s) if edges is None else ring(model.graph, edges),
        )
        for (t, s), edges in zip(wanted, found, strict=True)
    ]


def _circle(model: StraightLine, place: Point, travel: Travel, ring_s: int) -> Ring:
    return circle(place, model.radius_m(Moves(travel), float(ring_s)))
