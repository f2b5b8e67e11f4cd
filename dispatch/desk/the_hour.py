"""Lets the roads be as fast as they are at this hour."""

from pathlib import Path

import msgspec

from dispatch.live.hours import check, factors_at
from dispatch.ports import Clock
from dispatch.settings import BadSetting
from geo.road_eta import RoadNetwork
from schemas.hours import Hours


def read_hours(path: Path) -> Hours:
    """Return a site's file of hours.

    Raises:
        BadSetting: it cannot be read, or says what cannot be.
    """
    try:
        hours = msgspec.toml.decode(path.read_bytes(), type=Hours)
        check(hours)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise BadSetting(f"KAPOK_ROAD_HOURS: {error}") from error
    return hours


class TheHour:
    """The site's own factors, followed by the clock; a search takes those of its minute."""

    def __init__(self, roads: RoadNetwork, hours: Hours, clock: Clock) -> None:
        self._roads = roads
        self._hours = hours
        self._clock = clock

    async def follow(self) -> None:
        """Take the factors of the present minute."""
        self._roads.set_factors(factors_at(self._hours, self._clock.now()))
