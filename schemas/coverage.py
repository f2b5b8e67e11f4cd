"""How well a city is covered, and rings to be drawn: the answers of the REST API."""

from typing import Any, Literal

from geo.eta import Quality
from schemas.base import Instant
from schemas.rest import View


class CoverageSum(View, frozen=True, kw_only=True):
    """The grids of a jurisdiction: how many there are, and how many are covered.

    `within`: a free unit is inside the ring. `sure`: somebody arrives by then with 0.95, if all
    free units inside the ring were asked.
    """

    jurisdiction: str
    name: str
    grids: int
    within_180: int
    within_300: int
    sure_180: int
    sure_300: int


class CoverageView(View, frozen=True, kw_only=True):
    """The coverage of a jurisdiction and of the parts of it, as it was `age_s` ago.

    Every grid counts alike: how many people live in one is not known here. `pending` units have
    moved and are still counted where they stood, `straight_line_grids` have no road near.
    """

    at: Instant
    age_s: float
    quality: Quality
    free_units: int
    pending: int
    straight_line_grids: int
    total: CoverageSum
    parts: list[CoverageSum]
    next: str | None = None


class GridProperties(View, frozen=True, kw_only=True):
    """One grid: how many free units are inside each ring, and the chance of an arrival."""

    jurisdiction: str
    units_180: int
    units_300: int
    p_180: float
    p_300: float
    quality: Quality


class GridFeature(View, frozen=True, kw_only=True):
    """A grid as a feature of GeoJSON, in the datum asked for: the place inside it that is told."""

    properties: GridProperties
    geometry: dict[str, Any]
    type: Literal["Feature"] = "Feature"


class GridPage(View, frozen=True, kw_only=True):
    """Grids by path, as a FeatureCollection; `next` is the cursor of the following page."""

    at: Instant
    features: list[GridFeature]
    type: Literal["FeatureCollection"] = "FeatureCollection"
    next: str | None = None


Part = Literal["roads", "area"]


class RingProperties(View, frozen=True, kw_only=True):
    """Which ring a feature draws; `roads` are its streets, `area` is what lies along them."""

    travel: str
    ring_s: int
    part: Part
    quality: Quality


class RingFeature(View, frozen=True, kw_only=True):
    """A ring as a feature of GeoJSON, in the datum asked for."""

    properties: RingProperties
    geometry: dict[str, Any]
    type: Literal["Feature"] = "Feature"


class Rings(View, frozen=True, kw_only=True):
    """The rings of one place, widest first, so that they may be drawn one above the other."""

    features: list[RingFeature]
    type: Literal["FeatureCollection"] = "FeatureCollection"
