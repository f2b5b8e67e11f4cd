"""Phones, as the gateway asks the desk about them, in memory; and what they are sent."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from dispatch.core.decision import Mail
from dispatch.core.errors import Refusal, Unauthenticated
from dispatch.ports import Identity, Outbox, Sealed
from geo.datum import Datum
from geo.eta import Quality
from schemas import wire
from schemas.base import DeviceId, Instant, MemberId, UnitId, ms
from schemas.plan import IncidentKind
from schemas.unit import Duty, UnitState
from tests.fakes import CADENCES, START, ManualClock


def phone(number: int = 1, *, unit: int | None = None) -> Identity:
    """Return the phone of a member; each has a unit of its own unless one is given."""
    return Identity(
        device_id=DeviceId(f"d{number}"),
        unit_id=UnitId(f"u{unit or number}"),
        member_id=MemberId(f"m{number}"),
        juris="gz.huangpu",
    )


def offer(number: int = 1, *, title: str = "溺水 / drowning") -> wire.OfferFrame:
    """Return an offer at a place in Guangzhou, WGS-84, with 20 s to answer."""
    inc = wire.Brief(
        iid=f"i{number}",
        kind=IncidentKind.WATER_RESCUE,
        pri=1,
        title=title,
        lon=113.4612,
        lat=23.1065,
    )
    return wire.OfferFrame(
        oid=f"o{number}",
        rev=1,
        d=Datum.WGS84,
        inc=inc,
        eta_s=95.0,
        quality=Quality.STRAIGHT_LINE,
        dist_m=160.0,
        ttl_ms=20_000.0,
        exp=0.0,
        role="rescuer",
    )


def mail(frame: wire.ReliableFrame, *, unit: int = 1, at: Instant = START) -> Mail:
    """Return a frame addressed to a unit."""
    return Mail(
        unit_id=UnitId(f"u{unit}"),
        ref="",
        at=at,
        expires_at=at + timedelta(hours=24),
        frame=frame,
    )


class MemoryPhones:
    """The desk as the gateway asks it, in memory: each phone's token is its device id.

    A test changes `refusals` (token or frame type → what is raised), holds commands back by
    clearing `free` (mail: `mail_free`), and reads what came in `commands`, `locs`, `acked`, `seen`.
    """

    def __init__(self, phones: Sequence[Identity] = ()) -> None:
        self.clock = ManualClock()
        self.epoch = "epoch-1"
        self.phones = {known.device_id: known for known in phones}
        self.rows: dict[DeviceId, list[Sealed]] = {name: [] for name in self.phones}
        self.heads: dict[DeviceId, int] = dict.fromkeys(self.phones, 0)
        self.acked: dict[DeviceId, int] = {}
        self.commands: list[tuple[DeviceId, wire.UnitCommand]] = []
        self.locs: list[wire.Loc] = []
        self.seen: list[str] = []
        self.refusals: dict[str, Exception] = {}
        self.bad: list[tuple[int, str]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.mail_free = asyncio.Event()
        self.mail_free.set()
        self.mail_waiting = False
        self.pushes: list[wire.PushAddress] = []
        self.modes: list[wire.Mode] = []
        self.lost_rows: list[int] = []
        self.learnt: list[tuple[str, int]] = []
        self.unheard = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.barring: wire.Close | None = None
        self.till = START + timedelta(days=7)
        self.lose: Callable[[], None] = lambda: None

    def know(self, known: Identity) -> None:
        """Take one more phone, or another truth about one."""
        self.phones[known.device_id] = known
        self.rows.setdefault(known.device_id, [])
        self.heads.setdefault(known.device_id, 0)

    def ends(self, device: str, seconds: float) -> None:
        """Let a phone's token end after a while."""
        ends = self.clock.now() + timedelta(seconds=seconds)
        self.know(replace(self.phones[DeviceId(device)], expires_at=ends))

    async def identify(self, token: str) -> Identity:
        """Know a phone by its device id."""
        await self.free.wait()
        self._refuse(token)
        known = self.phones.get(DeviceId(token))
        if known is None:
            raise Unauthenticated("unknown token")
        return known

    async def command(self, identity: Identity, frame: wire.UnitCommand) -> wire.Ok | wire.Err:
        """Say ok to everything, once `free` is set."""
        await self.free.wait()
        self.commands.append((identity.device_id, frame))
        try:
            self._refuse(type(frame).__name__)
        except Refusal as refusal:
            return wire.Err(code=refusal.code, msg=refusal.detail, re=frame.id)
        if isinstance(frame, wire.Refresh):
            return wire.Ok(re=frame.id, result={"tok": "kd_new", "till": ms(self.till)})
        return wire.Ok(re=frame.id)

    def barred(self, identity: Identity) -> wire.Close | None:
        """Return what the test set."""
        return self.barring

    async def lost(self, identity: Identity, seq: int) -> bool:
        """Note it in `lost_rows`, and do what the test wants to happen."""
        self.lost_rows.append(seq)
        self.lose()
        return True

    def push_address(self, identity: Identity, push: wire.PushAddress) -> None:
        """Note it in `pushes`."""
        self.pushes.append(push)

    def mode(self, identity: Identity, mode: wire.Mode) -> None:
        """Note it in `modes`."""
        self.modes.append(mode)

    def quiet(self, identity: Identity, *, quiet: bool) -> None:
        """Note it in `seen`: ~ for quiet, ! for heard again."""
        self.seen.append(f"{'~' if quiet else '!'}{identity.device_id}")

    def state(self, identity: Identity) -> wire.PhoneState:
        """Return every offer that was sealed for the phone, and a policy."""
        frames = [row.mail.frame for row in self.rows[identity.device_id]]
        return wire.PhoneState(
            duty=Duty.ON,
            unit_state=UnitState.AVAILABLE,
            offers=[frame for frame in frames if isinstance(frame, wire.OfferFrame)],
            assigns=[frame for frame in frames if isinstance(frame, wire.AssignFrame)],
            crew=[],
            policy=wire.Policy(state=CADENCES, s="available"),
        )

    def head(self, device_id: DeviceId) -> int:
        """Return the last seq that was sealed."""
        return self.heads[device_id]

    def fixes(self, identity: Identity, frame: wire.Loc) -> list[tuple[int, str]]:
        """Take every row but those in `bad`."""
        self._refuse("Loc")
        self.locs.append(frame)
        return self.bad

    def acknowledge(self, device_id: DeviceId, seq: int) -> bool:
        """Take what is not above the head."""
        if seq > self.heads[device_id]:
            return False
        self.acked[device_id] = seq
        return True

    def connected(self, identity: Identity, inst: str) -> None:
        """Note it in `seen`."""
        self._refuse("connected")
        self.seen.append(f"+{identity.device_id}")

    def disconnected(self, identity: Identity) -> None:
        """Note it in `seen`."""
        self.seen.append(f"-{identity.device_id}")
        self._refuse("disconnected")

    def online(self) -> int:
        """Return how many came and did not go."""
        return sum({"+": 1, "-": -1}.get(event[0], 0) for event in self.seen)

    async def learn_notices(self, device_id: DeviceId, after: int) -> None:
        """Hear of what was `unheard`; then do what the test wants to happen `meanwhile`."""
        self._refuse("learn_notices")
        self.learnt.append((device_id, after))
        self.unheard = False
        self.meanwhile()

    def notices_till(self, device_id: DeviceId) -> int:
        """Return the seq of the last notice that was not acknowledged."""
        if self.unheard:
            return 0
        return max((row.seq for row in self._notices(device_id)), default=0)

    async def notices(self, device_id: DeviceId, after: int, limit: int) -> list[Outbox]:
        """Return notices as the store keeps them."""
        self._refuse("notices")
        await self.mail_free.wait()
        waiting = [row for row in self._notices(device_id) if row.seq > after]
        return [_outbox_row(row) for row in waiting][:limit]

    def _notices(self, device_id: DeviceId) -> list[Sealed]:
        acked = self.acked.get(device_id, 0)
        rows = (row for row in self.rows[device_id] if row.seq > acked)
        return [row for row in rows if isinstance(row.mail.frame, wire.NoticeFrame)]

    async def mail(self, device_id: DeviceId, after: int, limit: int) -> list[Outbox]:
        """Return rows as the store keeps them."""
        self._refuse("mail")
        self.mail_waiting = not self.mail_free.is_set()
        await self.mail_free.wait()
        return [_outbox_row(row) for row in self.rows[device_id] if row.seq > after][:limit]

    def seal(self, device: str, frame: wire.ReliableFrame, *, kept: bool = True) -> Sealed:
        """Commit a frame for a phone; one that is not kept was superseded at once."""
        device_id = DeviceId(device)
        self.heads[device_id] += 1
        sealed = Sealed(
            device_id=device_id,
            seq=self.heads[device_id],
            mail=mail(frame, at=self.clock.now()),
        )
        if kept:
            self.rows[device_id].append(sealed)
        return sealed

    def _refuse(self, what: str) -> None:
        if what in self.refusals:
            raise self.refusals[what]


def _outbox_row(row: Sealed) -> Outbox:
    frame = msgspec.Raw(msgspec.json.encode(row.mail.frame))
    return Outbox(seq=row.seq, at=row.mail.at, frame=frame)
