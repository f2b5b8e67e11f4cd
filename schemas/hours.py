"""How fast roads are at which hour: a site's own file, in TOML."""

from typing import Annotated, Final

import msgspec

from schemas.base import Record

CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Factor = Annotated[float, msgspec.Meta(ge=0.2, le=10.0)]
"""What seconds are multiplied with: 1.5 is half as long again."""
OfClass = dict[str, Factor]
Day = Annotated[str, msgspec.Meta(pattern="^(mon|tue|wed|thu|fri|sat|sun)$")]
Clock = Annotated[str, msgspec.Meta(pattern=CLOCK)]


class Spell(
    Record, frozen=True, kw_only=True, rename={"start": "from"}, forbid_unknown_fields=True
):
    """Some hours of some days; what it names counts then. A class called `all` is every class."""

    start: Clock
    to: Clock
    days: tuple[Day, ...] = DAYS
    foot: OfClass = {}
    bicycle: OfClass = {}
    motorbike: OfClass = {}
    car: OfClass = {}


class Hours(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The spells of a week, by the site's own clock; a later one goes before an earlier one."""

    utc_offset_h: Annotated[float, msgspec.Meta(ge=-12.0, le=14.0)] = 8.0
    spells: Annotated[list[Spell], msgspec.Meta(max_length=200)] = []
