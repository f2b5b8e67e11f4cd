"""The registrar's part of the desk: units, members and phones, changed one at a time, once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from dispatch.auth import DEVICE_PREFIX, Grant, Right, token_hash
from dispatch.core.commands import Place
from dispatch.core.errors import (
    Conflict,
    Forbidden,
    IdReuse,
    Invalid,
    NotFound,
    Overloaded,
    Unavailable,
)
from dispatch.core.events import Entry, Event
from dispatch.desk import answers
from dispatch.desk.consent import event
from dispatch.desk.desk import API, Desk, Outcome
from dispatch.live.room import Work
from dispatch.ports import (
    AlreadyAnswered,
    Answer,
    Code,
    CodeTaken,
    DutyOrder,
    Enrolling,
    MemberChange,
    Once,
    Phone,
    StaleCase,
    StoreAway,
    UnitChange,
    UnitTaken,
    masked,
)
from geo.jurisdiction import within
from schemas import register as rest
from schemas.base import DeviceId, MemberId, UnitId
from schemas.unit import Duty, Member, Unit, UnitRow

TRIES: Final = 6
PAUSE_S: Final = 0.1
CODE_LIFE: Final = timedelta(minutes=10)
CODE_TRIES: Final = 5
CODE_NAME_CHARS: Final = 3
"""The first characters of a code say which one it is; wrong guesses at the rest are counted."""
NAMES_TRIED: Final = 20
OPERATOR: Final = "operator"

Attempt = Callable[[], Awaitable[Answer]]


class Register:
    """Changes of units, members and phones. Each is written with its line in the log.

    While the store is nearly full, what adds to it is refused; what takes a right away never is.
    """

    def __init__(
        self, desk: Desk, *, new_code: Callable[[], str], new_token: Callable[[str], str]
    ) -> None:
        self._desk = desk
        self._store = desk.store
        self._clock = desk.clock
        self._new_code = new_code
        self._new_token = new_token

    # Units. ----------------------------------------------------------------------------------

    async def create(self, body: rest.CreateUnit, grant: Grant, once: Once) -> Outcome:
        """Add a unit. It can be asked as soon as its crew clocks in."""
        grant.require(Right.CHANGE_UNITS)
        place = self._desk.place(body.home, grant.juris)
        unit = Unit(
            id=UnitId(self._clock.new_id()),
            code=body.code,
            name=body.name,
            kind=body.kind,
            juris=self._jurisdiction(body.jurisdiction, grant) or place.juris,
            lon=place.lon,
            lat=place.lat,
            moves=body.moves,
            capabilities=body.capabilities,
            min_crew=body.min_crew,
            fixed=body.fixed,
        )

        async def attempt() -> Answer:
            self._desk.room.require(Work.REGISTRATIONS)
            entry = self._entry(Event.UNIT_CREATED, unit.id, grant, after=_told(unit))
            change = UnitChange(before=None, after=unit, entry=entry)
            return await self._written(change, UnitRow(unit=unit), once, answers.CREATED)

        return await self._run(once, attempt)

    async def change(
        self, unit_id: UnitId, body: rest.ChangeUnit, grant: Grant, once: Once
    ) -> Outcome:
        """Change what is given of a unit."""
        place = self._desk.place(body.home, grant.juris) if body.home else None
        juris = self._jurisdiction(body.jurisdiction, grant)

        def changed(unit: Unit) -> Unit:
            self._desk.room.require(Work.REGISTRATIONS)
            return _changed(unit, body, place, juris)

        return await self._change_unit(unit_id, Event.UNIT_CHANGED, changed, grant, once)

    async def disable(
        self, unit_id: UnitId, body: rest.DisableUnit, grant: Grant, once: Once
    ) -> Outcome:
        """Let nobody ask a unit; its offers are withdrawn and its phones cut off."""

        def changed(unit: Unit) -> Unit:
            if unit.disabled:
                raise Conflict("the unit is disabled already", state="disabled")
            return replace(unit, disabled=True)

        done = await self._change_unit(
            unit_id, Event.UNIT_DISABLED, changed, grant, once, why=body.why
        )
        self._desk.cut_off_unit(unit_id)
        self._desk.poke.set()
        return done

    async def enable(
        self, unit_id: UnitId, body: rest.EnableUnit, grant: Grant, once: Once
    ) -> Outcome:
        """Let a unit be asked again, once its crew clocks in."""

        def changed(unit: Unit) -> Unit:
            if not unit.disabled:
                raise Conflict("the unit is not disabled", state="enabled")
            return replace(unit, disabled=False)

        return await self._change_unit(
            unit_id, Event.UNIT_ENABLED, changed, grant, once, why=body.why
        )

    async def clock(
        self, unit_id: UnitId, body: rest.ClockMembers, grant: Grant, once: Once
    ) -> Outcome:
        """Clock members in or out on an operator's word; on a call, leaving waits."""

        async def attempt() -> Answer:
            row = await self._row(unit_id, grant, Right.SET_DUTY)
            if row.unit.disabled and body.duty is not Duty.OFF:
                raise Conflict("the unit is disabled", state="disabled")
            crew = _meant(await self._store.members(unit_id), body)
            waits = row.engaged and body.duty is not Duty.ON
            shown = crew if waits else [replace(m, duty=body.duty) for m in crew]
            order = DutyOrder(
                unit_id=unit_id,
                member_ids=tuple(m.id for m in crew),
                duty=body.duty,
                by=_by(grant),
                via=OPERATOR,
                at=self._clock.now(),
            )
            answer = _answer(rest.Members(items=[_member_view(m) for m in shown]))
            await self._store.clock_members(order, once, answer)
            await self._desk.renewed([unit_id])
            self._desk.poke.set()
            return answer

        return await self._run(once, attempt)

    async def _change_unit(
        self,
        unit_id: UnitId,
        event: Event,
        changed: Callable[[Unit], Unit],
        grant: Grant,
        once: Once,
        **data: Any,
    ) -> Outcome:
        async def attempt() -> Answer:
            row = await self._row(unit_id, grant, Right.CHANGE_UNITS)
            after = changed(row.unit)
            entry = self._entry(event, unit_id, grant, **_difference(row.unit, after), **data)
            change = UnitChange(before=row.unit, after=after, entry=entry)
            clocked = {"on_duty": 0, "paused": 0, "open_offers": 0} if after.disabled else {}
            return await self._written(
                change, replace(row, unit=after, **clocked), once, answers.DONE
            )

        return await self._run(once, attempt)

    async def _written(self, change: UnitChange, row: UnitRow, once: Once, status: int) -> Answer:
        view = answers.registered_view(self._desk.fleet, row, self._clock.now())
        answer = _answer(view, status)
        await self._store.register_unit(change, once, answer)
        rows = await self._store.unit_rows(self._clock.now(), [row.unit.id])
        for fresh in rows:
            self._desk.fleet.add(fresh)
        await self._desk.renewed([row.unit.id])
        return answer

    def _jurisdiction(self, path: str | None, grant: Grant) -> str | None:
        """Return the jurisdiction a body names, where it is one, and the asker's."""
        if path is None:
            return None
        if self._desk.places.get(path) is None:
            raise Invalid("there is no such jurisdiction", path="$.jurisdiction")
        if not within(path, grant.juris):
            raise Forbidden("the jurisdiction is not under yours")
        return path

    async def _row(self, unit_id: UnitId, grant: Grant, right: Right) -> UnitRow:
        """Return a unit of the asker's jurisdiction, as it is on disk."""
        grant.require(right)
        rows = await self._store.unit_rows(self._clock.now(), [unit_id])
        if not rows or not within(rows[0].unit.juris, grant.juris):
            raise NotFound("no such unit")
        return rows[0]

    # Members. --------------------------------------------------------------------------------

    async def members(self, unit_id: UnitId, grant: Grant) -> rest.Members:
        """Return a unit's members, their numbers masked."""
        with _available():
            await self._row(unit_id, grant, Right.SEE_UNITS)
            found = await self._store.members(unit_id)
        return rest.Members(items=[_member_view(m) for m in found])

    async def add_member(
        self, unit_id: UnitId, body: rest.AddMember, grant: Grant, once: Once
    ) -> Outcome:
        """Add a person to a unit, off duty."""

        async def attempt() -> Answer:
            await self._row(unit_id, grant, Right.CHANGE_UNITS)
            self._desk.room.require(Work.REGISTRATIONS)
            if len(await self._store.members(unit_id)) >= rest.MEMBERS_MOST:
                raise Conflict(f"a unit has at most {rest.MEMBERS_MOST} members", state="full")
            member = Member(id=MemberId(self._clock.new_id()), unit_id=unit_id, **asdict(body))
            entry = self._entry(Event.MEMBER_ADDED, unit_id, grant, member=member.id)
            change = MemberChange(member_id=member.id, new=True, changes=asdict(body), entry=entry)
            return await self._put_member(change, member, once, answers.CREATED)

        return await self._run(once, attempt)

    async def change_member(
        self, member_id: MemberId, body: rest.ChangeMember, grant: Grant, once: Once
    ) -> Outcome:
        """Change what is given of a member; the log keeps which fields, not what was in them."""
        changes = _given(body)

        async def attempt() -> Answer:
            member = await self._member(member_id, grant)
            if not changes:
                raise Invalid("nothing to change", path="$")
            entry = self._told_change(member, changes, grant)
            change = MemberChange(member_id=member_id, new=False, changes=changes, entry=entry)
            return await self._put_member(change, replace(member, **changes), once, answers.DONE)

        return await self._run(once, attempt)

    def _told_change(self, member: Member, changes: Mapping[str, Any], grant: Grant) -> Entry:
        """Return the line of the log: a consent with its policy, of all else the fields only."""
        told: dict[str, Any] = {"member": member.id, "fields": [*changes]}
        if "consent" not in changes:
            return self._entry(Event.MEMBER_CHANGED, member.unit_id, grant, **told)
        policy = changes["consent"]
        return self._entry(event(policy), member.unit_id, grant, policy=policy, **told)

    async def _put_member(
        self, change: MemberChange, member: Member, once: Once, status: int
    ) -> Answer:
        shown = member
        if "tel" in change.changes:
            shown = replace(member, tel=masked(member.tel))
        answer = _answer(_member_view(shown), status)
        await self._store.register_member(change, once, answer)
        await self._desk.renewed([member.unit_id])
        return answer

    async def _member(self, member_id: MemberId, grant: Grant) -> Member:
        """Return a member of a unit of the asker's jurisdiction."""
        grant.require(Right.CHANGE_UNITS)
        found = await self._store.member(member_id)
        if found is None:
            raise NotFound("no such member")
        try:
            await self._row(found.unit_id, grant, Right.CHANGE_UNITS)
        except NotFound:
            raise NotFound("no such member") from None
        return found

    # Phones. ---------------------------------------------------------------------------------

    async def issue_code(self, member_id: MemberId, grant: Grant) -> rest.EnrolCode:
        """Make a code by which the member's phone is enrolled; an earlier one is void."""
        with _available():
            member = await self._member(member_id, grant)
            self._desk.room.require(Work.REGISTRATIONS)
            now = self._clock.now()
            entry = self._entry(Event.CODE_ISSUED, member.unit_id, grant, member=member_id)
            for _ in range(NAMES_TRIED):
                text = self._new_code()
                code = Code(
                    name=text[:CODE_NAME_CHARS],
                    hash=_code_hash(text),
                    member_id=member_id,
                    expires_at=now + CODE_LIFE,
                    entry=entry,
                )
                if await self._store.put_code(code):
                    return rest.EnrolCode(code=text, expires_at=code.expires_at, tries=CODE_TRIES)
        raise Overloaded("too many codes are open")

    async def enrol(self, body: rest.EnrolDevice) -> rest.Enrolled:
        """Give a phone its token for a code; the member's earlier phone is cut off."""
        self._desk.room.require(Work.REGISTRATIONS)
        text = _plain(body.code)
        token = self._new_token(DEVICE_PREFIX)
        enrolling = Enrolling(
            name=text[:CODE_NAME_CHARS],
            hash=_code_hash(text),
            device_id=DeviceId(self._clock.new_id()),
            token_hash=token_hash(token),
            at=self._clock.now(),
            most=CODE_TRIES,
        )
        with _available():
            phone = await self._store.enrol(enrolling)
            if phone is None:
                raise NotFound("there is no such code, or it is over")
            self._desk.cut_off(phone.id)
            self._desk.roster.put_tokens(phone.id, await self._store.identities(phone.id))
        return rest.Enrolled(
            token=token, device_id=phone.id, unit_id=phone.unit_id, member_id=phone.member_id
        )

    async def devices(self, unit_id: UnitId, grant: Grant) -> rest.Devices:
        """Return a unit's phones, revoked ones too."""
        with _available():
            await self._row(unit_id, grant, Right.CHANGE_UNITS)
            found = await self._store.devices(unit_id)
        return rest.Devices(items=[_device_view(phone) for phone in found])

    async def revoke(
        self, device_id: DeviceId, body: rest.RevokeDevice, grant: Grant, once: Once
    ) -> Outcome:
        """Let a phone open nothing any more; its socket is closed."""

        async def attempt() -> Answer:
            phone = await self._device(device_id, grant)
            entry = self._entry(
                Event.DEVICE_REVOKED, phone.unit_id, grant, device=device_id, why=body.why
            )
            shown = replace(phone, revoked_at=phone.revoked_at or entry.at)
            answer = _answer(_device_view(shown))
            await self._store.revoke_device(device_id, entry, once, answer)
            return answer

        done = await self._run(once, attempt)
        self._desk.roster.put_tokens(device_id, ())
        self._desk.cut_off(device_id)
        return done

    async def _device(self, device_id: DeviceId, grant: Grant) -> Phone:
        grant.require(Right.CHANGE_UNITS)
        found = await self._store.device(device_id)
        if found is None:
            raise NotFound("no such device")
        try:
            await self._row(found.unit_id, grant, Right.CHANGE_UNITS)
        except NotFound:
            raise NotFound("no such device") from None
        return found

    # Once. -----------------------------------------------------------------------------------

    async def _run(self, once: Once, attempt: Attempt) -> Outcome:
        """Try until it is written, or was before; what others changed is looked at anew."""
        for _ in range(TRIES):
            try:
                loaded = await self._store.load(None, once)
                if loaded.answer is None:
                    return Outcome(answer=await attempt())
                if not loaded.same_payload:
                    raise IdReuse("this id was used with another payload")
                return Outcome(answer=loaded.answer, replayed=True)
            except (AlreadyAnswered, StaleCase):
                continue
            except CodeTaken as taken:
                raise Conflict("another unit has this code", state="code_taken") from taken
            except UnitTaken as taken:
                raise Conflict("the unit is on a call", state="engaged") from taken
            except StoreAway:
                await asyncio.sleep(PAUSE_S)
        raise Unavailable("the store does not answer; try again")

    def _entry(self, event: Event, unit_id: UnitId, grant: Grant, **data: Any) -> Entry:
        return Entry(
            type=event, by=_by(grant), via=API, at=self._clock.now(), unit_id=unit_id, data=data
        )


