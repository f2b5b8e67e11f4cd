"""Who may use a way or pass a node, as far as its access tags say.

The rules:

- The most specific key that says anything decides: `bicycle` before `vehicle` before `access`.
- `access` alone may close a way to a travel but never opens one that the class keeps out: a footway
  with access=yes has no cars.
- What is private, or for residents, farmers and foresters only, is closed. What is open to those
  who have something to do there (destination, customers, delivery) is open: units have.
- A value that is not known says nothing.
- `key:forward` and `key:backward` hold for one direction, before `key`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from geo.roads.travel import Travel

Tags = Mapping[str, str]


class Access(StrEnum):
    """What tags say to one travel."""

    OPEN = "open"
    CLOSED = "closed"
    PUSHED = "pushed"
    """Open to those who get off and push."""
    UNTOLD = "untold"
    """Nothing: it is as usual for such a way."""


GENERAL: Final = "access"
# From the most specific key to the most general.
OWN_KEYS: Final[dict[Travel, tuple[str, ...]]] = {
    Travel.FOOT: ("foot",),
    Travel.BICYCLE: ("bicycle", "vehicle"),
    Travel.MOTORBIKE: ("motorcycle", "motor_vehicle", "vehicle"),
    Travel.CAR: ("motorcar", "motor_vehicle", "vehicle"),
}
FORWARD: Final = "forward"
BACKWARD: Final = "backward"
SIDES: Final = (FORWARD, BACKWARD)

MEANINGS: Final[dict[str, Access]] = {
    **dict.fromkeys(("yes", "designated", "permissive", "official", "public"), Access.OPEN),
    **dict.fromkeys(("destination", "customers", "delivery", "visitors"), Access.OPEN),
    **dict.fromkeys(("no", "private", "residents", "permit", "employees"), Access.CLOSED),
    **dict.fromkeys(("agricultural", "forestry", "agricultural;forestry"), Access.CLOSED),
    **dict.fromkeys(("military", "restricted", "emergency"), Access.CLOSED),
    # There is a way beside it, and it is on the map.
    "use_sidepath": Access.CLOSED,
    "dismount": Access.PUSHED,
}


def own(tags: Tags, travel: Travel, side: str = FORWARD) -> Access:
    """Return what the travel's own keys say, `access` left aside."""
    for key in OWN_KEYS[travel]:
        for name in (f"{key}:{side}", key):
            meaning = MEANINGS.get(tags.get(name, ""), Access.UNTOLD)
            if meaning is not Access.UNTOLD:
                return meaning
    return Access.UNTOLD


def told(tags: Tags, travel: Travel, side: str = FORWARD) -> Access:
    """Return what all keys say; `access` only closes."""
    mine = own(tags, travel, side)
    if mine is Access.UNTOLD and MEANINGS.get(tags.get(GENERAL, "")) is Access.CLOSED:
        return Access.CLOSED
    return mine
