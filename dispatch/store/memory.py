"""The store in memory: the same promises as on disk, for simulations and tests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from dispatch.core.decision import Decision
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import OPEN_OFFER, OVER, WANTS_UNITS
from dispatch.ports import (
    OUTBOX_MOST,
    AlreadyAnswered,
    Answer,
    Broken,
    Claimed,
    Cursor,
    Due,
    DutyChange,
    Identity,
    Key,
    Loaded,
    Logged,
    Once,
    Outbox,
    Phone,
    Push,
    PushAddress,
    Sealed,
    Settled,
    StaleCase,
    Unheard,
    UnitTaken,
)
from dispatch.store.memory_alarms import MemoryAlarms
from dispatch.store.memory_due import MemoryDue
from dispatch.store.memory_notices import Job, MemoryNotices
from dispatch.store.memory_outbox import MemoryOutbox
from dispatch.store.memory_push import MemoryPush
from dispatch.store.memory_register import MemoryRegister, Pending
from dispatch.store.memory_tokens import MemoryTokens, Token
from geo.jurisdiction import Jurisdiction, within
from schemas.alarm import Alarm, AlarmId
from schemas.base import (
    AssignmentId,
    DeviceId,
    IncidentId,
    Instant,
    KeyId,
    MemberId,
    OfferId,
    Record,
    UnitId,
)
from schemas.incident import Assignment, Case, Incident, Offer, OfferState
from schemas.notice import NoticeId
from schemas.unit import Device, Duty, Member, Position, Unit, UnitRow

DAY: Final = timedelta(hours=24)
OVERDUE: Final = timedelta(seconds=2)


class Reply(Record, frozen=True, kw_only=True):
    """What a command was answered, to which payload, and when."""

    digest: bytes
    answer: Answer
    at: Instant


class MemoryStore(MemoryRegister, MemoryNotices, MemoryAlarms):
    """Everything `dispatch.ports.Store` promises, but for outliving the process.

    No method waits, so each happens whole: no two decisions ever see half of one another.
    """

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        self._now = now
        self._epoch = epoch
        self._units: dict[UnitId, Unit] = {}
        self._tallies: dict[UnitId, tuple[int, int]] = {}
        self._members: dict[MemberId, Member] = {}
        self._crews: dict[UnitId, list[MemberId]] = {}
        self._leaves: dict[MemberId, Duty] = {}
        self._keys: dict[KeyId, Key] = {}
        self._positions: dict[UnitId, Position] = {}
        self._incidents: dict[IncidentId, Incident] = {}
        self._external: set[tuple[str, str]] = set()
        self._offers: dict[OfferId, Offer] = {}
        self._tasks: dict[AssignmentId, Assignment] = {}
        self._offers_of: dict[IncidentId, list[OfferId]] = {}
        self._tasks_of: dict[IncidentId, list[AssignmentId]] = {}
        self._offers_to: dict[UnitId, list[OfferId]] = {}
        self._active: dict[UnitId, AssignmentId] = {}
        self._entries: dict[IncidentId, list[Entry]] = {}
        self._log: list[Logged] = []
        self._replies: dict[tuple[str, str], Reply] = {}
        self._places: dict[str, Jurisdiction] = {}
        self._registered = 0
        self._due = MemoryDue()
        self._outbox = MemoryOutbox()
        self._push = MemoryPush(self._outbox)
        self._tokens = MemoryTokens()
        self._pending: dict[str, Pending] = {}
        self._jobs: dict[NoticeId, Job] = {}
        self._alarms: dict[AlarmId, Alarm] = {}
        self._present: dict[tuple[str, KeyId], Instant] = {}
        self._phones: dict[DeviceId, Phone] = {}

    # What is registered. ---------------------------------------------------------------------

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

    # Decisions. ------------------------------------------------------------------------------

    async def load(self, incident_id: IncidentId | None, once: Once | None) -> Loaded:
        """Read the case and, under a command's id, the answer it already had."""
        reply = self._reply(once)
        known = incident_id is not None and incident_id in self._incidents
        return Loaded(
            case=self._case(incident_id) if known and incident_id else None,
            answer=reply.answer if reply else None,
            same_payload=reply is None or once is None or reply.digest == once.digest,
        )

    async def commit(
        self,
        decision: Decision,
        once: Once | None,
        answer: Answer | None,
        now: Instant,
        due_id: int | None = None,
    ) -> list[Sealed]:
        """Write a decision whole, or not at all; return its mail as it was sealed for each phone.

        Raises:
            StaleCase: somebody decided first; nothing was written.
            AlreadyAnswered: the command's id has an answer; nothing was written.
            UnitTaken: a unit has another active assignment; nothing was written.
        """
        self._guard(decision, once, answer)
        incident_id = decision.case.incident.id
        self._write_incident(decision)
        self._keep(once, answer, now)
        self._write_offers(decision)
        self._write_tasks(decision, now)
        self._write_log(incident_id, decision.entries)
        cause = once.scope if once is not None and answer is not None else ""
        sealed = self._outbox.post(decision.mail, self._duty, cause)
        for errand in decision.errands:
            self._due.add(errand.incident_id, errand.kind, errand.unit_id, now)
        self._due.wake(incident_id, decision.wake_at)
        self._due.done(due_id)
        self._keep_alarms(decision.alarms)
        if _is_over(decision.case.incident):
            self._end_alarms(incident_id, now)
        self._outbox.trim({letter.device_id for letter in sealed}, OUTBOX_MOST, now)
        return sealed

    def _guard(self, decision: Decision, once: Once | None, answer: Answer | None) -> None:
        """Refuse what the constraints of the tables refuse, in their order."""
        incident = decision.case.incident
        seen = decision.before.incident.version if decision.before else 0
        known = self._incidents.get(incident.id)
        if seen != (known.version if known else 0):
            raise StaleCase
        if known is None and (incident.source, incident.ext_id) in self._external:
            raise StaleCase
        if answer is not None and self._reply(once) is not None:
            raise AlreadyAnswered
        if taken := self._taken(decision.assignments):
            raise UnitTaken(taken)

    def _taken(self, tasks: Sequence[Assignment]) -> list[UnitId]:
        freed = {t.id for t in tasks if t.ended_at}
        new = [t for t in tasks if t.id not in self._tasks and t.ended_at is None]
        held = {t.unit_id for t in new if self._active.get(t.unit_id, t.id) not in freed | {t.id}}
        return sorted(held)

    def _reply(self, once: Once | None) -> Reply | None:
        return self._replies.get((once.scope, once.id)) if once else None

    def _keep(self, once: Once | None, answer: Answer | None, now: Instant) -> None:
        if once is not None and answer is not None:
            reply = Reply(digest=once.digest, answer=answer, at=now)
            self._replies.setdefault((once.scope, once.id), reply)

    def _keep_once(self, once: Once, answer: Answer, now: Instant) -> None:
        if self._reply(once) is not None:
            raise AlreadyAnswered
        self._keep(once, answer, now)

    def _write_incident(self, decision: Decision) -> None:
        incident = decision.case.incident
        version = decision.before.incident.version + 1 if decision.before else 1
        self._incidents[incident.id] = replace(incident, version=version)
        if incident.ext_id is not None:
            self._external.add((incident.source, incident.ext_id))

    def _write_offers(self, decision: Decision) -> None:
        for offer in decision.offers:
            known = self._offers.get(offer.id)
            if known is None:
                self._offers_of.setdefault(offer.incident_id, []).append(offer.id)
                self._offers_to.setdefault(offer.unit_id, []).append(offer.id)
            self._offers[offer.id] = _merged(known, offer)
        for entry in decision.entries:
            self._tally(entry)

    def _tally(self, entry: Entry) -> None:
        """Count what a unit's own acceptance rate is made of."""
        if entry.unit_id is None or entry.type not in {Event.OFFERED, Event.ACCEPTED}:
            return
        offers, accepts = self._tallies.get(entry.unit_id, (0, 0))
        asked = entry.type is Event.OFFERED
        self._tallies[entry.unit_id] = (offers + asked, accepts + (not asked))

    def _write_tasks(self, decision: Decision, now: Instant) -> None:
        for task in decision.assignments:
            if task.id not in self._tasks:
                self._tasks_of.setdefault(task.incident_id, []).append(task.id)
            self._tasks[task.id] = task
        for task in decision.assignments:
            if task.ended_at is not None:
                self._release(task)
        for task in decision.assignments:
            if task.ended_at is None:
                self._engage(task, now)

    def _release(self, task: Assignment) -> None:
        """Free a unit; who clocked out while engaged leaves now."""
        if self._active.get(task.unit_id) == task.id:
            del self._active[task.unit_id]
        for member_id in self._crews.get(task.unit_id, ()):
            if member_id in self._leaves:
                self._clock(member_id, self._leaves.pop(member_id))

    def _engage(self, task: Assignment, now: Instant) -> None:
        """Hold a unit; the incidents that still ask it are told by a moment each."""
        self._active[task.unit_id] = task.id
        for offer in self._open_to(task.unit_id):
            if offer.incident_id != task.incident_id:
                self._due.add(offer.incident_id, "unit_engaged", task.unit_id, now)

    def _open_to(self, unit_id: UnitId) -> list[Offer]:
        offers = (self._offers[i] for i in self._offers_to.get(unit_id, ()))
        return [offer for offer in offers if offer.state in OPEN_OFFER]

    def _write_log(self, incident_id: IncidentId, entries: Iterable[Entry]) -> None:
        log = self._entries.setdefault(incident_id, [])
        for entry in entries:
            data = msgspec.json.decode(msgspec.json.encode(entry.data))
            log.append(replace(entry, n=len(log) + 1, data=data))
            self._publish(incident_id, log[-1])

    def _publish(self, incident_id: IncidentId | None, entry: Entry) -> None:
        n = len(self._log) + 1
        cursor = Cursor(xid=str(n), id=n)
        self._log.append(Logged(cursor=cursor, incident_id=incident_id, entry=entry))

    def _about(self, logged: Logged) -> Logged:
        """Say of a line whose ground it is about, as that stands now."""
        incident = self._incidents.get(logged.incident_id) if logged.incident_id else None
        if incident is None:
            unit = self._units.get(logged.entry.unit_id) if logged.entry.unit_id else None
            return replace(logged, juris=unit.juris if unit else "")
        return replace(
            logged,
            juris=incident.juris,
            source=incident.source,
            ext_id=incident.ext_id,
            ext_rev=incident.ext_rev,
        )

    async def remember(self, once: Once, answer: Answer, now: Instant) -> None:
        """Keep the answer of a command that changed nothing, so that its retry hears the same."""
        self._keep(once, answer, now)

    async def incident_of(self, *, offer: str = "", assignment: str = "") -> IncidentId | None:
        """Return the incident an offer or an assignment belongs to."""
        row = (
            self._offers.get(OfferId(offer)) if offer else self._tasks.get(AssignmentId(assignment))
        )
        return None if row is None else row.incident_id

    # Clocks. ---------------------------------------------------------------------------------

    async def claim_due(self, limit: int, now: Instant) -> list[Due]:
        """Take moments that have come, for ten seconds: a dead taker leaves them to others."""
        return list(self._due.claim(limit, now))

    async def next_due(self) -> Instant | None:
        """Return the nearest moment to come."""
        return self._due.nearest()

    async def drop_due(self, due_id: int) -> None:
        """Forget a moment that turned out to mean nothing."""
        self._due.drop(due_id)

    async def now(self) -> Instant:
        """Return the time of the clock it was given."""
        return self._now()

    # Members, phones, positions. -------------------------------------------------------------

    async def set_duty(self, change: DutyChange, once: Once, answer: Answer) -> Duty:
        """Clock a member in or out; return the duty now in force (leaving waits while engaged).

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        if self._reply(once) is not None:
            raise AlreadyAnswered
        self._keep(once, answer, change.at)
        if change.duty is not Duty.ON and change.unit_id in self._active:
            self._leaves[change.member_id] = change.duty
        else:
            self._leaves.pop(change.member_id, None)
            self._clock(change.member_id, change.duty)
        duty = self._duty(change.member_id)
        self._publish(None, _clocked(change, duty))
        if duty is not Duty.ON and self._on_duty(change.unit_id, Duty.ON) < self._least(change):
            for offer in self._open_to(change.unit_id):
                self._due.add(offer.incident_id, "unit_left", change.unit_id, change.at)
        return duty

    def _clock(self, member_id: MemberId, duty: Duty) -> None:
        self._members[member_id] = replace(self._members[member_id], duty=duty)

    def _duty(self, member_id: MemberId) -> Duty:
        return self._members[member_id].duty

    def _least(self, change: DutyChange) -> int:
        return self._units[change.unit_id].min_crew

    def _on_duty(self, unit_id: UnitId, duty: Duty) -> int:
        return sum(self._duty(m) is duty for m in self._crews.get(unit_id, ()))

    async def acknowledge(self, acks: Mapping[DeviceId, int], now: Instant) -> None:
        """Note up to which seq phones have their mail; first deliveries become facts."""
        refs = {(r, d) for d, seq in acks.items() for r in self._outbox.acknowledge(d, seq)}
        for ref, device_id in sorted(refs):
            if ref in self._jobs:
                self._note_delivered(ref, device_id, now)
                continue
            offer = self._offers[OfferId(ref)]
            if offer.delivered_at is None:
                self._offers[offer.id] = replace(offer, delivered_at=now)
                self._write_log(offer.incident_id, [_delivered(offer, now)])

    async def outbox(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]:
        """Return a phone's unacknowledged, unexpired mail above a seq, in order."""
        return list(self._outbox.waiting(device_id, after, limit, now))

    async def checkpoint(self, positions: Sequence[Position]) -> None:
        """Keep the newest position of units; an older one never overwrites."""
        for position in positions:
            known = self._positions.get(position.unit_id)
            if known is None or known.at < position.at:
                self._positions[position.unit_id] = position

    async def unit_rows(
        self, now: Instant, unit_ids: Sequence[UnitId] | None = None
    ) -> list[UnitRow]:
        """Return units with all that decides whether they may be asked."""
        wanted = self._units if unit_ids is None else self._units.keys() & set(unit_ids)
        return [self._unit_row(unit_id, now) for unit_id in sorted(wanted)]

    def _unit_row(self, unit_id: UnitId, now: Instant) -> UnitRow:
        offers, accepts = self._tallies.get(unit_id, (0, 0))
        asked = (self._offers[i].sent_at for i in self._offers_to.get(unit_id, ()))
        return UnitRow(
            unit=self._units[unit_id],
            on_duty=self._on_duty(unit_id, Duty.ON),
            paused=self._on_duty(unit_id, Duty.PAUSED),
            engaged=unit_id in self._active,
            open_offers=sum(o.state is OfferState.OPEN for o in self._open_to(unit_id)),
            offers=offers,
            accepts=accepts,
            asked_24h=sum(at > now - DAY for at in asked),
            pushable=self._pushable(unit_id),
            position=self._positions.get(unit_id),
        )

    def _pushable(self, unit_id: UnitId) -> int:
        streams = [s for s in self._outbox.streams(unit_id) if s.address is not None]
        return sum(self._duty(s.device.member_id) is Duty.ON for s in streams)

    async def crews(self, unit_ids: Sequence[UnitId] | None = None) -> list[Member]:
        """Return the members of units, without their telephone numbers."""
        wanted = self._crews.keys() if unit_ids is None else self._crews.keys() & set(unit_ids)
        ids = [m for unit_id in sorted(wanted) for m in sorted(self._crews[unit_id])]
        return [replace(self._members[m], tel="") for m in ids]

    async def identities(self, device_id: DeviceId | None = None) -> list[tuple[bytes, Identity]]:
        """Return every phone that may connect, or one, by the hash of each of its tokens."""
        return [
            (token.hash, self._identity(device, token))
            for device in self._outbox.devices()
            if device_id in {None, device.id}
            for token in self._tokens.of(device.id)
        ]

    async def identify(self, token_hash: bytes) -> Identity | None:
        """Return whose token this is; `None` is a look-up that says no."""
        return dict(await self.identities()).get(token_hash)

    async def add_token(
        self, device_id: DeviceId, token_hash: bytes, ends: Instant, old_ends: Instant
    ) -> Instant | None:
        """Give a phone one more token; return when its old one ends, `None` where it is revoked."""
        return self._tokens.add(device_id, token_hash, ends, old_ends)

    async def use_token(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None:
        """Let a token that was fetched be the only one of its phone."""
        self._tokens.use(device_id, token_hash, now)

    def _identity(self, device: Device, token: Token) -> Identity:
        return Identity(
            device_id=device.id,
            unit_id=device.unit_id,
            member_id=device.member_id,
            juris=self._units[device.unit_id].juris,
            head=device.head,
            acked=device.acked,
            push=self._address(device.id),
            expires_at=token.expires_at,
            unused=token.unused,
        )

    async def keys(self) -> list[Key]:
        """Return the API keys in force."""
        return list(self._keys.values())

    # Phones that sleep. ----------------------------------------------------------------------

    async def put_push_addresses(
        self, addresses: Mapping[DeviceId, PushAddress | None]
    ) -> list[UnitId]:
        """Keep where phones are woken; return the unit of each that changed."""
        streams = [s for d in addresses if (s := self._outbox.stream(d)) is not None]
        changed = [s for s in streams if s.address != addresses[s.device.id]]
        for stream in changed:
            stream.address = addresses[stream.device.id]
        return [stream.device.unit_id for stream in changed]

    async def drop_push_address(self, device_id: DeviceId, address: PushAddress) -> list[UnitId]:
        """Forget an address that leads nowhere, unless there is another by now."""
        if self._address(device_id) != address:
            return []
        return await self.put_push_addresses({device_id: None})

    def _address(self, device_id: DeviceId) -> PushAddress | None:
        stream = self._outbox.stream(device_id)
        return None if stream is None else stream.address

    async def unheard(
        self,
        asleep: Sequence[DeviceId],
        written_by: Instant,
        own_by: Instant,
        now: Instant,
        limit: int,
    ) -> list[Unheard]:
        """Return frames not acknowledged and not yet weighed, written by then, oldest first.

        Those of phones in `asleep` whenever they were written; those a phone caused itself (by a
        command answered in the same transaction) only when written by `own_by`.
        """
        return self._push.unheard(asleep, written_by, own_by, now, self._tel)[:limit]

    async def plan_pushes(
        self, weighed: Sequence[tuple[DeviceId, int]], pushes: Sequence[Push]
    ) -> None:
        """Note which frames were weighed, and the pushes that came of it; both once."""
        self._push.plan(weighed, pushes)

    async def claim_pushes(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int
    ) -> list[Claimed]:
        """Take what is due for `lease_s`, urgent first; what needs no try is settled instead."""
        return list(self._push.claim(limit, now, lease_s, sms_per_hour, self._tel))

    async def settle_push(self, settled: Settled, now: Instant) -> None:
        """Note how a try went; what is final stays, but for a yes that came late."""
        self._push.settle(settled)

    def _tel(self, member_id: MemberId) -> str:
        return self._members[member_id].tel

    # Reading. --------------------------------------------------------------------------------

    async def active_cases(self) -> list[Case]:
        """Return every case that is not over."""
        return [self._case(i) for i, row in sorted(self._incidents.items()) if not _is_over(row)]

    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of a jurisdiction, newest first, older than `before`."""
        found = [
            row
            for i, row in sorted(self._incidents.items(), reverse=True)
            if within(row.juris, scope)
            and (not status or row.status in status)
            and (before is None or i < before)
        ]
        return found[:limit]

    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]:
        """Return an incident's entries above n, oldest first."""
        return self._entries.get(incident_id, [])[after : after + limit]

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, in an order that never gains a line below it later."""
        return [self._about(logged) for logged in self._log[after.id : after.id + limit]]

    async def broken(self, most: int) -> list[Broken]:
        """Return where an invariant does not hold, at most `most` a rule.

        The rules that dicts keep by themselves (one task a unit, no gap in a log) are not asked.
        """
        found = {
            "no_clock_nor_owner": self._forgotten(),
            "clock_overdue": self._due.overdue(self._now() - OVERDUE),
            "assignment_on_final_incident": self._still_sent(),
            "offer_on_final_incident": self._still_asked(),
        }
        return [
            Broken(rule=rule, incident_id=incident_id)
            for rule, ids in found.items()
            for incident_id in sorted(set(ids))[:most]
        ]

    def _forgotten(self) -> list[IncidentId]:
        sent = {self._tasks[task_id].incident_id for task_id in self._active.values()}
        minded = sent | self._due.incidents()
        return [
            i
            for i, row in self._incidents.items()
            if row.status in WANTS_UNITS and row.owner is None and i not in minded
        ]

    def _still_sent(self) -> list[IncidentId]:
        tasks = (self._tasks[task_id] for task_id in self._active.values())
        return [t.incident_id for t in tasks if _is_over(self._incidents[t.incident_id])]

    def _still_asked(self) -> list[IncidentId]:
        asked = (o for o in self._offers.values() if o.state in OPEN_OFFER)
        return [o.incident_id for o in asked if _is_over(self._incidents[o.incident_id])]

    async def forget(self, now: Instant, most: int) -> int:
        """Delete answers and settled mail older than a day; return how many rows went."""
        old = sorted((r.at, key) for key, r in self._replies.items() if r.at < now - DAY)
        for _, key in old[:most]:
            del self._replies[key]
        self._forget_notices(now)
        return min(most, len(old)) + self._outbox.forget(now - DAY, now, most)

    async def registered(self) -> int:
        """Return a number that grows whenever what is registered changes."""
        return self._registered

    async def jurisdictions(self) -> list[Jurisdiction]:
        """Return all jurisdictions, ordered by path."""
        return [place for _, place in sorted(self._places.items())]

    async def epoch(self) -> str:
        """Return what names this store's history."""
        return self._epoch

    async def renew_epoch(self, epoch: str, device_id: DeviceId, seq: int) -> str:
        """Begin a new epoch after `epoch`, once, if a phone's `seq` was never given here.

        Return the one in force.
        """
        given = any(d.head >= seq for d in self._outbox.devices() if d.id == device_id)
        if epoch == self._epoch and not given:
            self._epoch = f"{epoch}+"
        return self._epoch

    def _case(self, incident_id: IncidentId) -> Case:
        offers, tasks = self._offers_of.get(incident_id, ()), self._tasks_of.get(incident_id, ())
        return Case(
            incident=self._incidents[incident_id],
            offers=tuple(self._offers[i] for i in sorted(offers)),
            assignments=tuple(self._tasks[i] for i in sorted(tasks)),
        )


def _merged(known: Offer | None, offer: Offer) -> Offer:
    """Return an offer as it is kept: facts beside its state are never lost by a decision."""
    if known is None:
        return offer
    return replace(
        offer,
        delivered_at=known.delivered_at or offer.delivered_at,
        seen_at=known.seen_at or offer.seen_at,
    )


def _is_over(incident: Incident) -> bool:
    return incident.status in OVER


def _delivered(offer: Offer, now: Instant) -> Entry:
    return Entry(
        type=Event.DELIVERED,
        by="device",
        via="app",
        at=now,
        unit_id=offer.unit_id,
        data={"offer": offer.id},
    )


def _clocked(change: DutyChange, duty: Duty) -> Entry:
    return Entry(
        type=Event.DUTY,
        by=change.member_id,
        via="app",
        at=change.at,
        unit_id=change.unit_id,
        data={"wanted": change.duty.value, "duty": duty.value},
    )
