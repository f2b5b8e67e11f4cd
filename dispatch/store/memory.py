"""The store in memory: the same promises as on disk, for simulations and tests."""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from dispatch.ports import Key
from dispatch.store.memory_canaries import MemoryCanaries
from dispatch.store.memory_checks import MemoryChecks
from dispatch.store.memory_decisions import MemoryDecisions
from dispatch.store.memory_history import MemoryHistory
from dispatch.store.memory_phones import MemoryPhones
from dispatch.store.memory_register import MemoryRegister
from dispatch.store.memory_sleepers import MemorySleepers
from dispatch.store.memory_time import MemoryTime
from dispatch.store.memory_units import MemoryUnits
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, Instant
from schemas.unit import Device, Member, Unit

_NUMBERS: Final = count(1)


class MemoryStore(
    MemoryDecisions,
    MemoryUnits,
    MemoryPhones,
    MemorySleepers,
    MemoryHistory,
    MemoryChecks,
    MemoryCanaries,
    MemoryRegister,
    MemoryTime,
):
    """Everything `dispatch.ports.Store` promises, but for outliving the process.

    No method waits, so each happens whole: no two decisions ever see half of one another.
    """

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._installation = f"{next(_NUMBERS):08x}"

    async def put_jurisdictions(self, jurisdictions: Iterable[Jurisdiction]) -> None:
        """Add or change jurisdictions."""
        self._places.update((place.path, place) for place in jurisdictions)
        self._registered += 1

    async def put_units(self, units: Iterable[Unit]) -> None:
        """Add units, or change those of the same id."""
        self._units.update((unit.id, unit) for unit in units)
        self._registered += 1

    async def put_members(self, members: Iterable[Member]) -> None:
        """Add members, with the duty they come with."""
        for member in members:
            if member.id not in self._members:
                self._crews.setdefault(member.unit_id, []).append(member.id)
            self._members[member.id] = member
        self._registered += 1

    async def put_devices(self, devices: Iterable[Device]) -> None:
        """Give members their phones; a member's earlier token opens nothing any more."""
        for device in devices:
            self._tokens.enrol(self._outbox.add(device), device.token_hash, self._now())
        self._registered += 1

    async def put_keys(self, keys: Iterable[Key]) -> None:
        """Add API keys."""
        self._keys.update((key.id, key) for key in keys)

    async def keys(self) -> list[Key]:
        """Return the API keys in force."""
        return list(self._keys.values())

    async def registered(self) -> int:
        """Return a number that grows whenever what is registered changes."""
        return self._registered

    async def jurisdictions(self) -> list[Jurisdiction]:
        """Return all jurisdictions, ordered by path."""
        return [place for _, place in sorted(self._places.items())]

    async def epoch(self) -> str:
        """Return what names this store's history."""
        return self._epoch

    async def installation(self) -> str:
        """Return what no two stores share."""
        return self._installation

    async def renew_epoch(self, epoch: str, device_id: DeviceId, seq: int) -> str:
        """Begin a new epoch after `epoch`, once, if a phone's `seq` was never given here.

        Return the one in force.
        """
        given = any(d.head >= seq for d in self._outbox.devices() if d.id == device_id)
        if epoch == self._epoch and not given:
            self._epoch = f"{epoch}+"
        return self._epoch
