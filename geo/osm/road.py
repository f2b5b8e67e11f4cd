"""A way's tags as a class of road and eight paces: four travels, along the way and against it."""

from typing import Final, NamedTuple

from geo.osm.access import SIDES, Access, Tags, told
from geo.osm.limit import limits
from geo.osm.oneway import directions
from geo.roads.classes import CLASS_OF, CLASSES, MUSCLES, NOBODY, RoadClass
from geo.roads.travel import TRAVELS, Travel

# Names that mean a class of ours. What is neither here nor there is no road, or none yet:
# construction, proposed, abandoned, raceway, via_ferrata, rest_area.
ALIASES: Final = {"road": "unclassified", "crossing": "footway", "platform": "footway"}
UNUSED: Final = ("abandoned", "disused", "demolished", "removed", "razed", "proposed")
STEPS: Final = CLASS_OF["steps"]

# All keys that change the answer.
KEYS: Final = frozenset(
    {
        *("highway", "area", "junction", "oneway", "conveying", "motorroad"),
        *("access", "foot", "bicycle", "vehicle", "motor_vehicle", "motorcycle", "motorcar"),
        *(f"{key}:{side}" for key in ("foot", "bicycle", "vehicle") for side in SIDES),
        *(f"{key}:{side}" for key in ("motor_vehicle", "motorcycle", "motorcar") for side in SIDES),
        *("oneway:foot", "oneway:bicycle", "oneway:vehicle", "oneway:motor_vehicle"),
        *("oneway:motorcycle", "oneway:motorcar"),
        *("cycleway", "cycleway:left", "cycleway:right", "cycleway:both", "cycleway:oneway"),
        *("cycleway:left:oneway", "cycleway:right:oneway", "cycleway:both:oneway"),
        *("maxspeed", "maxspeed:forward", "maxspeed:backward"),
        *UNUSED,
    }
)

Paces = tuple[tuple[float, float], ...]


class Road(NamedTuple):
    """What a way is to those who move."""

    road_class: int
    """Index of `CLASSES`."""
    mps: Paces
    """By travel: metres per second along the way and against it; 0 = closed."""


def road(tags: Tags) -> Road | None:
    """Return what the way is; None when it is no road, or one that nobody may use."""
    name = tags.get("highway", "")
    code = CLASS_OF.get(ALIASES.get(name, name))
    if code is None or tags.get("area") == "yes" or any(tags.get(k) == "yes" for k in UNUSED):
        return None
    mps = tuple(_mps(tags, code, travel) for travel in TRAVELS)
    return Road(code, mps) if any(map(any, mps)) else None


def _mps(tags: Tags, code: int, travel: Travel) -> tuple[float, float]:
    if code == STEPS and travel is not Travel.FOOT:
        return 0.0, 0.0
    road_class, (along, against) = CLASSES[code], directions(tags, travel)
    limit_along, limit_against = limits(tags)
    forward, backward = (_access(tags, road_class, travel, side) for side in SIDES)
    return (
        _pace(road_class, travel, forward, limit_along) * along,
        _pace(road_class, travel, backward, limit_against) * against,
    )


def _access(tags: Tags, road_class: RoadClass, travel: Travel, side: str) -> Access:
    said = told(tags, travel, side)
    if said is not Access.UNTOLD:
        return said
    kept_out = MUSCLES if tags.get("motorroad") == "yes" else NOBODY
    return Access.OPEN if travel in road_class.open_to - kept_out else Access.CLOSED


def _pace(road_class: RoadClass, travel: Travel, access: Access, limit: float | None) -> float:
    if access is Access.CLOSED:
        return 0.0
    return road_class.mps(Travel.FOOT if access is Access.PUSHED else travel, limit)