@contextmanager
def _available() -> Iterator[None]:
    """Say honestly that a look needs the store."""
    try:
        yield
    except StoreAway as away:
        raise Unavailable("the store does not answer; try again") from away


def _changed(unit: Unit, body: rest.ChangeUnit, place: Place | None, juris: str | None) -> Unit:
    changes = {
        name: value
        for name, value in asdict(body).items()
        if value is not None and name not in {"home", "jurisdiction"}
    }
    if place is not None:
        changes |= {"lon": place.lon, "lat": place.lat}
    if juris is not None:
        changes["juris"] = juris
    if not changes:
        raise Invalid("nothing to change", path="$")
    return replace(unit, **changes)


def _given(body: rest.ChangeMember) -> dict[str, Any]:
    """Return what is to be other; of all fields only consent may become nothing."""
    given = {name: value for name, value in asdict(body).items() if value is not None}
    given["consent"] = body.consent
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}


def _difference(before: Unit, after: Unit) -> Mapping[str, Any]:
    was, now = _told(before), _told(after)
    names = [name for name in was if was[name] != now[name]]
    return {"before": {n: was[n] for n in names}, "after": {n: now[n] for n in names}}


def _told(unit: Unit) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(unit)
    del told["id"]
    return told


def _meant(crew: list[Member], body: rest.ClockMembers) -> list[Member]:
    """Return the members meant; refuse what the table of duty does not hold."""
    wanted = set(body.members) if body.members is not None else {m.id for m in crew}
    if unknown := wanted - {m.id for m in crew}:
        raise Invalid(f"no member of this unit: {min(unknown)}", path="$.members")
    meant = [m for m in crew if m.id in wanted]
    if body.duty is Duty.PAUSED:
        idle = [m for m in meant if m.duty is Duty.OFF]
        if idle and body.members is not None:
            raise Conflict("who is off duty cannot pause", state="off")
        meant = [m for m in meant if m.duty is not Duty.OFF]
    return meant


def _by(grant: Grant) -> str:
    return f"key:{grant.key_id}"


def _plain(code: str) -> str:
    return code.upper().replace("-", "").replace(" ", "")


def _code_hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


def _member_view(member: Member) -> rest.MemberView:
    return msgspec.convert(member, rest.MemberView, from_attributes=True)


def _device_view(phone: Phone) -> rest.DeviceView:
    return msgspec.convert(phone, rest.DeviceView, from_attributes=True)


def _answer(view: object, status: int = answers.DONE) -> Answer:
    return Answer(status=status, body=msgspec.Raw(msgspec.json.encode(view)))
