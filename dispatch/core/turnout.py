"""How much longer some kinds of units take to set out than a guard at his post."""

from collections.abc import Mapping
from typing import Final

from schemas.unit import UnitKind

LATER_S: Final[Mapping[UnitKind, float]] = {
    UnitKind.SCHOOL: 15.0,
    UnitKind.KINDERGARTEN: 15.0,
    UnitKind.OFFICE: 15.0,
}
"""Seconds beyond `geo.eta.TURNOUT_S`, by kind; none for those that are not named.

Children have to be handed to a colleague, and whoever works in an office has to come down from it.
Assumptions, to be replaced by measured departures (accepted to en route, by kind).
"""


def later_s(kind: UnitKind) -> float:
    """Return how many seconds more than the usual turnout a kind of unit takes."""
    return LATER_S.get(kind, 0.0)
