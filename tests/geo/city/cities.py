"""Cities that several tests look at, each built once."""

from functools import cache

from geo.city import UNITS, City, build


@cache
def city_of(units: int = UNITS) -> City:
    """Return the city of seed 1, cut to so many units."""
    return build(seed=1, units=units)
