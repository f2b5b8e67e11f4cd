"""The desk as phones see it: identity, state, commands, fixes, acknowledgements."""

from collections.abc import Iterable, Sequence

import structlog

from dispatch.core.frames import assign_frame, offer_frame
from dispatch.desk.arrivals import Arrivals
from dispatch.desk.commands import Commands
from dispatch.desk.desk import Desk
from dispatch.desk.epoch import Epoch
from dispatch.desk.presence import Presence
from dispatch.desk.sleepers import Sleepers
from dispatch.desk.tokens import NewToken, Tokens, no_new_tokens
from dispatch.desk.whereabouts import Whereabouts
from dispatch.live.lead import lead_of
from dispatch.ports import Clock, Identity, Outbox, StoreAway
from schemas import wire
from schemas.alarm import AlarmKind
from schemas.base import DeviceId, UnitId
from schemas.unit import Duty, UnitState

log = structlog.get_logger()


class Phones:
    """The desk as phones see it."""

    def __init__(self, desk: Desk, epoch: str, *, new_token: NewToken = no_new_tokens) -> None:
        self.clock: Clock = desk.clock
        self.presence = Presence(desk)
        self.sleepers = Sleepers(desk, self.presence)
        self._epoch = Epoch(epoch, desk.store, desk.clock)
        self._tokens = Tokens(desk.store, desk.roster, desk.clock, new_token)
        self._desk = desk
        self._roster = desk.roster
        self._acks: dict[DeviceId, int] = {}
        self.arrivals = Arrivals(desk)
        self.whereabouts = Whereabouts(desk, self.presence, self.arrivals)
        self._commands = Commands(desk, self._tokens, self.presence, self.whereabouts)
        desk.changed = self._changed
        desk.epoch = lambda: self.epoch
        desk.locate = self.presence.locate
        desk.reread_all = self._registered
        desk.found_out = self.presence.found_out
        desk.notices.found_mail = self.presence.found_mail

    @property
    def epoch(self) -> str:
        """Return which life of the store the streams belong to."""
        return self._epoch.name

    def _changed(self, unit_ids: Iterable[UnitId]) -> None:
        units = tuple(unit_ids)
        self.whereabouts.changed(units)
        self.presence.changed(units)

    def _registered(self) -> None:
        self.whereabouts.registered()
        self.presence.registered()

    # Who. ------------------------------------------------------------------------------------

    async def identify(self, token: str) -> Identity:
        """Return whose token this is.

        Raises:
            Unauthenticated: a look-up said no, or the token has ended.
            Unavailable: it could not be looked up.
        """
        return await self._tokens.identify(token)

    def barred(self, identity: Identity) -> wire.Close | None:
        """Return the close of a phone that may not be here whatever its token."""
        return self.presence.barred(identity)

    def connected(self, identity: Identity, inst: str = "") -> None:
        """Count a phone in."""
        self.presence.connected(identity, inst)

    def disconnected(self, identity: Identity) -> None:
        """Count a phone out."""
        self.presence.disconnected(identity)
        self.sleepers.look(identity.device_id)

    def online(self) -> int:
        """Return how many phones are connected."""
        return self.presence.online()

    def quiet(self, identity: Identity, *, quiet: bool) -> None:
        """Note that a connected phone was not heard in time, or is heard again."""
        self.presence.quiet(identity, quiet=quiet)

    def mode(self, identity: Identity, mode: wire.Mode) -> None:
        """Note what an app can do now."""
        self.presence.mode(identity, mode)
        self.sleepers.look(identity.device_id)

    def push_address(self, identity: Identity, push: wire.PushAddress) -> None:
        """Take where a phone is woken when its app sleeps; on disk within a second."""
        self.sleepers.address(identity, push)

    async def lost(self, identity: Identity, seq: int) -> bool:
        """Begin a new epoch for all phones where one holds a row that the store never gave.

        What another process has given it a moment ago was only not heard of here.
        """
        if await self._given(identity.device_id, seq):
            return False
        head = self._roster.head(identity.device_id)
        log.error("rows_lost", device=identity.device_id, ack=seq, head=head)
        if await self._epoch.lost(identity.device_id, seq):
            self.presence.resync()
            await self._desk.alarms.ring(
                AlarmKind.LOST_ROWS,
                "a phone holds what the store never gave: rows were lost",
                identity.juris.partition(".")[0],
            )
        return True

    async def _given(self, device_id: DeviceId, seq: int) -> bool:
        """Read how far a phone's stream has come; say whether a seq was given to it."""
        try:
            known = await self._desk.store.identities(device_id)
        except StoreAway:
            return False
        for _, identity in known:
            self._roster.found(device_id, identity.head)
        return seq <= self._roster.head(device_id)

    async def follow_epoch(self, epoch: str, seen: str) -> None:
        """Take the epoch that was in force when it was `seen` here: another may have begun it."""
        if await self._epoch.follow(epoch, seen):
            self.presence.resync()

    # What it is told. ------------------------------------------------------------------------

    def state(self, identity: Identity) -> wire.PhoneState:
        """Return the whole truth for one phone, WGS-84; a phone off duty is not rung up."""
        now, unit_id = self.clock.now(), identity.unit_id
        duty = self._roster.duty(unit_id, identity.member_id)
        offers = self._desk.board.offers_to(unit_id) if duty is Duty.ON else []
        tasks = self._desk.board.tasks_of(unit_id)
        known = unit_id in self._desk.fleet
        crew = self._roster.crew(unit_id)
        lead = lead_of(crew, [task for _, task in tasks])
        return wire.PhoneState(
            duty=duty,
            unit_state=self._desk.fleet.state(unit_id) if known else UnitState.OFF,
            offers=[offer_frame(incident, offer, now) for incident, offer in offers],
            assigns=[assign_frame(incident, task) for incident, task in tasks],
            crew=[
                wire.CrewMember(member=m.id, name=m.name, duty=m.duty, lead=m.id == lead)
                for m in crew
            ],
            policy=self.presence.policy(identity),
            consent=self.whereabouts.agreed(identity),
        )

    def head(self, device_id: DeviceId) -> int:
        """Return the highest seq given to a phone."""
        return self._roster.head(device_id)

    async def mail(self, device_id: DeviceId, after: int, limit: int) -> list[Outbox]:
        """Return a phone's waiting mail above a seq; raise `StoreAway` while it cannot be read."""
        rows = await self._desk.store.outbox(device_id, after, limit, self.clock.now())
        if rows:
            # What another process has sealed may be told here before the word of it.
            self._roster.found(device_id, rows[-1].seq)
        return rows

    async def learn_notices(self, device_id: DeviceId, after: int) -> None:
        """Learn which notices wait for a phone above a seq; raise `StoreAway`."""
        await self._desk.notices.learn(device_id, after)

    def notices_till(self, device_id: DeviceId) -> int:
        """Return the seq of the last notice that waits for a phone; 0 where none does."""
        return self._desk.notices.till(device_id)

    async def notices(self, device_id: DeviceId, after: int, limit: int) -> Sequence[Outbox]:
        """Return the notices that wait for a phone above a seq; raise `StoreAway`."""
        return await self._desk.notices.mail(device_id, after, limit)

    # What it says. ---------------------------------------------------------------------------

    def acknowledge(self, device_id: DeviceId, seq: int) -> bool:
        """Note how far a phone has its mail; `False` where it claims more than was ever given."""
        if seq > self._roster.head(device_id):
            return False
        if seq > self._acks.get(device_id, 0):
            self._acks[device_id] = seq
        self._desk.notices.acknowledged(device_id, seq)
        return True

    def acks_waiting(self) -> int:
        """Return how many phones' acknowledgements are still to be written down."""
        return len(self._acks)

    async def flush_acks(self) -> None:
        """Write down what was acknowledged since the last time; what fails is tried again."""
        acks, self._acks = self._acks, {}
        if not acks:
            return
        try:
            await self._desk.store.acknowledge(acks, self.clock.now())
        except StoreAway:
            self._acks = {**acks, **self._acks}

    def fixes(self, identity: Identity, frame: wire.Loc) -> list[tuple[int, str]]:
        """Take a batch of fixes; return the rows that do not count, by index and reason.

        Raises:
            NotOnDuty: the member is off duty and the unit on no call; nothing was kept.
            ConsentRequired: he has not agreed to be located; nothing was kept.
        """
        return self.whereabouts.take(identity, frame)

    async def command(self, identity: Identity, frame: wire.UnitCommand) -> wire.Ok | wire.Err:
        """Carry out a command once, and answer it; the same id hears the same answer."""
        return await self._commands.carry_out(identity, frame)
