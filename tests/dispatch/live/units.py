"""Units at one scene, their fixes, and a fleet of them."""

from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.core.fixes import Fix
from dispatch.core.matching import Reason
from dispatch.live.fleet import GRACE_S, Fleet
from geo.eta import StraightLine
from geo.point import Point
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import Position, Unit, UnitKind, UnitRow
from tests.fakes import START

NOW_S: Final = START.timestamp()
LATER_S: Final = NOW_S + GRACE_S
SCENE: Final = Point(113.27, 23.13)
ANYBODY: Final = Need()
STEP: Final = 0.0005
"""About 50 m to the east."""


def uid(number: int) -> UnitId:
    """Return the id of unit n."""
    return UnitId(f"u{number}")


def row(number: int, *, lon: float = SCENE.lon, on_duty: int = 1, **facts: Any) -> UnitRow:
    """Return unit n at the scene; facts of the unit, or of its row."""
    of_row = {k: facts.pop(k) for k in list(facts) if k in UnitRow.__struct_fields__}
    unit = Unit(
        id=uid(number),
        code=f"U{number}",
        name=f"单元 {number}",
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=lon,
        lat=SCENE.lat,
    )
    return UnitRow(unit=replace(unit, **facts), on_duty=on_duty, **of_row)


def fleet(*rows: UnitRow) -> Fleet:
    """Return a fleet as it is after a start."""
    loaded = Fleet(StraightLine())
    loaded.load(rows, NOW_S)
    return loaded


def fix(at_s: float = NOW_S, lon: float = SCENE.lon, acc_m: float = 5.0) -> Fix:
    """Return a position at an instant."""
    return Fix(lon=lon, lat=SCENE.lat, acc_m=acc_m, at_s=at_s)


def position(number: int, at_s: float, lon: float) -> Position:
    """Return a position as the store keeps it."""
    at = datetime.fromtimestamp(at_s, UTC)
    return Position(unit_id=uid(number), lon=lon, lat=SCENE.lat, acc_m=5.0, at=at)


def entry(event: Event, number: int | None = 1, **data: Any) -> Entry:
    """Return a committed line about unit n."""
    unit_id = None if number is None else uid(number)
    return Entry(type=event, by="engine", via="engine", at=START, unit_id=unit_id, data=data)


def found(
    units: Fleet,
    need: Need = ANYBODY,
    ring_s: int = 300,
    excluded: frozenset[UnitId] = frozenset(),
    now_s: float = NOW_S,
    **more: int,
) -> tuple[list[UnitId], dict[Reason, int]]:
    """Return who may be asked at the scene, in order, and how many may not."""
    answer = units.find(units.reach(SCENE, now_s), need, ring_s, excluded, now_s, **more)
    return [c.unit_id for c in answer.candidates], answer.left_out
