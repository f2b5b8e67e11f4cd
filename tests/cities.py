"""The synthetic city that many tests begin with, built once a process."""

from functools import cache

from geo.city import City, build


@cache
def small_city(units: int, seed: int = 7) -> City:
    """Return a small city; nobody changes it, so all tests of a process share it."""
    return build(seed, units)
