"""In which directions each travel may use a way.

The rules:

- `oneway` binds wheels; walkers go both ways, unless `oneway:foot` or a moving stair says not.
- Roundabouts and motorways are one-way where they do not say otherwise.
- `oneway:bicycle`, `oneway:motorcycle` and the like overrule `oneway`, the most specific first.
- Bicycles ride against a one-way street that has a lane or track for them to do so.
- A reversible way (now one direction, now the other) is closed to wheels: nobody here knows which.
"""

from typing import Final, NamedTuple

from geo.osm.access import OWN_KEYS, Tags
from geo.roads.travel import Travel


class Directions(NamedTuple):
    """Whether one may go along the way as it is drawn, and against it."""

    along: bool
    against: bool


BOTH: Final = Directions(along=True, against=True)
ALONG: Final = Directions(along=True, against=False)
AGAINST: Final = Directions(along=False, against=True)
NEITHER: Final = Directions(along=False, against=False)

VALUES: Final[dict[str, Directions]] = {
    **dict.fromkeys(("yes", "true", "1"), ALONG),
    **dict.fromkeys(("-1", "reverse"), AGAINST),
    **dict.fromkeys(("no", "false", "0", "alternating"), BOTH),
    "reversible": NEITHER,
}
CONVEYING: Final = {"forward": ALONG, "backward": AGAINST}
ROUND: Final = frozenset({"roundabout", "circular"})
CYCLEWAYS: Final = ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both")
CYCLEWAY_ONEWAYS: Final = tuple(f"{key}:oneway" for key in CYCLEWAYS)
OPPOSITE: Final = "opposite"


def directions(tags: Tags, travel: Travel) -> Directions:
    """Return where the travel may go, as far as one-way rules say."""
    for key in OWN_KEYS[travel]:
        if (own := VALUES.get(tags.get(f"oneway:{key}", ""))) is not None:
            return own
    if travel is Travel.FOOT:
        return CONVEYING.get(tags.get("conveying", ""), BOTH)
    general = _general(tags)
    if travel is Travel.BICYCLE and general in {ALONG, AGAINST} and _contraflow(tags):
        return BOTH
    return general


def _general(tags: Tags) -> Directions:
    told = VALUES.get(tags.get("oneway", ""))
    if told is not None:
        return told
    implied = tags.get("junction") in ROUND or tags.get("highway") == "motorway"
    return ALONG if implied else BOTH


def _contraflow(tags: Tags) -> bool:
    """Tell whether a lane or track for bicycles runs against the one-way street."""
    if any(tags.get(key, "").startswith(OPPOSITE) for key in CYCLEWAYS):
        return True
    return any(tags.get(key) in {"no", "-1"} for key in CYCLEWAY_ONEWAYS)
