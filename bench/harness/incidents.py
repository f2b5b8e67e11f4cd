"""Incidents that are called in: where people are, one body after another."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bench.harness.serving import SEED
from geo.city import City

Body = dict[str, Any]
AT_ONCE: Final = 200


def bodies(city: City) -> Iterator[Body]:
    """Yield what to post to open an incident, for ever; the same ones in every run."""
    dice = np.random.default_rng(SEED)
    while True:
        for place in city.incident_places(dice, AT_ONCE):
            yield {
                "kind": "theft",
                "priority": 3,
                "title": "bench",
                "drill": False,
                "position": {"lon": place.point.lon, "lat": place.point.lat, "datum": "wgs84"},
            }
