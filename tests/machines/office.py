"""A real desk over a store in memory, asked one thing at a time: what it does is compared by row.

Every request is made three times: once, again by the same id, and by the same id with another
payload. The second hears what the first heard, the third `id_reuse`; neither writes anything.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar

import msgspec
import shapely
from msgspec.structs import replace

from dispatch.auth import Grant, Keyring, Right, Role, token_hash
from dispatch.core import commands as c
from dispatch.core.errors import Conflict, IdReuse, Refusal
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import unit_state
from dispatch.desk.desk import Desk, Outcome
from dispatch.desk.loops import Loops
from dispatch.desk.phones import Phones
from dispatch.desk.register import Register
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Identity, Once
from dispatch.store.memory import MemoryStore
from dispatch.telemetry import Metrics
from geo.datum import Datum
from geo.eta import StraightLine
from geo.jurisdiction import Jurisdiction
from schemas import wire
from schemas.base import DeviceId, IncidentId, KeyId, MemberId, UnitId
from schemas.incident import Case
from schemas.plan import IncidentKind
from schemas.register import DisableUnit, EnableUnit
from schemas.rest import IncidentView, NeedBody, OpenIncident, Place
from schemas.unit import Capability, Device, Duty, Member, Unit, UnitKind
from tests.fakes import ManualClock

COMMANDER: Final = Grant(key_id=KeyId("k1"), role=Role.COMMANDER, juris="gz")
FEED: Final = Grant(key_id=KeyId("k2"), role=Role.API_FEED, juris="gz")
REGISTRAR: Final = Grant(key_id=KeyId("k3"), role=Role.REGISTRAR, juris="gz")
METRICS: Final = Metrics()
UNITS: Final = ("u1", "u2", "u3")
DEVICES: Final = tuple(f"d{u[1]}{m}" for u in UNITS for m in "ab")
NOT_ROWS: Final = frozenset({"_replies", "_now", "_places", "_epoch"})
"""What of the store is no effect of a command; a lasting refusal is kept, but changes nothing."""
Result = TypeVar("Result")
Rows = dict[str, Any]


class Reply(msgspec.Struct):
    """What a request was answered, and the store before and after it."""

    said: Any
    before: Rows
    after: Rows

    @property
    def refused(self) -> str | None:
        """Return the code of a refusal."""
        return str(self.said.code) if isinstance(self.said, wire.Err | Refusal) else None

    @property
    def wrote(self) -> bool:
        """Tell whether anything is other than it was."""
        return self.before != self.after


class Office:
    """Three units of two members each; the first phone of each says what the unit does."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._answered: list[tuple[str, wire.UnitCommand, wire.Ok | wire.Err]] = []
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.run(self._open_doors())

    def close(self) -> None:
        """Go home."""
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for something."""
        return self._runner.run(work)

    async def _open_doors(self) -> None:
        await self.store.put_jurisdictions(
            [Jurisdiction(path="gz", name="广州", polygon=shapely.box(113.0, 22.5, 114.0, 24.0))]
        )
        await self.store.put_units([_unit(n) for n in (1, 2, 3)])
        await self.store.put_members([_member(d) for d in DEVICES])
        await self.store.put_devices([_device(d) for d in DEVICES])
        self.desk = Desk(
            store=self.store,
            clock=self.clock,
            fleet=Fleet(StraightLine()),
            board=Board(),
            roster=Roster(),
            keyring=Keyring(),
            metrics=METRICS,
        )
        await self.desk.recover()
        self.phones = Phones(self.desk, "epoch")
        self.loops = Loops(self.desk, self.phones)
        self.register = Register(self.desk, new_code=self.clock.new_id, new_token=str)

    # What there is. ------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """Return everything that is on disk, as it stands."""
        kept = {k: v for k, v in vars(self.store).items() if k not in NOT_ROWS}
        return {name: _copied(value) for name, value in kept.items()}

    def case(self, incident_id: IncidentId) -> Case:
        """Return a case."""
        return self.store._case(incident_id)

    def log(self, incident_id: IncidentId, kind: Event | None = None) -> list[Entry]:
        """Return what happened to an incident; of one kind, where one is named."""
        entries = self.run(self.store.timeline(incident_id, 0, 10_000))
        return [entry for entry in entries if kind in {None, entry.type}]

    # What is asked. ------------------------------------------------------------------------------

    def call(self, priority: int = 2, needs: int = 1, grant: Grant = COMMANDER) -> IncidentId:
        """Open an incident in the middle of them all; return its id."""
        body = OpenIncident(
            kind=IncidentKind.THEFT,
            priority=priority,
            position=Place(lon=113.45, lat=23.1, datum=Datum.WGS84),
            title="t",
            drill=False,
            needs=[NeedBody()] * needs,
        )
        reply = self._thrice(lambda once: self.desk.open(body, grant, once, self.clock.now()))
        return IncidentId(view(reply).id)

    def act(self, incident_id: IncidentId, command: c.Command, right: Right = Right.ORDER) -> Reply:
        """Let a commander change something."""
        return self._thrice(
            lambda once: self.desk.act(incident_id, command, COMMANDER, right, once, via="voice")
        )

    def disable(self, unit_id: str) -> Reply:
        """Let nobody ask a unit."""
        body = DisableUnit(why="x")
        return self._thrice(
            lambda once: self.register.disable(UnitId(unit_id), body, REGISTRAR, once)
        )

    def enable(self, unit_id: str) -> Reply:
        """Let a unit be asked again."""
        body = EnableUnit(why="x")
        return self._thrice(
            lambda once: self.register.enable(UnitId(unit_id), body, REGISTRAR, once)
        )

    def _thrice(self, ask: Callable[[Once], Coroutine[Any, Any, Outcome]]) -> Reply:
        """Ask, ask again, and ask something else by the same id."""
        once = Once(scope="key:k1", id=self.clock.new_id(), digest=b"one")
        before = self.rows()
        said = self.run(_heard(ask(once)))
        reply = Reply(said, before, self.rows())
        again = self.run(_heard(ask(once)))
        if isinstance(said, Outcome):
            assert isinstance(again, Outcome)
            assert again.replayed
            assert again.answer == said.answer
            other = self.run(_heard(ask(replace(once, digest=b"other"))))
            assert isinstance(other, IdReuse)
        else:
            assert type(again) is type(said)
        assert self.rows() == reply.after
        return reply

    def say(self, device: str, frame: wire.UnitCommand) -> Reply:
        """Let a phone say something."""
        identity = self.phone(device)
        before = self.rows()
        said = self.run(self.phones.command(identity, frame))
        reply = Reply(said, before, self.rows())
        other_frame = wire.Assist(id=frame.id, aid="nobody", what=wire.Assistance.POLICE)
        assert self.run(self.phones.command(identity, frame)) == said
        other = self.run(self.phones.command(identity, other_frame))
        assert isinstance(other, wire.Err)
        assert other.code is wire.ErrorCode.ID_REUSE
        assert self.rows() == reply.after
        self._answered.append((device, frame, said))
        return reply

    def say_again(self, pick: int) -> None:
        """Let a phone repeat what it said once: it hears the same, whatever has changed since."""
        if not self._answered:
            return
        device, frame, said = self._answered[pick % len(self._answered)]
        before = self.rows()
        assert self.run(self.phones.command(self.phone(device), frame)) == said
        assert self.rows() == before

    def phone(self, device: str) -> Identity:
        """Return whose phone it is."""
        return self.run(self.phones.identify(device))

    def clock_in(self, device: str, duty: wire.DutyCall) -> Reply:
        """Let the member of a phone clock."""
        return self.say(device, wire.SetDuty(id=self.clock.new_id(), s=duty))

    def pass_by(self, seconds: float) -> None:
        """Let time pass, then do what has come; what it makes due at once, too."""
        self.clock.advance(seconds)
        self.run(self.loops.run_due())
        self.run(self.loops.reread_freed())

    # What always holds. --------------------------------------------------------------------------

    def check_memory(self) -> None:
        """The board and the fleet say what the store says."""
        for case in self.run(self.store.active_cases()):
            known = self.desk.board.case(case.incident.id)
            assert known is not None
            assert known.incident == case.incident
            assert known.assignments == case.assignments
        for unit_id in UNITS:
            assert self.desk.fleet.state(UnitId(unit_id)) is self.unit_state(unit_id)

    def unit_state(self, unit_id: str) -> Any:
        """Return what a unit is by the facts on disk."""
        (row,) = self.run(self.store.unit_rows(self.clock.now(), [UnitId(unit_id)]))
        return unit_state(
            disabled=row.unit.disabled,
            engaged=row.engaged,
            open_offers=row.open_offers,
            on_duty=row.on_duty,
            paused=row.paused,
            min_crew=row.unit.min_crew,
        )


def view(reply: Reply) -> IncidentView:
    """Return the case a person was answered."""
    return msgspec.json.decode(reply.said.answer.body, type=IncidentView)


def refused_for_nothing(reply: Reply) -> bool:
    """Tell whether a request met a conflict, and changed nothing."""
    conflict = isinstance(reply.said, Conflict) or (
        isinstance(reply.said, wire.Err) and reply.said.code in CONFLICTS
    )
    return conflict and not reply.wrote


CONFLICTS: Final = frozenset(
    {
        wire.ErrorCode.CONFLICT,
        wire.ErrorCode.TAKEN,
        wire.ErrorCode.EXPIRED,
        wire.ErrorCode.WITHDRAWN,
        wire.ErrorCode.CANCELLED,
    }
)


async def _heard(call: Coroutine[Any, Any, Outcome]) -> Outcome | Refusal:
    try:
        return await call
    except Refusal as refusal:
        return refusal


def _copied(value: Any) -> Any:
    """Return a value that later changes do not reach; records never change."""
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(one) for one in value]
    if isinstance(value, set):
        return frozenset(value)
    if is_dataclass(value):
        return {f.name: _copied(getattr(value, f.name)) for f in fields(value)}
    if type(value).__name__.startswith("Memory"):
        return {name: _copied(one) for name, one in vars(value).items()}
    return value


def _unit(n: int) -> Unit:
    return Unit(
        id=UnitId(f"u{n}"),
        code=f"U{n}",
        name=f"单元 {n}",
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=113.45 + n * 2e-4,
        lat=23.1,
        capabilities=(Capability.AED,),
    )


def _member(device: str) -> Member:
    return Member(
        id=MemberId(f"m{device[1:]}"),
        unit_id=UnitId(f"u{device[1]}"),
        name=device,
        leader=device.endswith("a"),
        duty=Duty.ON if device.endswith("a") else Duty.OFF,
    )


def _device(device: str) -> Device:
    return Device(
        id=DeviceId(device),
        unit_id=UnitId(f"u{device[1]}"),
        member_id=MemberId(f"m{device[1:]}"),
        token_hash=token_hash(device),
    )
