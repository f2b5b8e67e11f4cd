"""Arrival times that somebody else reckoned, for the few units he was asked about."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from dispatch.live.fleet import Fleet
from dispatch.live.near import Near
from geo.eta import StraightLine
from geo.point import Point
from geo.standing import Quality, Reach, Rows
from schemas.base import UnitId


class Told(NamedTuple):
    """Who says so of which place: ETA (turnout included) and metres of each unit asked about."""

    by: str
    place: Point
    ways: Mapping[UnitId, tuple[float, float]]

    def near(self, fleet: Fleet) -> Near:
        """Return the told ways as a reach; all other units are out of it."""
        known = dict(_rows(fleet, self.ways))
        rows = np.array(sorted(known), np.int64)
        eta_s, distance_m = np.array([known[row] for row in rows.tolist()]).reshape(-1, 2).T
        reach = Reach(eta_s, distance_m, Quality.NETWORK)
        limit_s = float(eta_s.max(initial=0.0))
        return Near(len(fleet), lambda _: (rows, reach), limit_s)


def _rows(
    fleet: Fleet, ways: Mapping[UnitId, tuple[float, float]]
) -> Iterator[tuple[int, tuple[float, float]]]:
    for unit_id, way in ways.items():
        row = fleet.row(unit_id)
        if row is not None:
            yield row, way


def straight(fleet: Fleet, place: Point, now_s: float, limit_s: float) -> Near:
    """Return who is near as the crow flies, whatever the fleet itself goes by."""
    footing, model = fleet.footing(now_s), StraightLine()
    rows = np.arange(len(fleet))

    def search(within_s: float) -> tuple[Rows, Reach]:
        return rows, model.etas(place, footing.lons, footing.lats, footing.moves, within_s)

    return Near(len(fleet), search, limit_s)
