"""The desk as phones see it: identity, state, commands, fixes, acknowledgements."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
import structlog

from dispatch.core.commands import (
    Accept,
    Assist,
    Command,
    Decline,
    Open,
    Report,
    SeeOffer,
    SeeTask,
)
from dispatch.core.decision import Actor
from dispatch.core.errors import (
    IdReuse,
    Invalid,
    NotFound,
    Refusal,
    Temporary,
    Unavailable,
)
from dispatch.core.frames import assign_frame, offer_frame
from dispatch.core.lifecycle import DUTY, Trigger, advance
from dispatch.desk import answers, consent
from dispatch.desk.arrivals import Arrivals
from dispatch.desk.callers import Callers
from dispatch.desk.desk import Desk
from dispatch.desk.epoch import Epoch
from dispatch.desk.presence import Presence
from dispatch.desk.sleepers import Sleepers
from dispatch.desk.tokens import NewToken, Tokens, no_new_tokens
from dispatch.desk.whereabouts import Whereabouts
from dispatch.live.ground import FRESH_S
from dispatch.live.lead import lead_of
from dispatch.ports import (
    AlreadyAnswered,
    Answer,
    Clock,
    DutyChange,
    Identity,
    Once,
    Outbox,
    StoreAway,
)
from geo.datum import Datum
from schemas import wire
from schemas.alarm import AlarmKind
from schemas.base import AssignmentId, DeviceId, IncidentId, MemberId, OfferId, UnitId
from schemas.plan import IncidentKind
from schemas.rest import OpenIncident, Place
from schemas.unit import Duty, UnitState

log = structlog.get_logger()

DUTIES: Final = {
    wire.DutyCall.ON: Duty.ON,
    wire.DutyCall.PAUSE: Duty.PAUSED,
    wire.DutyCall.OFF: Duty.OFF,
}
CLOCKS: Final = {
    Duty.ON: Trigger.CREW_ON,
    Duty.PAUSED: Trigger.CREW_PAUSED,
    Duty.OFF: Trigger.CREW_OFF,
}
TRIES: Final = 3
KINDS: Final = frozenset(IncidentKind)
TITLE_CHARS: Final = 80
SOS_TITLE: Final = "队员求助 SOS"
_answer: Final[msgspec.json.Decoder[wire.Ok | wire.Err]] = msgspec.json.Decoder(wire.Ok | wire.Err)


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
        self._callers = Callers()
        desk.changed = self._changed
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
        if isinstance(frame, wire.Refresh):
            return await self._refresh(identity, frame)
        once = Once(scope=f"device:{identity.device_id}", id=frame.id, digest=_digest(frame))
        if not isinstance(frame, wire.SetDuty):
            # An answer is judged by where it is given; who clocks on is located from then on.
            self.whereabouts.beside(identity, frame)
        try:
            answer = await self._answer(identity, frame, once)
        except Temporary as refusal:
            return answers.err(frame.id, refusal)
        except IdReuse as refusal:
            return answers.err(frame.id, refusal)
        except Refusal as refusal:
            return await self._remembered(once, answers.err(frame.id, refusal))
        return _answer.decode(answer.body)

    async def _refresh(self, identity: Identity, frame: wire.Refresh) -> wire.Ok | wire.Err:
        try:
            return await self._tokens.refresh(identity, frame)
        except Refusal as refusal:
            return answers.err(frame.id, refusal)

    async def _answer(self, identity: Identity, frame: wire.UnitCommand, once: Once) -> Answer:
        if isinstance(frame, wire.SetDuty):
            return await self._clock_in(identity, frame, once)
        if isinstance(frame, wire.Consent):
            return await self._consent(identity, frame, once)
        if isinstance(frame, wire.NoticeRead):
            return await self._desk.notices.read(identity, frame, once)
        if isinstance(frame, wire.Report | wire.Sos):
            return await self._open(identity, frame, once)
        if isinstance(frame, wire.OfferReply):
            self._require_crew(identity, frame)
        incident_id = await self._incident_of(frame)
        outcome = await self._desk.carry_out(
            incident_id,
            COMMANDS[type(frame)](identity, frame),
            _actor(identity),
            once,
            lambda decision: answers.to_phone(frame.id, decision),
        )
        return outcome.answer

    def _require_crew(self, identity: Identity, frame: wire.OfferReply) -> None:
        for member_id in frame.crew or ():
            if self._roster.member(identity.unit_id, MemberId(member_id)) is None:
                raise Invalid("no such member of this unit", path="crew")

    async def _open(self, identity: Identity, frame: wire.Report | wire.Sos, once: Once) -> Answer:
        """Open what a member reports; lower priorities wait for triage unless he takes it on."""
        now = self.clock.now()
        self._callers.take(identity.device_id, frame.id, now.timestamp())
        told = self._reported(identity, frame)
        taken_on = isinstance(frame, wire.Report) and frame.self_
        incident = self._desk.incident(told, "member", None, now)
        outcome = await self._desk.begin(
            Open(
                incident=incident,
                trusted=taken_on,
                taken_on=identity.unit_id if taken_on else None,
            ),
            _actor(identity),
            once,
            lambda decision: answers.to_phone(frame.id, decision),
        )
        if taken_on and not outcome.replayed:
            self._show_task(identity)
        return outcome.answer

    def _show_task(self, identity: Identity) -> None:
        """Let the phone of a member off duty learn of the task he gave himself: mail rings none."""
        if self._roster.duty(identity.unit_id, identity.member_id) is Duty.OFF:
            self.presence.come_again(identity.device_id)

    def _reported(self, identity: Identity, frame: wire.Report | wire.Sos) -> OpenIncident:
        if isinstance(frame, wire.Report):
            return OpenIncident(
                kind=_kind(frame.kind),
                priority=frame.pri,
                position=Place(lon=frame.lon, lat=frame.lat, datum=frame.d),
                title=frame.text[:TITLE_CHARS] or _kind(frame.kind),
                note=frame.text,
                drill=False,
            )
        return OpenIncident(
            kind=IncidentKind.OTHER,
            priority=1,
            position=self._sos_place(identity, frame),
            title=SOS_TITLE,
            drill=False,
        )

    def _sos_place(self, identity: Identity, frame: wire.Sos) -> Place:
        """Return where help is needed: the place sent, else the member's last, else the unit's."""
        if frame.fix is not None and frame.d is not None:
            return Place(lon=frame.fix.lon, lat=frame.fix.lat, datum=frame.d)
        if identity.unit_id not in self._desk.fleet:
            raise Invalid("a place is needed: this unit is not known", path="fix")
        now_s = self.clock.now().timestamp()
        last = self.whereabouts.last(identity.member_id)
        if last is not None and last.at_s >= now_s - FRESH_S:
            return Place(lon=last.lon, lat=last.lat, datum=Datum.WGS84)
        standing = self._desk.fleet.standing(identity.unit_id, now_s)
        return Place(lon=standing.place.lon, lat=standing.place.lat, datum=Datum.WGS84)

    async def _incident_of(self, frame: wire.UnitCommand) -> IncidentId:
        """Find the incident an offer or assignment belongs to: in memory, else on disk."""
        oid = OfferId(getattr(frame, "oid", ""))
        aid = AssignmentId(getattr(frame, "aid", ""))
        board = self._desk.board
        known = board.incident_of_offer(oid) if oid else board.incident_of_task(aid)
        if known is None:
            known = await self._look_up(oid, aid)
        if known is None:
            raise NotFound("no such offer or assignment", path="oid" if oid else "aid")
        return known

    async def _look_up(self, oid: OfferId, aid: AssignmentId) -> IncidentId | None:
        try:
            return await self._desk.store.incident_of(offer=oid, assignment=aid)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away

    async def _clock_in(self, identity: Identity, frame: wire.SetDuty, once: Once) -> Answer:
        """Clock a member in or out; on a call, leaving waits for the release."""
        duty = DUTIES[frame.s]
        before = self._roster.duty(identity.unit_id, identity.member_id)
        if duty is not before:
            advance(DUTY, before, CLOCKS[duty])
        change = DutyChange(
            device_id=identity.device_id,
            unit_id=identity.unit_id,
            member_id=identity.member_id,
            duty=duty,
            at=self.clock.now(),
        )
        answer = answers.done(frame.id, {"s": frame.s})

        async def written() -> None:
            await self._desk.store.set_duty(change, once, answer)

        told = await self._written(identity, once, answer, written)
        self.whereabouts.beside(identity, frame)
        return told

    async def _consent(self, identity: Identity, frame: wire.Consent, once: Once) -> Answer:
        """Write down that a member agrees to be located, or no more; it counts at once."""
        changed, answer = consent.change(identity, frame, self.clock.now()), consent.told(frame)

        async def written() -> None:
            await self._desk.store.register_member(changed, once, answer)
            self.whereabouts.decided(identity, yes=frame.yes)

        return await self._written(identity, once, answer, written)

    async def _written(
        self, identity: Identity, once: Once, answer: Answer, written: Callable[[], Awaitable[None]]
    ) -> Answer:
        """Write what a member says of himself, once; then take his unit as the store has it."""
        for _ in range(TRIES):
            try:
                loaded = await self._desk.store.load(None, once)
                if loaded.answer is None:
                    await written()
                await self._desk.renewed([identity.unit_id])
            except AlreadyAnswered:
                continue
            except StoreAway:
                await asyncio.sleep(0)
            else:
                self._desk.poke.set()
                return _replayed(loaded.answer or answer, same=loaded.same_payload)
        raise Unavailable("the store does not answer; try again")

    async def _remembered(self, once: Once, err: wire.Err) -> wire.Ok | wire.Err:
        """Keep a lasting refusal, so that a retry of the same id hears it again.

        What was refused before anybody asked for an earlier answer hears that one: what a retry is
        told depends on nothing that has changed since.
        """
        kept = Answer(status=answers.REFUSED, body=msgspec.Raw(msgspec.json.encode(err)))
        try:
            await self._desk.store.remember(once, kept, self.clock.now())
            loaded = await self._desk.store.load(None, once)
        except StoreAway:
            log.warning("refusal_not_kept", code=err.code)
            return err
        if not loaded.same_payload:
            return answers.err(once.id, IdReuse("this id was used with another payload"))
        return _answer.decode((loaded.answer or kept).body)


def _actor(identity: Identity) -> Actor:
    return Actor(by=f"member:{identity.member_id}", via="app", device_id=identity.device_id)


def _replayed(answer: Answer, *, same: bool) -> Answer:
    if not same:
        raise IdReuse("this id was used with another payload")
    return answer


def _kind(word: str) -> IncidentKind:
    """Return the kind a phone reports; one that only a newer app knows is `other`."""
    return IncidentKind(word) if word in KINDS else IncidentKind.OTHER


def _digest(frame: wire.UnitCommand) -> bytes:
    """Return the SHA-256 of a command, but for what may differ in a retry: `ack`, and `ts`."""
    passing: dict[str, None] = {"ack": None}
    if isinstance(frame, wire.Placed):
        passing["ts"] = None
    return sha256(msgspec.json.encode(msgspec.structs.replace(frame, **passing))).digest()


def _instant(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _reply(identity: Identity, frame: wire.OfferReply) -> Command:
    offer_id = OfferId(frame.oid)
    if frame.r is wire.Answer.DECLINE:
        return Decline(unit_id=identity.unit_id, offer_id=offer_id, why=frame.why or "")
    return Accept(
        unit_id=identity.unit_id,
        offer_id=offer_id,
        at=_instant(frame.at),
        crew=tuple(frame.crew or (identity.member_id,)),
    )


def _progress(identity: Identity, frame: wire.Progress) -> Command:
    return Report(
        unit_id=identity.unit_id,
        task_id=AssignmentId(frame.aid),
        reached=frame.s,
        at=_instant(frame.at),
        note=frame.note or "",
        outcome=frame.outcome or "",
    )


COMMANDS: Final[Mapping[type, Callable[[Identity, Any], Command]]] = {
    wire.OfferReply: _reply,
    wire.OfferSeen: lambda i, f: SeeOffer(unit_id=i.unit_id, offer_id=OfferId(f.oid)),
    wire.AssignSeen: lambda i, f: SeeTask(unit_id=i.unit_id, task_id=AssignmentId(f.aid)),
    wire.Progress: _progress,
    wire.Assist: lambda i, f: Assist(
        unit_id=i.unit_id, task_id=AssignmentId(f.aid), what=f.what, n=f.n, text=f.text or ""
    ),
}
