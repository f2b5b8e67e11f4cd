"""Which phones are here or elsewhere, in what situation, and the policy each is told by it."""

import asyncio
from collections.abc import Container, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from dispatch.core.hidden import is_hidden
from dispatch.desk import words
from dispatch.desk.desk import Desk
from dispatch.live.elsewhere import Change, Elsewhere, There
from dispatch.ports import Binding, Identity, NodeId
from schemas import wire
from schemas.base import DeviceId, Instant, MemberId, UnitId, ms
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

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Close one phone that has said hello elsewhere, in this life of its app."""

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Ask one phone to come again whose welcome stood at this seq, or above, without it."""

    def resync(self) -> None:
        """Ask every phone to come again and take the state anew."""


class Hello(NamedTuple):
    """When a phone said hello here, and in which life of its app.

    `doubt`: after which reading its head had come here before what it stands for; None if it had
    not.
    """

    at: Instant
    inst: str
    doubt: int | None


class Presence:
    """The phones that are connected, by unit, to this process or another."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lane: Lane | None = None
        self._here: dict[UnitId, dict[DeviceId, Identity]] = {}
        self._told: dict[DeviceId, str] = {}
        self._duties: dict[DeviceId, Duty] = {}
        self._quiet: set[DeviceId] = set()
        self._modes: dict[DeviceId, wire.Activity] = {}
        self._hellos: dict[DeviceId, Hello] = {}
        self._online = 0
        self._elsewhere = Elsewhere()
        self._news: dict[DeviceId, UnitId] = {}
        self._unbound: set[DeviceId] = set()
        self._sure = 0

    def speak_through(self, lane: Lane) -> None:
        """Say what phones are told of through this lane from now on."""
        self._lane = lane

    # Coming and going. -----------------------------------------------------------------------

    def connected(self, identity: Identity, inst: str = "") -> None:
        """Count a phone in; it is nowhere else from now on."""
        self._count_elsewhere(self._elsewhere.forget(identity.device_id))
        doubt = self._desk.roster.doubt(identity.device_id)
        self._hellos[identity.device_id] = Hello(self._desk.clock.now(), inst, doubt)
        self._unbound.add(identity.device_id)
        self._tell_others(identity)
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
        del self._hellos[identity.device_id]
        self._modes.pop(identity.device_id, None)
        self._tell_others(identity)
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
        self._tell_others(identity)

    def mode(self, identity: Identity, mode: wire.Mode) -> None:
        """Note what an app can do now, while it is here."""
        if identity.device_id in self._told:
            self._modes[identity.device_id] = mode.m
            self._tell_others(identity)

    def activity(self, device_id: DeviceId) -> wire.Activity | None:
        """Return what a phone's app can do now; `None` for one that is connected nowhere."""
        if device_id not in self._told:
            there = self._elsewhere.find(device_id)
            return there.activity if there else None
        return self._modes.get(device_id, wire.Activity.FOREGROUND)

    # What other processes know, and are told. ------------------------------------------------

    def held_elsewhere(self, node_id: NodeId, phone: words.Phone) -> None:
        """Take that another process holds a phone; the older of two sockets is closed."""
        mine = self._hellos.get(phone.device_id)
        if mine is not None:
            if ms(mine.at) >= phone.at_ms:
                return
            if self._lane is not None:
                self._lane.replaced(phone.device_id, phone.inst)
        self._count_elsewhere(self._elsewhere.put(node_id, phone.device_id, _there(phone)))

    def left_elsewhere(self, node_id: NodeId, device_id: DeviceId) -> None:
        """Take that another process holds a phone no more."""
        self._count_elsewhere(self._elsewhere.forget(device_id, node_id))

    def all_elsewhere(
        self,
        node_id: NodeId,
        phones: Iterable[words.Phone],
        but: Container[DeviceId] = frozenset(),
    ) -> None:
        """Take all the phones that another process holds; none, where it has ended.

        `but`: of whom something newer is known.
        """
        given = [phone for phone in phones if phone.device_id not in but]
        named = {phone.device_id: _there(phone) for phone in given}
        kept = {d: t for d, t in named.items() if d not in self._hellos}
        self._count_elsewhere(self._elsewhere.replace(node_id, kept, but))
        for phone in given:
            if phone.device_id in self._hellos:
                self.held_elsewhere(node_id, phone)

    def holders(self, device_ids: Iterable[DeviceId]) -> dict[NodeId, list[DeviceId]]:
        """Return which other processes hold which of these phones."""
        return self._elsewhere.holders(device_ids)

    def since(self, device_id: DeviceId) -> float | None:
        """Return since when another process holds a phone, None where none does."""
        there = self._elsewhere.find(device_id)
        return there.at_ms if there else None

    def _count_elsewhere(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.online:
                self._desk.fleet.connected(change.unit_id, change.online)
            if change.quiet:
                self._desk.fleet.quiet(change.unit_id, change.quiet)

    def _recount(self) -> None:
        """Count the phones of all units anew: some may have come before their unit was known."""
        here = [(unit_id, d in self._quiet) for unit_id, ds in self._here.items() for d in ds]
        there = [(one.unit_id, one.quiet) for one in self._elsewhere]
        self._desk.fleet.recount(here + there)

    def _tell_others(self, identity: Identity) -> None:
        self._news[identity.device_id] = identity.unit_id

    def news(self) -> tuple[list[words.Phone], list[DeviceId]]:
        """Return phones that are others than was told, and those that left; told with that."""
        news, self._news = self._news, {}
        here = [self._phone(d, unit_id) for d, unit_id in news.items() if d in self._hellos]
        return here, [device_id for device_id in news if device_id not in self._hellos]

    def held(self, after: DeviceId | None, most: int) -> list[words.Phone]:
        """Return phones that are here above an id, in their order."""
        units = {d: unit_id for unit_id, here in self._here.items() for d in here}
        ids = sorted(d for d in units if after is None or d > after)
        return [self._phone(d, units[d]) for d in ids[:most]]

    def has(self, device_id: DeviceId) -> bool:
        """Say whether a phone is connected here."""
        return device_id in self._hellos

    def unbound(self) -> list[Binding]:
        """Return the phones whose hello is not written down yet; it is being, from now on."""
        fresh, self._unbound = self._unbound, set()
        return [Binding(device_id=d, at=self._hellos[d].at) for d in fresh if d in self._hellos]

    def bind_again(self, bindings: Iterable[Binding]) -> None:
        """Write these down with the next ones: it could not be done."""
        self._unbound |= {b.device_id for b in bindings}

    def moved(self, bindings: Sequence[Binding]) -> None:
        """Close the phones that are bound elsewhere, later than they said hello here."""
        for binding in bindings:
            mine = self._hellos.get(binding.device_id)
            if mine is not None and mine.at <= binding.at and self._lane is not None:
                self._lane.close_device(binding.device_id, Close.MOVED)

    def _phone(self, device_id: DeviceId, unit_id: UnitId) -> words.Phone:
        hello = self._hellos[device_id]
        return words.Phone(
            device_id,
            unit_id,
            ms(hello.at),
            hello.inst,
            device_id in self._quiet,
            self._modes.get(device_id, wire.Activity.FOREGROUND),
        )

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
        """Count phones by the units there are now; close those of units that are disabled."""
        self._recount()
        for unit_id in tuple(self._here):
            unit = self._desk.fleet.unit(unit_id)
            if unit is not None and unit.disabled and self._lane is not None:
                self._lane.close_unit(unit_id, Close.UNIT_DISABLED)

    # What was found out late. ----------------------------------------------------------------

    def end_reading(self, reading: int, heads: Iterable[tuple[DeviceId, int]] = ()) -> None:
        """Note that what was done before that reading began is known now, up to these heads."""
        self._sure = reading
        self._desk.roster.end_reading(reading, heads)

    def found_out(self, unit_ids: Iterable[UnitId]) -> None:
        """Let phones come again whose welcome may have stood above what was found out just now.

        The head of a stream may come here before what it stands for, and the word that would tell
        may be lost. It is known of each phone whether it was so.
        """
        for unit_id in sorted(unit_ids):
            for device_id in tuple(self._here.get(unit_id, {})):
                if self._doubted(device_id) and self._lane is not None:
                    self._lane.close_device(device_id, Close.RESYNC)

    def found_mail(self, device_id: DeviceId, seq: int) -> None:
        """Let a phone come again whose welcome stood above a row that was found out just now."""
        if self._doubted(device_id) and self._lane is not None:
            self._lane.overtaken(device_id, seq)

    def _doubted(self, device_id: DeviceId) -> bool:
        """Say whether a phone is here whose head at its hello was not all known, nor is it yet."""
        hello = self._hellos.get(device_id)
        return hello is not None and hello.doubt is not None and hello.doubt >= self._sure

    def resync(self) -> None:
        """Ask every phone to come again and take the state anew."""
        if self._lane is not None:
            self._lane.resync()


def _there(phone: words.Phone) -> There:
    return There(phone.unit_id, phone.at_ms, phone.inst, phone.quiet, phone.activity)
