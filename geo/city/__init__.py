"""The synthetic city: a river, five levels of jurisdictions and 23,334 units, all from a seed."""

from geo.city.build import BadCityError, build
from geo.city.city import City, IncidentPlace
from geo.city.river import Bridge, River
from geo.city.unit import UNITS, CityUnit

__all__ = [
    "UNITS",
    "BadCityError",
    "Bridge",
    "City",
    "CityUnit",
    "IncidentPlace",
    "River",
    "build",
]
