"""Puts the synthetic city into the store, with a phone for each unit on duty."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from dispatch.auth import DEVICE_PREFIX, token_hash
from dispatch.clock import new_token
from dispatch.store.registry import IssuedDevice, Registry
from geo.city import City, CityUnit
from geo.eta import Moves
from schemas.base import DeviceId, MemberId, Record, UnitId
from schemas.unit import Capability, Member, Unit, UnitKind

Row = TypeVar("Row")
Progress = Callable[[str, int, int], None]
STEP: Final = 5_000
"""Rows between two looks at the progress."""


class IssuedPhone(Record, frozen=True, kw_only=True):
    """A simulated phone: the token it opens the socket with, and where its unit stands."""

    device: DeviceId
    token: str
    unit: UnitId
    lon: float
    lat: float
    moves: Moves


async def register(
    registry: Registry, city: City, phones: int, new_id: Callable[[], str], progress: Progress
) -> list[IssuedPhone]:
    """Register a city whose first `phones` units are on duty; return their phones.

    A unit that is there already keeps its id and its members; phones get new tokens each time.
    """
    await registry.put_jurisdictions(city.jurisdictions)
    progress("jurisdictions", len(city.jurisdictions), len(city.jurisdictions))
    known = await registry.unit_ids()
    units = [_unit(u, known.get(u.code) or UnitId(new_id())) for u in city.units]
    for done, some in _steps(units):
        await registry.put_units(some)
        progress("units", done, len(units))
    leads = await _crews(registry, city, units, new_id, progress)
    on_duty = units[:phones]
    await registry.set_duties(leads[u.id] for u in on_duty)
    issued = [_phone(u, new_id) for u in on_duty]
    rows = [_device(p, leads[p.unit]) for p in issued]
    for done, part in _steps(rows):
        await registry.put_devices(part)
        progress("phones", done, len(rows))
    await registry.analyze()
    ids = await registry.device_ids()
    return [_known_as(p, ids[leads[p.unit]]) for p in issued]


async def _crews(
    registry: Registry,
    city: City,
    units: list[Unit],
    new_id: Callable[[], str],
    progress: Progress,
) -> dict[UnitId, MemberId]:
    """Add the crews of units that have none yet; return each unit's leader."""
    leads = {m.unit_id: m.id for m in await registry.members() if m.leader}
    new = [
        member
        for source, unit in zip(city.units, units, strict=True)
        if unit.id not in leads
        for member in _members(source, unit, new_id)
    ]
    for done, some in _steps(new):
        await registry.put_members(some)
        progress("members", done, len(new))
    return leads | {m.unit_id: m.id for m in new if m.leader}


def _unit(source: CityUnit, unit_id: UnitId) -> Unit:
    return Unit(
        id=unit_id,
        code=source.code,
        name=source.name,
        kind=UnitKind(source.kind),
        juris=source.jurisdiction,
        lon=source.home.lon,
        lat=source.home.lat,
        moves=source.moves,
        capabilities=tuple(Capability(c) for c in source.capabilities),
        min_crew=source.min_crew,
    )


def _members(source: CityUnit, unit: Unit, new_id: Callable[[], str]) -> list[Member]:
    return [
        Member(id=MemberId(new_id()), unit_id=unit.id, name=name, leader=place == 0)
        for place, name in enumerate(source.crew)
    ]


def _phone(unit: Unit, new_id: Callable[[], str]) -> IssuedPhone:
    return IssuedPhone(
        device=DeviceId(new_id()),
        token=new_token(DEVICE_PREFIX),
        unit=unit.id,
        lon=unit.lon,
        lat=unit.lat,
        moves=unit.moves,
    )


def _device(phone: IssuedPhone, member: MemberId) -> IssuedDevice:
    return IssuedDevice(
        id=phone.device, unit_id=phone.unit, member_id=member, token_hash=token_hash(phone.token)
    )


def _known_as(phone: IssuedPhone, device: DeviceId) -> IssuedPhone:
    """Return the phone under the id its member's device already had."""
    return IssuedPhone(
        device=device,
        token=phone.token,
        unit=phone.unit,
        lon=phone.lon,
        lat=phone.lat,
        moves=phone.moves,
    )


def _steps(rows: list[Row]) -> Iterator[tuple[int, list[Row]]]:
    for start in range(0, len(rows), STEP):
        some = rows[start : start + STEP]
        yield start + len(some), some
