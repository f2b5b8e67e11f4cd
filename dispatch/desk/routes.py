"""Asks another router, where a site has one, how long the nearest units would take."""

from collections.abc import Awaitable, Iterable, Iterator
from itertools import zip_longest
from math import isfinite
from typing import Final, NamedTuple, TypeVar

import structlog

from dispatch.core.hidden import is_hidden
from dispatch.core.turnout import later_s
from dispatch.live.fleet import REACH_S, Fleet
from dispatch.live.told import Told, straight
from dispatch.ports import Clock, Leg, Router, RouterAway, Start
from dispatch.telemetry import Metrics
from geo.distance import metres
from geo.eta import PACES, TURNOUT_S, Quality
from geo.point import Point
from schemas.base import UnitId
from schemas.incident import Case, Incident

log = structlog.get_logger()
T = TypeVar("T")

ASKED_MOST: Final = 20
"""Units of one need: the nearest as the crow flies are asked about."""
STARTS_MOST: Final = 100


class DrawnWay(NamedTuple):
    """The way of one unit to a place, in WGS-84, and how long it takes with its turnout.

    `by`: the router that told it; None for a straight line.
    """

    line: tuple[Point, ...]
    eta_s: float
    distance_m: float
    quality: Quality
    by: str | None = None


class Routes:
    """A router beside our own roads. Whatever it does not say in time, the fleet says itself."""

    def __init__(self, *, fleet: Fleet, clock: Clock, metrics: Metrics) -> None:
        self._fleet = fleet
        self._clock = clock
        self._metrics = metrics
        self._router: Router | None = None

    def ask(self, router: Router) -> None:
        """Ask this router from now on."""
        self._router = router

    async def told(
        self, incident: Incident, case: Case | None, named: UnitId | None = None
    ) -> Told | None:
        """Return what the router says of those who may be sent; None where it says nothing.

        Asked about are the nearest free units of each need, the one that a person names, and those
        who hold the incident or were asked for it, so that all who are compared are compared by
        the same word. Nothing is asked for an incident of the service's own.
        """
        if self._router is None or is_hidden(incident.juris):
            return None
        now_s = self._clock.now().timestamp()
        place = Point(incident.lon, incident.lat)
        chosen = self._chosen(incident, case, named, now_s)
        if not chosen:
            return None
        starts = [self._start(unit_id, now_s) for unit_id in chosen]
        legs = await self._heard(self._router, self._router.legs(place, starts))
        return (
            None if legs is None else Told(self._router.name, place, dict(self._ways(chosen, legs)))
        )

    async def way(self, unit_id: UnitId, place: Point) -> DrawnWay:
        """Return the way of a known unit to a place: the router's, else a straight line."""
        start = self._start(unit_id, self._clock.now().timestamp())
        turnout_s = self._turnout_s(unit_id)
        if self._router is None:
            return straight_way(start, place, turnout_s)
        way = await self._heard(self._router, self._router.way(start, place))
        if way is None:
            return straight_way(start, place, turnout_s)
        eta_s = turnout_s + way.leg.seconds
        return DrawnWay(way.line, eta_s, way.leg.metres, Quality.NETWORK, self._router.name)

    async def _heard(self, router: Router, question: Awaitable[T]) -> T | None:
        """Wait for what a router says, and count it; None where it says nothing of use."""
        try:
            said = await question
        except RouterAway as away:
            self._metrics.routed.labels("away").inc()
            log.info("router_away", router=router.name, why=str(away))
            return None
        self._metrics.routed.labels("answered").inc()
        return said

    def _chosen(
        self, incident: Incident, case: Case | None, named: UnitId | None, now_s: float
    ) -> list[UnitId]:
        """Return whom to ask about: those concerned first, then the nearest of needs in turn."""
        given = () if named is None else (named,)
        held = [a.unit_id for a in case.assignments if a.ended_at is None] if case else []
        asked = [offer.unit_id for offer in case.offers] if case else []
        near = straight(self._fleet, Point(incident.lon, incident.lat), now_s, REACH_S)
        barred = frozenset(asked) | frozenset(held) | self._fleet.hidden
        nearest = (
            self._fleet.find(near, need, round(REACH_S), barred, now_s, ASKED_MOST).candidates
            for need in incident.needs
        )
        found = (c.unit_id for turn in zip_longest(*nearest) for c in turn if c is not None)
        ours = self._fleet.hidden
        known = (u for u in (*given, *held, *asked, *found) if u in self._fleet and u not in ours)
        return list(dict.fromkeys(known))[:STARTS_MOST]

    def _start(self, unit_id: UnitId, now_s: float) -> Start:
        unit = self._fleet.unit(unit_id)
        assert unit is not None, "only known units are chosen"  # noqa: S101 - see _chosen
        return Start(self._fleet.standing(unit_id, now_s).place, unit.moves)

    def _turnout_s(self, unit_id: UnitId) -> float:
        unit = self._fleet.unit(unit_id)
        return TURNOUT_S + (later_s(unit.kind) if unit else 0.0)

    def _ways(
        self, chosen: Iterable[UnitId], legs: Iterable[Leg]
    ) -> Iterator[tuple[UnitId, tuple[float, float]]]:
        """Yield the ETA and the metres of those who have a way."""
        for unit_id, leg in zip(chosen, legs, strict=True):
            if isfinite(leg.seconds):
                yield unit_id, (self._turnout_s(unit_id) + leg.seconds, leg.metres)


def straight_way(start: Start, place: Point, turnout_s: float = TURNOUT_S) -> DrawnWay:
    """Return the straight line to a place, reckoned with the usual detour and speed."""
    pace = PACES[start.moves]
    road_m = float(metres(start.place, place)) * pace.detour
    eta_s = turnout_s + road_m / pace.speed_mps
    return DrawnWay((start.place, place), eta_s, road_m, Quality.STRAIGHT_LINE)
