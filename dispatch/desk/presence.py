"""Which phones are here, in what situation, and the policy each is told by it."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from dispatch.core.hidden import is_hidden
from dispatch.desk.desk import Desk
from dispatch.ports import Identity
from schemas import wire
from schemas.base import DeviceId, MemberId, UnitId
from schemas.incident import AssignmentState
from schemas.unit import Duty, UnitState
from schemas.wire import Cadence, Close, Policy

OFF: Final = UnitState.OFF.value
FIXED: Final = "fixed"
ON_SCENE: Final = "on_scene"
RING: Final = "ring"
"""Free, and inside the ring of an incident that looks for units."""
CADENCES: Final[dict[str, Cadence]] = {
    OFF: Cadence(every_s=0, move_m=0, hb=30),
    UnitState.AVAILABLE.value: Cadence(every_s=60, move_m=50, hb=30),
    UnitState.PAUSED.value: Cadence(every_s=180, move_m=200, hb=30),
    UnitState.OFFERED.value: Cadence(every_s=3, move_m=10, hb=5),
    UnitState.ENGAGED.value: Cadence(every_s=3, move_m=10, hb=5),
    FIXED: Cadence(every_s=180, move_m=50, hb=30),
    ON_SCENE: Cadence(every_s=15, move_m=25, hb=5),
    RING: Cadence(every_s=10, move_m=25, hb=30),
}
POLICIES: Final = {s: Policy(state=CADENCES, s=s) for s in CADENCES}
AT_SCENE: Final = frozenset(
    {AssignmentState.ARRIVED, AssignmentState.CONTROLLED, AssignmentState.RESOLVED}
)


class Lane(Protocol):
    """What is said to phones outside their streams. Never waits."""

    def refresh(self, device_id: DeviceId, frame: wire.ServerFrame) -> None:
        """Say the latest of its kind."""

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Close every phone of a unit."""

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Close one phone, if it is here."""

    def resync(self) -> None:
        """Ask every phone to come again and take the state anew."""


class Presence:
    """The phones that are connected, by unit."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lane: Lane | None = None
        self._here: dict[UnitId, dict[DeviceId, Identity]] = {}
        self._told: dict[DeviceId, str] = {}
        self._duties: dict[DeviceId, Duty] = {}
        self._quiet: set[DeviceId] = set()
        self._modes: dict[DeviceId, wire.Activity] = {}
        self._online = 0

    def speak_through(self, lane: Lane) -> None:
        """Say what phones are told of through this lane from now on."""
        self._lane = lane

    # Coming and going. -----------------------------------------------------------------------

    def connected(self, identity: Identity) -> None:
        """Count a phone in."""
        self._here.setdefault(identity.unit_id, {})[identity.device_id] = identity
        self._told[identity.device_id] = self.situation(identity)
        self._duties[identity.device_id] = self._duty(identity)
        self._desk.fleet.connected(identity.unit_id, +1)
        self._count(identity, +1)

    def disconnected(self, identity: Identity) -> None:
        """Count a phone out."""
        self.quiet(identity, quiet=False)
        colleagues = self._here[identity.unit_id]
        del colleagues[identity.device_id]
        if not colleagues:
            del self._here[identity.unit_id]
        del self._told[identity.device_id]
        del self._duties[identity.device_id]
        self._modes.pop(identity.device_id, None)
        self._desk.fleet.connected(identity.unit_id, -1)
        self._count(identity, -1)

    def _count(self, identity: Identity, change: int) -> None:
        if is_hidden(identity.juris):
            return
        self._online += change
        self._desk.metrics.phones.set(self._online)

    def online(self) -> int:
        """Return how many phones are connected."""
        return self._online

    def barred(self, identity: Identity) -> Close | None:
        """Return the close of a phone that may not be here whatever its token."""
        unit = self._desk.fleet.unit(identity.unit_id)
        return Close.UNIT_DISABLED if unit is not None and unit.disabled else None

    def quiet(self, identity: Identity, *, quiet: bool) -> None:
        """Note that a connected phone was not heard in time, or is heard again."""
        if quiet is (identity.device_id in self._quiet):
            return
        (self._quiet.add if quiet else self._quiet.remove)(identity.device_id)
        self._desk.fleet.quiet(identity.unit_id, +1 if quiet else -1)

    def mode(self, identity: Identity, mode: wire.Mode) -> None:
        """Note what an app can do now, while it is here."""
        if identity.device_id in self._told:
            self._modes[identity.device_id] = mode.m

    def activity(self, device_id: DeviceId) -> wire.Activity | None:
        """Return what a phone's app can do now; `None` for one that is not connected."""
        if device_id not in self._told:
            return None
        return self._modes.get(device_id, wire.Activity.FOREGROUND)

    # What phones go by. ----------------------------------------------------------------------

    def situation(self, identity: Identity) -> str:
        """Return the key of the policy that a phone goes by now."""
        unit_id, board = identity.unit_id, self._desk.board
        if tasks := board.tasks_of(unit_id):
            at_scene = any(task.state in AT_SCENE for _, task in tasks)
            return ON_SCENE if at_scene else UnitState.ENGAGED.value
        duty = self._desk.roster.duty(unit_id, identity.member_id)
        if duty is not Duty.ON:
            return UnitState(duty).value
        if board.offers_to(unit_id):
            return UnitState.OFFERED.value
        if unit_id in self._desk.rings:
            return RING
        unit = self._desk.fleet.unit(unit_id)
        return FIXED if unit is not None and unit.fixed else UnitState.AVAILABLE.value

    def cadence(self, identity: Identity) -> Cadence:
        """Return how often a phone reports and lives in its present situation."""
        return CADENCES[self.situation(identity)]

    def policy(self, identity: Identity) -> Policy:
        """Return the policy for a phone in its present situation."""
        return POLICIES[self.situation(identity)]

    def changed(self, unit_ids: Iterable[UnitId]) -> None:
        """Tell the phones of units their policy, where their situation is another."""
        for unit_id in unit_ids:
            for identity in tuple(self._here.get(unit_id, {}).values()):
                self._tell(identity)
                self._follow_duty(identity)

    def _follow_duty(self, identity: Identity) -> None:
        """Let a phone come again whose member clocks on while its unit is asked or sent.

        What was sealed before was not for it, and what follows would be about the unknown.
        """
        before, now = self._duties[identity.device_id], self._duty(identity)
        self._duties[identity.device_id] = now
        if now is not Duty.ON or before is Duty.ON:
            return
        board, unit_id = self._desk.board, identity.unit_id
        if board.offers_to(unit_id) or (before is Duty.OFF and board.tasks_of(unit_id)):
            self.come_again(identity.device_id)

    def come_again(self, device_id: DeviceId) -> None:
        """Let a phone take the state anew, after the answer that it is being given now."""
        if self._lane is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._lane.close_device, device_id, Close.RESYNC)

    def come_again_to(self, unit_id: UnitId, member_id: MemberId) -> None:
        """Let the phone of a member take the state anew, where it is here."""
        for identity in tuple(self._here.get(unit_id, {}).values()):
            if identity.member_id == member_id:
                self.come_again(identity.device_id)

    def _duty(self, identity: Identity) -> Duty:
        return self._desk.roster.duty(identity.unit_id, identity.member_id)

    def _tell(self, identity: Identity) -> None:
        situation = self.situation(identity)
        if self._told[identity.device_id] == situation:
            return
        self._told[identity.device_id] = situation
        if self._lane is not None:
            self._lane.refresh(identity.device_id, POLICIES[situation])

    def locate(self, unit_ids: Iterable[UnitId]) -> None:
        """Ask the phones of units where they are; those that are not here are not asked."""
        for unit_id in unit_ids:
            for device_id in tuple(self._here.get(unit_id, {})):
                if self._lane is not None:
                    self._lane.refresh(device_id, wire.Locate())

    def registered(self) -> None:
        """Close the phones of units that are disabled."""
        for unit_id in tuple(self._here):
            unit = self._desk.fleet.unit(unit_id)
            if unit is not None and unit.disabled and self._lane is not None:
                self._lane.close_unit(unit_id, Close.UNIT_DISABLED)

    def resync(self) -> None:
        """Ask every phone to come again and take the state anew."""
        if self._lane is not None:
            self._lane.resync()
