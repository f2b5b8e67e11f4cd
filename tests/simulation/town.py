"""A few units around a square, in a store in memory: the place every schedule happens in."""

from typing import Final, NamedTuple

import shapely

from dispatch.auth import token_hash
from dispatch.store.memory import MemoryStore
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction
from geo.point import Point
from schemas.base import DeviceId, MemberId, UnitId
from schemas.unit import Capability, Device, Duty, Member, Unit, UnitKind
from tests.simulation.dice import Dice

SQUARE: Final = Point(113.45, 23.1)
ABOUT: Final = 1.5e-3
"""Degrees: a hundred metres or two, so that everybody is in everybody's ring."""


class Holder(NamedTuple):
    """Whose phone it is; its token is its device's name."""

    device: str
    member: str
    unit: str
    home: Point
    moves: Moves


async def settle_in(store: MemoryStore, dice: Dice) -> list[Holder]:
    """Register three or four units of one or two members; return who has a phone."""
    await store.put_jurisdictions(
        [Jurisdiction(path="gz", name="广州", polygon=shapely.box(113.0, 22.5, 114.0, 24.0))]
    )
    units, members, devices, holders = [], [], [], []
    for n in range(1, 4 + int(dice.between(0, 2))):
        crew = dice.pick((1, 1, 1, 2))
        unit = Unit(
            id=UnitId(f"u{n}"),
            code=f"U{n}",
            name=f"单元 {n}",
            kind=UnitKind.VILLAGE,
            juris="gz",
            lon=SQUARE.lon + dice.between(-ABOUT, ABOUT),
            lat=SQUARE.lat + dice.between(-ABOUT, ABOUT),
            moves=dice.pick((Moves.FOOT, Moves.MOTORBIKE)),
            capabilities=(Capability.AED, Capability.FIRST_AID),
            min_crew=dice.pick((1, crew)),
        )
        units.append(unit)
        for m in range(crew):
            name = f"{n}{'ab'[m]}"
            duty = dice.pick((Duty.ON, Duty.ON, Duty.ON, Duty.OFF))
            members.append(
                Member(
                    id=MemberId(f"m{name}"),
                    unit_id=unit.id,
                    name=name,
                    leader=m == 0,
                    duty=duty,
                )
            )
            devices.append(
                Device(
                    id=DeviceId(f"d{name}"),
                    unit_id=unit.id,
                    member_id=MemberId(f"m{name}"),
                    token_hash=token_hash(f"d{name}"),
                )
            )
            home = Point(unit.lon, unit.lat)
            holders.append(Holder(f"d{name}", f"m{name}", unit.id, home, unit.moves))
    await store.put_units(units)
    await store.put_members(members)
    await store.put_devices(devices)
    return holders
