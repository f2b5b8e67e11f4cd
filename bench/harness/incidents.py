"""Incidents that are called in: where people are, one body after another; and decided at once."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bench.harness.serving import SEED
from dispatch.clock import SystemClock
from dispatch.core.decision import Actor, Context
from dispatch.core.plans import plan_for
from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from geo.city import City
from geo.datum import Datum
from geo.point import Point
from schemas.base import IncidentId
from schemas.incident import Incident, Status
from schemas.plan import IncidentKind

Body = dict[str, Any]
AT_ONCE: Final = 200
ACTOR: Final = Actor(by="bench", via="bench")
TITLE: Final = "bench"
PRIORITY: Final = 3


def bodies(city: City) -> Iterator[Body]:
    """Yield what to post to open an incident, for ever; the same ones in every run."""
    dice = np.random.default_rng(SEED)
    while True:
        for place in city.incident_places(dice, AT_ONCE):
            yield body_at(place.point)


def body_at(place: Point) -> Body:
    """Return what to post to open an incident at a place."""
    return {
        "kind": IncidentKind.THEFT,
        "priority": PRIORITY,
        "title": TITLE,
        "drill": False,
        "position": {"lon": place.lon, "lat": place.lat, "datum": "wgs84"},
    }


def incident(clock: SystemClock, city: City, place: Point) -> Incident:
    """Return an incident as the desk begins with one, reported now."""
    now, plan = clock.now(), plan_for(IncidentKind.THEFT, PRIORITY)
    return Incident(
        id=IncidentId(clock.new_id()),
        kind=IncidentKind.THEFT,
        priority=PRIORITY,
        lon=place.lon,
        lat=place.lat,
        given_lon=place.lon,
        given_lat=place.lat,
        given_datum=Datum.WGS84,
        juris=city.jurisdictions[0].path,
        title=TITLE,
        status=Status.REPORTED,
        called_at=now,
        opened_at=now,
        needs=plan.needs,
        ring_s=plan.ring_s,
    )


def context(clock: SystemClock, fleet: Fleet, about: Incident) -> Context:
    """Return what a decision about an incident is made with."""
    now = clock.now()
    return Context(
        now=now,
        actor=ACTOR,
        plan=plan_for(about.kind, about.priority),
        field=FleetField(fleet, Point(about.lon, about.lat), now.timestamp()),
        new_id=clock.new_id,
    )
