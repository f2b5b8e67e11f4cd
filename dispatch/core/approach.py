"""How near a unit has come to a scene, as its fixes tell: set out, and there.

After section 9 of the protocol, with what a fix cannot tell left out: a step towards the scene
counts where it is longer than the fixes are inaccurate, and nobody arrives by a fix that could be a
street away (`ACC_MOST_M`).
"""

from typing import Final

from msgspec.structs import replace

from dispatch.core.fixes import Fix
from geo.distance import metres
from geo.point import Point
from schemas.base import Record
from schemas.incident import AssignmentState
from schemas.wire import Reached

MOVED_M: Final = 50.0
THERE_M: Final = 50.0
THERE_FOR_S: Final = 10.0
ACC_MOST_M: Final = 50.0


class Approach(Record, frozen=True, kw_only=True):
    """One unit's way to one place: how far it began, how wrong that was, and since when there."""

    place: Point
    began_m: float
    acc_m: float
    there_since_s: float | None = None


def followed(known: Approach | None, place: Point, fix: Fix) -> Approach:
    """Return the way with one more fix; it begins anew where the place is another."""
    away_m = metres(place, Point(fix.lon, fix.lat))
    if known is None or known.place != place:
        known = Approach(place=place, began_m=away_m, acc_m=fix.acc_m)
    there = fix.acc_m <= ACC_MOST_M and away_m <= THERE_M + fix.acc_m
    since_s = known.there_since_s if known.there_since_s is not None else fix.at_s
    return replace(known, there_since_s=since_s if there else None)


def reached(way: Approach, state: AssignmentState, fix: Fix) -> Reached | None:
    """Return the step that the newest fix of a way proves, where the unit has not taken it."""
    if state not in (AssignmentState.ASSIGNED, AssignmentState.EN_ROUTE):
        return None
    if way.there_since_s is not None and fix.at_s - way.there_since_s >= THERE_FOR_S:
        return Reached.ARRIVED
    nearer_m = way.began_m - metres(way.place, Point(fix.lon, fix.lat))
    moved = nearer_m > MOVED_M + max(way.acc_m, fix.acc_m)
    return Reached.EN_ROUTE if moved and state is AssignmentState.ASSIGNED else None
