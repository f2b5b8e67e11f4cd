"""Asks another router, where a site has one, how long the nearest units would take."""

from collections.abc import Iterable
from math import isfinite
from typing import Final

import structlog

from dispatch.live.fleet import REACH_S, Fleet
from dispatch.live.told import Told, straight
from dispatch.ports import Clock, Leg, Router, RouterAway, Start, Way
from dispatch.telemetry import Metrics
from geo.eta import TURNOUT_S
from geo.point import Point
from schemas.base import UnitId
from schemas.incident import Case, Incident

log = structlog.get_logger()

ASKED_MOST: Final = 20
"""Units of one need: the nearest as the crow flies are asked about."""
STARTS_MOST: Final = 100


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

    async def told(self, incident: Incident, case: Case | None) -> Told | None:
        """Return what the router says of those who may be sent; None where it says nothing.

        Asked about are the nearest free units of each need, and those who hold the incident or
        were asked for it, so that all who are compared are compared by the same word.
        """
        if self._router is None:
            return None
        now_s = self._clock.now().timestamp()
        place = Point(incident.lon, incident.lat)
        chosen = self._chosen(incident, case, place, now_s)
        starts = [self._start(unit_id, now_s) for unit_id in chosen]
        try:
            legs = await self._router.legs(place, starts) if starts else []
        except RouterAway as away:
            self._metrics.routed.labels("away").inc()
            log.info("router_away", router=self._router.name, why=str(away))
            return None
        self._metrics.routed.labels("answered").inc()
        return Told(self._router.name, place, dict(_ways(chosen, legs)))

    async def way(self, unit_id: UnitId, place: Point) -> Way | None:
        """Return the line a unit would take to a place; None where nobody can tell it."""
        if self._router is None:
            return None
        try:
            return await self._router.way(
                self._start(unit_id, self._clock.now().timestamp()), place
            )
        except RouterAway:
            self._metrics.routed.labels("away").inc()
            return None

    def _chosen(
        self, incident: Incident, case: Case | None, place: Point, now_s: float
    ) -> list[UnitId]:
        """Return whom to ask about: those concerned first, then the nearest of every need."""
        held = [a.unit_id for a in case.assignments if a.ended_at is None] if case else []
        asked = [offer.unit_id for offer in case.offers] if case else []
        near = straight(self._fleet, place, now_s, REACH_S)
        barred = frozenset(asked) | frozenset(held) | self._fleet.hidden
        found = (
            candidate.unit_id
            for need in incident.needs
            for candidate in self._fleet.find(
                near, need, round(REACH_S), barred, now_s, ASKED_MOST
            ).candidates
        )
        known = (unit_id for unit_id in (*held, *asked, *found) if unit_id in self._fleet)
        return list(dict.fromkeys(known))[:STARTS_MOST]

    def _start(self, unit_id: UnitId, now_s: float) -> Start:
        unit = self._fleet.unit(unit_id)
        assert unit is not None, "only known units are chosen"  # noqa: S101 - see _chosen
        return Start(self._fleet.standing(unit_id, now_s).place, unit.moves)


def _ways(
    chosen: Iterable[UnitId], legs: Iterable[Leg]
) -> Iterable[tuple[UnitId, tuple[float, float]]]:
    """Yield the ETA and the metres of those who have a way."""
    for unit_id, leg in zip(chosen, legs, strict=True):
        if isfinite(leg.seconds):
            yield unit_id, (TURNOUT_S + leg.seconds, leg.metres)
