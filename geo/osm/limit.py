"""The speed limit of a way, in km/h, from the many ways of writing it."""

import re
from typing import Final

from geo.osm.access import SIDES, Tags

UNITS_KMH: Final = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}
NUMBER: Final = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?([a-z/]*)")
# What a country's word for a kind of place stands for ("CN:urban"); limits differ by country only
# by some km/h, and less than traffic takes.
WORDS_KMH: Final = {
    "walk": 7.0,
    "living_street": 20.0,
    "urban": 50.0,
    "rural": 80.0,
    "trunk": 90.0,
    "motorway": 120.0,
    "none": 120.0,
}
ZONE: Final = re.compile(r"zone:?(\d{1,3})")
LEAST_KMH: Final = 5.0
MOST_KMH: Final = 130.0


def limits(tags: Tags) -> tuple[float | None, float | None]:
    """Return the limit along the way and against it; None where no sense can be made of it."""
    both = kmh(tags.get("maxspeed", ""))
    along, against = (kmh(tags.get(f"maxspeed:{side}", "")) for side in SIDES)
    return along or both, against or both


def kmh(text: str) -> float | None:
    """Return a limit in km/h, the first of several, kept between `LEAST_KMH` and `MOST_KMH`."""
    first = text.partition(";")[0].strip().lower()
    value = _number(first) or _word(first)
    return None if value is None else min(max(value, LEAST_KMH), MOST_KMH)


def _number(text: str) -> float | None:
    found = NUMBER.fullmatch(text)
    if found is None or found[2] not in UNITS_KMH:
        return None
    return float(found[1]) * UNITS_KMH[found[2]] or None


def _word(text: str) -> float | None:
    word = text.partition(":")[2] if ":" in text and not text.startswith("zone") else text
    zone = ZONE.fullmatch(word)
    return float(zone[1]) if zone else WORDS_KMH.get(word)
