"""The synthetic city as one value, and where its incidents happen."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.random import Generator

from geo.city.plane import DECIMALS, Shapes
from geo.city.river import Bridge, River
from geo.city.unit import CityUnit
from geo.geojson import Area
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Flags, Floats, Point

BANK_SHARE: Final = 0.04
# About 250 m.
SCATTER_DEGREES: Final = 0.0025


class IncidentPlace(NamedTuple):
    """Where something may happen; on the bank it may be somebody in the water."""

    point: Point
    on_bank: bool


@dataclass(frozen=True)
class City:
    """A city made of nothing but a seed, whole or cut down to some units around its centre."""

    seed: int
    jurisdictions: tuple[Jurisdiction, ...]
    units: tuple[CityUnit, ...]
    river: River
    bridges: tuple[Bridge, ...]

    @cached_property
    def index(self) -> JurisdictionIndex:
        """Whose ground each place is."""
        return JurisdictionIndex(self.jurisdictions)

    @cached_property
    def ground(self) -> Area:
        """All that the jurisdictions cover, water included."""
        ground = self.jurisdictions[0].polygon
        shapely.prepare(ground)
        return ground

    def incident_places(self, rng: Generator, count: int) -> list[IncidentPlace]:
        """Return so many places, near units as people are; a few on the bank, none in the water."""
        on_bank = rng.random(count) < BANK_SHARE * bool(len(self._banks))
        places = np.empty((count, 2))
        places[on_bank] = self._on_banks(rng, int(on_bank.sum()))
        places[~on_bank] = self._near_units(rng, int((~on_bank).sum()))
        return [
            IncidentPlace(Point(*place), bank)
            for place, bank in zip(places.tolist(), on_bank.tolist(), strict=True)
        ]

    @cached_property
    def _banks(self) -> Shapes:
        """The lines where ground and water meet."""
        banks = shapely.intersection(self.river.water.boundary, self.ground)
        lines = shapely.get_parts(banks)
        return lines[shapely.length(lines) > 0.0]

    @cached_property
    def _homes(self) -> Floats:
        return np.array([unit.home for unit in self.units])

    def _on_banks(self, rng: Generator, count: int) -> Floats:
        if count == 0:
            return np.empty((0, 2))
        lengths = shapely.length(self._banks)
        picked = rng.choice(len(lengths), count, p=lengths / lengths.sum())
        at = rng.random(count) * lengths[picked]
        return shapely.get_coordinates(shapely.line_interpolate_point(self._banks[picked], at))

    def _near_units(self, rng: Generator, count: int) -> Floats:
        found = np.empty((0, 2))
        while (missing := count - len(found)) > 0:
            homes = self._homes[rng.integers(0, len(self._homes), missing)]
            tried = np.round(homes + rng.normal(0.0, SCATTER_DEGREES, homes.shape), DECIMALS)
            found = np.concatenate([found, tried[self._on_land(tried)]])
        return found

    def _on_land(self, places: Floats) -> Flags:
        dry: Flags = ~shapely.intersects_xy(self.river.water, places)
        return dry & shapely.contains_xy(self.ground, places)
