"""What seconds on roads are multiplied with at an instant, by way of moving and class of road."""

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from geo.roads.classes import CLASSES
from geo.roads.travel import TRAVELS
from schemas.hours import DAYS, Hours, Spell

EVERY = "all"
_COLUMN = {each.name: column for column, each in enumerate(CLASSES)}


class UnknownClass(ValueError):
    """A class of road that no map has; the message names it."""


def check(hours: Hours) -> None:
    """Refuse classes that do not exist: a factor that never counts would be missed by nobody.

    Raises:
        UnknownClass: there is one.
    """
    named = {name for spell in hours.spells for t in TRAVELS for name in getattr(spell, t)}
    if unknown := sorted(named - _COLUMN.keys() - {EVERY}):
        raise UnknownClass(f"no class of road is called {', '.join(unknown)}")


def factors_at(hours: Hours, instant: datetime) -> NDArray[np.float64]:
    """Return the factors of an instant: a row a travel, a column a class; 1 where none is named."""
    local = instant + timedelta(hours=hours.utc_offset_h)
    factors = np.ones((len(TRAVELS), len(CLASSES)))
    for spell in hours.spells:
        if _holds(spell, DAYS[local.weekday()], f"{local:%H:%M}"):
            _apply(spell, factors)
    return factors


def _holds(spell: Spell, day: str, clock: str) -> bool:
    """Say whether a spell holds; one that ends before it begins goes on past midnight."""
    if spell.start < spell.to:
        return day in spell.days and spell.start <= clock < spell.to
    before = DAYS[DAYS.index(day) - 1]
    return (day in spell.days and clock >= spell.start) or (
        before in spell.days and clock < spell.to
    )


def _apply(spell: Spell, factors: NDArray[np.float64]) -> None:
    for row, travel in enumerate(TRAVELS):
        named = getattr(spell, travel)
        if EVERY in named:
            factors[row] = named[EVERY]
        for name in named.keys() - {EVERY}:
            factors[row, _COLUMN[name]] = named[name]
