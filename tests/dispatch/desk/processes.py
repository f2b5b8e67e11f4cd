"""Stations on one bus over one store: each a process, with what its hub is told."""

import asyncio
from collections.abc import Awaitable, Callable

from dispatch.bus.local import LocalBus
from dispatch.desk.peers import Peers
from dispatch.ports import Identity, Node, NodeId
from schemas import wire
from schemas.base import DeviceId, UnitId
from tests.dispatch.desk.station import Station
from tests.fakes import ManualClock

PREFIX = "kapok.test"


class Sockets:
    """What a hub is told beside frames."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.sweeps = 0
        self.replacements: list[tuple[str, str]] = []
        self.late: list[tuple[str, int]] = []
        self.resyncs = 0

    def caught_up(self) -> None:
        """Note a sweep."""
        self.sweeps += 1

    def refresh(self, device_id: DeviceId, frame: wire.ServerFrame) -> None:
        """Leave it."""

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Note a unit cut off."""
        self._station.lane.close_unit(unit_id, code)

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Note a phone cut off."""
        self._station.lane.close_device(device_id, code)

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Note a phone that is elsewhere now."""
        self.replacements.append((device_id, inst))

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Note a row found out late."""
        self.late.append((device_id, seq))

    def resync(self) -> None:
        """Note that all phones were asked to come again."""
        self.resyncs += 1


class Process:
    """A station on a bus."""

    def __init__(
        self, station: Station, clock: ManualClock, bus: LocalBus, *, dead: bool, join_s: float
    ) -> None:
        self.station, self.bus = station, bus
        self.desk, self.phones = station.desk, station.phones
        self.sockets = Sockets(station)
        self.phones.presence.speak_through(self.sockets)
        self.node = Node(
            id=NodeId(clock.new_id()), host="here", pid=1, started_at=clock.now(), build="1"
        )
        self.peers = Peers(
            self.desk,
            self.phones,
            self.sockets,
            bus=bus,
            node=self.node,
            prefix=PREFIX,
            dead=lambda _: dead,
            join_s=join_s,
        )

    async def holds(self, unit_id: str, inst: str = "i1") -> Identity:
        """Let the phone of a unit say hello here, and tell the others."""
        identity = await self.station.phone(unit_id)
        self.phones.connected(identity, inst)
        await self.peers.speak()
        await self.peers.bind()
        return identity

    def pushed(self) -> list[tuple[str, int]]:
        """Return the frames handed to phones here: whose, and which."""
        return [(row.device_id, row.seq) for row in self.station.lane.pushed]


Begin = Callable[..., Awaitable[Process]]


async def settled() -> None:
    """Let everything that was said be heard."""
    for _ in range(20):
        await asyncio.sleep(0)


async def missed(here: Process, there: Process) -> None:
    """Let a process notice by a pulse that it missed something, and do about it what it does."""
    there.bus.heal()
    await here.peers.pulse()
    await settled()
    await there.peers.look()
    await settled()
