"""Where the units of a file belong: moved to WGS-84, each under its jurisdiction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dispatch.cli.texts import shown
from dispatch.cli.unit_words import Column
from dispatch.cli.units_file import PLACE, BadField, GivenUnit
from geo.datum import Datum, to_wgs84
from geo.jurisdiction import Jurisdiction, JurisdictionIndex, parse_path
from geo.point import Floats, Point

NOWHERE: Final = Point(float("nan"), float("nan"))
OUTSIDE: Final = "outside the city: no jurisdiction holds the place (is the datum right?)"


@dataclass(frozen=True, slots=True)
class PlacedUnit:
    """A unit with its home post, WGS-84, and its jurisdiction."""

    given: GivenUnit
    juris: str
    home: Point


class Places:
    """The jurisdictions that units are put under, found by path or by a name only one has."""

    def __init__(self, index: JurisdictionIndex) -> None:
        self._index = index
        counts = Counter(each.name for each in index)
        self._by_name = {each.name: each for each in index if counts[each.name] == 1}

    def put(
        self, units: Sequence[GivenUnit], datum: Datum
    ) -> tuple[list[PlacedUnit], list[BadField]]:
        """Return the units that have a place in the city, and what is wrong with the others."""
        placed: list[PlacedUnit] = []
        bad: list[BadField] = []
        homes = _moved(units, datum)
        under = self._index.deepest_many(homes[:, 0], homes[:, 1])
        for unit, home, found in zip(units, homes.tolist(), under, strict=True):
            try:
                placed.append(self._one(unit, Point(*home), found))
            except _BadPlaceError as error:
                bad.append(BadField(unit.where, error.field, error.reason))
        return placed, bad

    def _one(self, unit: GivenUnit, home: Point, found: str | None) -> PlacedUnit:
        """Take what the file says, the deepest jurisdiction where it says none."""
        given = None if unit.jurisdiction is None else self._named(unit.jurisdiction)
        if unit.place is None and given is not None:
            return PlacedUnit(unit, given.path, _middle(given))
        if found is None:
            raise _BadPlaceError(PLACE, OUTSIDE)
        if given is None:
            return PlacedUnit(unit, found, home)
        if _city(given.path) != _city(found):
            reason = f"{given.path} is in another city than the place, which is in {found}"
            raise _BadPlaceError(Column.JURISDICTION, reason)
        return PlacedUnit(unit, given.path, home)

    def _named(self, text: str) -> Jurisdiction:
        found = self._index.get(text) or self._by_name.get(text)
        if found is None:
            reason = f"there is no jurisdiction {shown(text)}, or there are several"
            raise _BadPlaceError(Column.JURISDICTION, reason)
        return found


class _BadPlaceError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def _moved(units: Sequence[GivenUnit], datum: Datum) -> Floats:
    """Return lon and lat of each, NaN where the file gives no place."""
    places = np.array([unit.place or NOWHERE for unit in units], dtype=np.float64).reshape(-1, 2)
    return np.column_stack(to_wgs84(places[:, 0], places[:, 1], datum))


def _middle(jurisdiction: Jurisdiction) -> Point:
    """Return a place well inside its ground."""
    inside = jurisdiction.polygon.representative_point()
    return Point(inside.x, inside.y)


def _city(path: str) -> str:
    return parse_path(path)[0]
