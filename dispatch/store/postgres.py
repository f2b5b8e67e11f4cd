"""The store on PostgreSQL: the only arbiter of what was decided."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final, Self, TypeAlias

import asyncpg
import msgspec
import shapely

from dispatch.core.decision import Decision
from dispatch.core.errors import Invalid
from dispatch.core.events import Entry, Event
from dispatch.ports import (
    OUTBOX_MOST,
    AlreadyAnswered,
    Answer,
    Broken,
    Claimed,
    CodeTaken,
    Cursor,
    Due,
    DutyChange,
    Identity,
    Key,
    Loaded,
    Logged,
    Once,
    Outbox,
    Push,
    PushAddress,
    Sealed,
    Settled,
    StaleCase,
    StoreAway,
    Unheard,
    UnitTaken,
)
from dispatch.store import notice_statements as notice_sql
from dispatch.store import push_rows
from dispatch.store import push_statements as push_sql
from dispatch.store import statements as sql
from dispatch.store.alarms import PostgresAlarms
from dispatch.store.notices import PostgresNotices
from dispatch.store.unit_register import PostgresRegister
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, IncidentId, Instant, KeyId, MemberId, UnitId
from schemas.incident import Case, Incident
from schemas.unit import Capability, Duty, Member, Position, Unit, UnitKind, UnitRow

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"  # generic to type checkers only
Row: TypeAlias = asyncpg.Record

CONNECT_S: Final = 3.0
COMMAND_S: Final = 3.0
LOCK_MS: Final = 1000
DESK_CONNECTIONS: Final = 8
SIDE_CONNECTIONS: Final = 4
EPOCH_CHARS: Final = 16

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)
"""All that was seen around one crash of a server, and what it says when it is full or stuck."""

_case: Final = msgspec.json.Decoder(Case)
_incident: Final = msgspec.json.Decoder(Incident)
_posted: Final = msgspec.json.Decoder(list[dict[str, Any]])


class PostgresStore(PostgresRegister, PostgresNotices, PostgresAlarms):
    """Typed methods over two pools: decisions never queue behind reads and sweeps."""

    def __init__(self, desk: Pool, side: Pool) -> None:
        self._desk = desk
        self._side = side

    @classmethod
    async def open(cls, dsn: str) -> Self:
        """Connect both pools; raise `StoreAway` when the database does not answer."""
        with _translated():
            return cls(await _pool(dsn, DESK_CONNECTIONS), await _pool(dsn, SIDE_CONNECTIONS))

    async def close(self) -> None:
        """Let go of all connections."""
        self._desk.terminate()
        self._side.terminate()
        await asyncio.sleep(0)  # the loop closes what was cut before anybody ends it

    async def _rows(self, statement: str, *values: object) -> list[Row]:
        with _translated():
            return list(await self._side.fetch(statement, *values))

    # Decisions. ------------------------------------------------------------------------------

    async def load(self, incident_id: IncidentId | None, once: Once | None) -> Loaded:
        """Read the case and, under a command's id, the answer it already had."""
        scope, command = (once.scope, once.id) if once else (None, None)
        with _translated():
            row = await self._desk.fetchrow(sql.LOAD, incident_id, scope, command)
        assert row is not None, "the statement always returns one row"  # noqa: S101 - a fact of the SQL
        answered = row["status"] is not None
        return Loaded(
            case=_case.decode(row["found"]) if row["found"] else None,
            answer=Answer(status=row["status"], body=msgspec.Raw(row["body"].encode()))
            if answered
            else None,
            same_payload=not answered or once is None or row["digest"] == once.digest,
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
            UnitTaken: a unit has another active assignment; nothing was written.
            AlreadyAnswered: the command's id has an answer; nothing was written.
            StoreAway: not known whether it was written; load again before answering.
        """
        body = {
            "now": now,
            "version": decision.before.incident.version if decision.before else 0,
            "incident": decision.case.incident,
            "offers": decision.offers,
            "assignments": decision.assignments,
            "entries": decision.entries,
            "mail": decision.mail,
            "errands": decision.errands,
            "alarms": decision.alarms,
            "wake_at": decision.wake_at,
            **_reply(once, answer),
            **({} if due_id is None else {"due_id": due_id}),
        }
        with _translated():
            posted = await self._desk.fetchval(sql.COMMIT, _json(body), OUTBOX_MOST)
        return [
            Sealed(device_id=DeviceId(p["device"]), seq=p["seq"], mail=decision.mail[p["i"]])
            for p in _posted.decode(posted)
        ]

    async def remember(self, once: Once, answer: Answer, now: Instant) -> None:
        """Keep the answer of a command that changed nothing, so that its retry hears the same."""
        with _translated():
            await self._desk.execute(
                sql.REMEMBER,
                once.scope,
                once.id,
                once.digest,
                answer.status,
                bytes(answer.body).decode(),
                now,
            )

    async def incident_of(self, *, offer: str = "", assignment: str = "") -> IncidentId | None:
        """Return the incident an offer or an assignment belongs to."""
        statement = sql.INCIDENT_OF_OFFER if offer else sql.INCIDENT_OF_ASSIGNMENT
        with _translated():
            found = await self._desk.fetchval(statement, offer or assignment)
        return None if found is None else IncidentId(found)

    # Clocks. ---------------------------------------------------------------------------------

    async def claim_due(self, limit: int, now: Instant) -> list[Due]:
        """Take moments that have come, for ten seconds: a dead taker leaves them to others."""
        with _translated():
            rows = await self._side.fetch(sql.CLAIM_DUE, limit, now)
        return [
            Due(id=r["id"], incident_id=r["incident_id"], kind=r["kind"], unit_id=r["unit_id"])
            for r in rows
        ]

    async def next_due(self) -> Instant | None:
        """Return the nearest moment to come."""
        with _translated():
            at: Instant | None = await self._side.fetchval(sql.NEXT_DUE)
        return at

    async def drop_due(self, due_id: int) -> None:
        """Forget a moment that turned out to mean nothing."""
        with _translated():
            await self._side.execute(sql.DROP_DUE, due_id)

    async def now(self) -> Instant:
        """Return the database's time."""
        with _translated():
            at: Instant = await self._side.fetchval(sql.NOW)
        return at

    # Members, phones, positions. -------------------------------------------------------------

    async def set_duty(self, change: DutyChange, once: Once, answer: Answer) -> Duty:
        """Clock a member in or out; return the duty now in force (leaving waits while engaged)."""
        body = {**msgspec.structs.asdict(change), **_reply(once, answer)}
        with _translated():
            return Duty(await self._desk.fetchval(sql.SET_DUTY, _json(body)))

    async def acknowledge(self, acks: Mapping[DeviceId, int], now: Instant) -> None:
        """Note up to which seq phones have their mail; first deliveries become facts."""
        with _translated():
            await self._side.execute(sql.ACKNOWLEDGE, _json(acks), now)

    async def outbox(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]:
        """Return a phone's unacknowledged, unexpired mail above a seq, in order."""
        with _translated():
            rows = await self._side.fetch(sql.OUTBOX, device_id, after, now, limit)
        return [
            Outbox(seq=r["seq"], at=r["at"], frame=msgspec.Raw(r["frame"].encode())) for r in rows
        ]

    async def checkpoint(self, positions: Sequence[Position]) -> None:
        """Keep the newest position of units; an older one never overwrites."""
        columns: list[list[Any]] = [
            [p.unit_id for p in positions],
            [p.lon for p in positions],
            [p.lat for p in positions],
            [p.acc_m for p in positions],
            [p.at for p in positions],
        ]
        with _translated():
            await self._side.execute(sql.CHECKPOINT, *columns)

    async def unit_rows(
        self, now: Instant, unit_ids: Sequence[UnitId] | None = None
    ) -> list[UnitRow]:
        """Return units with all that decides whether they may be asked."""
        with _translated():
            rows = await self._side.fetch(sql.UNIT_ROWS, unit_ids, now, timeout=30)
        return [_unit_row(r) for r in rows]

    async def crews(self, unit_ids: Sequence[UnitId] | None = None) -> list[Member]:
        """Return the members of units, without their telephone numbers."""
        with _translated():
            rows = await self._side.fetch(sql.CREWS, unit_ids, timeout=30)
        return [
            Member(
                id=MemberId(r["id"]),
                unit_id=UnitId(r["unit_id"]),
                name=r["name"],
                leader=r["leader"],
                duty=Duty(r["duty"]),
            )
            for r in rows
        ]

    async def identities(self, device_id: DeviceId | None = None) -> list[tuple[bytes, Identity]]:
        """Return every phone that may connect, or one, by the hash of each of its tokens."""
        with _translated():
            rows = await self._side.fetch(sql.IDENTITIES, None, device_id, timeout=30)
        return [(r["token_hash"], _identity(r)) for r in rows]

    async def identify(self, token_hash: bytes) -> Identity | None:
        """Return whose token this is; `None` is a look-up that says no."""
        with _translated():
            row = await self._side.fetchrow(sql.IDENTITIES, token_hash, None)
        return None if row is None else _identity(row)

    async def add_token(
        self, device_id: DeviceId, token_hash: bytes, ends: Instant, old_ends: Instant
    ) -> Instant | None:
        """Give a phone one more token; return when its old one ends, `None` where it is revoked."""
        with _translated():
            till: Instant | None = await self._side.fetchval(
                sql.ADD_TOKEN, device_id, token_hash, ends, old_ends
            )
        return till

    async def use_token(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None:
        """Let a token that was fetched be the only one of its phone."""
        with _translated():
            await self._side.execute(sql.USE_TOKEN, device_id, token_hash, now)

    async def keys(self) -> list[Key]:
        """Return the API keys in force."""
        with _translated():
            rows = await self._side.fetch(sql.KEYS)
        return [
            Key(id=KeyId(r["id"]), name=r["name"], role=r["role"], juris=r["juris"], hash=r["hash"])
            for r in rows
        ]

    # Phones that sleep. ----------------------------------------------------------------------

    async def put_push_addresses(
        self, addresses: Mapping[DeviceId, PushAddress | None]
    ) -> list[UnitId]:
        """Keep where phones are woken; return the unit of each that changed."""
        columns = (
            list(addresses),
            [to and to.kind for to in addresses.values()],
            [to and to.a for to in addresses.values()],
        )
        with _translated():
            rows = await self._side.fetch(push_sql.PUT_PUSH_ADDRESSES, *columns)
        return [UnitId(r["unit_id"]) for r in rows]

    async def drop_push_address(self, device_id: DeviceId, address: PushAddress) -> list[UnitId]:
        """Forget an address that leads nowhere, unless there is another by now."""
        with _translated():
            rows = await self._side.fetch(
                push_sql.DROP_PUSH_ADDRESS, device_id, address.kind, address.a
            )
        return [UnitId(r["unit_id"]) for r in rows]

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
        with _translated():
            rows = await self._side.fetch(push_sql.UNHEARD, asleep, written_by, own_by, now, limit)
        return [push_rows.unheard(r) for r in rows]

    async def plan_pushes(
        self, weighed: Sequence[tuple[DeviceId, int]], pushes: Sequence[Push]
    ) -> None:
        """Note which frames were weighed, and the pushes that came of it; both once."""
        columns = [device for device, _ in weighed], [seq for _, seq in weighed]
        with _translated():
            await self._side.execute(push_sql.PLAN_PUSHES, *columns, _json(pushes))

    async def claim_pushes(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int
    ) -> list[Claimed]:
        """Take what is due for `lease_s`, urgent first; what needs no try is settled instead."""
        with _translated():
            rows = await self._side.fetch(push_sql.CLAIM_PUSHES, limit, now, lease_s, sms_per_hour)
        return [push_rows.claimed(r) for r in rows]

    async def settle_push(self, settled: Settled, now: Instant) -> None:
        """Note how a try went; what is final stays, but for a yes that came late."""
        with _translated():
            await self._side.execute(
                push_sql.SETTLE_PUSH,
                settled.device_id,
                settled.seq,
                settled.channel,
                settled.state,
                settled.next_at,
                settled.note,
                now,
            )

    # Reading. --------------------------------------------------------------------------------

    async def active_cases(self) -> list[Case]:
        """Return every case that is not over."""
        with _translated():
            rows = await self._side.fetch(sql.ACTIVE_CASES, timeout=30)
        return [_case.decode(r["found"]) for r in rows]

    async def incidents(
        self, scope: str, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of a jurisdiction, newest first, older than `before`."""
        with _translated():
            rows = await self._side.fetch(sql.INCIDENTS, scope, status, before, limit)
        return [_incident.decode(r["found"]) for r in rows]

    async def timeline(self, incident_id: IncidentId, after: int, limit: int) -> list[Entry]:
        """Return an incident's entries above n, oldest first."""
        with _translated():
            rows = await self._side.fetch(sql.TIMELINE, incident_id, after, limit)
        return [_entry(r) for r in rows]

    async def registered(self) -> int:
        """Return a number that has grown whenever units, members, phones or places changed."""
        with _translated():
            number: int = await self._side.fetchval(sql.REGISTERED)
        return number

    async def jurisdictions(self) -> list[Jurisdiction]:
        """Return all jurisdictions, ordered by path."""
        with _translated():
            rows = await self._side.fetch(sql.JURISDICTIONS, timeout=30)
        shapes = shapely.from_wkb([r["polygon"] for r in rows])
        return [
            Jurisdiction(path=r["path"], name=r["name"], polygon=shape)
            for r, shape in zip(rows, shapes, strict=True)
        ]

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, in an order that never gains a line below it later."""
        with _translated():
            rows = await self._side.fetch(sql.EVENTS, after.xid, after.id, limit)
        return [
            Logged(
                cursor=Cursor(xid=r["xid"], id=r["id"]),
                incident_id=r["incident_id"],
                entry=_entry(r),
                juris=r["juris"],
                source=r["source"],
                ext_id=r["ext_id"],
                ext_rev=r["ext_rev"],
            )
            for r in rows
        ]

    async def broken(self, most: int) -> list[Broken]:
        """Return where an invariant does not hold, at most `most` rows a rule."""
        found = []
        for rule, statement in sql.INVARIANTS.items():
            with _translated():
                rows = await self._side.fetch(statement, most)
            found += [Broken(rule=rule, incident_id=r[0]) for r in rows]
        return found

    async def forget(self, now: Instant, most: int) -> int:
        """Delete answers and settled mail older than a day; return how many rows went."""
        gone = 0
        for statement in (sql.FORGET_REPLIES, sql.FORGET_MAIL, *notice_sql.FORGET):
            with _translated():
                done = await self._side.execute(statement, now, most)
            gone += int(done.rsplit(" ", 1)[1])
        return gone

    async def epoch(self) -> str:
        """Return what names this database's history: it changes with promotion and restore."""
        with _translated():
            text: str = await self._side.fetchval(sql.EPOCH)
        return sha256(text.encode()).hexdigest()[:EPOCH_CHARS]

    async def renew_epoch(self, epoch: str, device_id: DeviceId, seq: int) -> str:
        """Begin a new epoch after `epoch`, once, if a phone's `seq` was never given here.

        Return the one in force.
        """
        with _translated():
            await self._side.execute(sql.RENEW_EPOCH, EPOCH_CHARS, epoch, device_id, seq)
        return await self.epoch()


async def _pool(dsn: str, most: int) -> Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=most,
        max_size=most,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        max_inactive_connection_lifetime=0,
        server_settings={
            "application_name": "kapok",
            "timezone": "UTC",
            "lock_timeout": str(LOCK_MS),
            "jit": "off",
        },
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver and the functions raise into what the ports promise."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _meaning(error) from error
    except AWAY as error:
        raise StoreAway(str(error)) from error


def _meaning(error: asyncpg.PostgresError) -> Exception:
    if error.sqlstate == "KP001":
        return StaleCase()
    if error.sqlstate == "KP002":
        return UnitTaken([UnitId(u) for u in (error.detail or "").split()])
    if error.sqlstate == "KP003":
        return AlreadyAnswered()
    if error.sqlstate == "KP004":
        return CodeTaken()
    if isinstance(error, asyncpg.DataError):
        return Invalid("a text or a number in it cannot be stored")
    return StoreAway(str(error)) if isinstance(error, AWAY) else error


def _json(body: object) -> str:
    return msgspec.json.encode(body).decode()


def _reply(once: Once | None, answer: Answer | None) -> dict[str, Any]:
    if once is None or answer is None:
        return {}
    kept = {"scope": once.scope, "id": once.id, "digest": once.digest}
    return {"reply": {**kept, "status": answer.status, "body": answer.body}}


def _entry(r: Row) -> Entry:
    return Entry(
        n=r["n"] or 0,
        type=Event(r["type"]),
        by=r["by"],
        via=r["via"],
        at=r["at"],
        unit_id=r["unit_id"],
        data=msgspec.json.decode(r["data"]),
    )


def _identity(r: Row) -> Identity:
    return Identity(
        device_id=DeviceId(r["id"]),
        unit_id=UnitId(r["unit_id"]),
        member_id=MemberId(r["member_id"]),
        juris=r["juris"],
        head=r["head"],
        acked=r["acked"],
        push=push_rows.address(r["push_kind"], r["push_to"]),
        expires_at=r["expires_at"],
        unused=r["unused"],
    )


def _unit_row(r: Row) -> UnitRow:
    unit = Unit(
        id=UnitId(r["id"]),
        code=r["code"],
        name=r["name"],
        kind=UnitKind(r["kind"]),
        juris=r["juris"],
        lon=r["lon"],
        lat=r["lat"],
        moves=Moves(r["moves"]),
        capabilities=tuple(Capability(c) for c in r["capabilities"]),
        min_crew=r["min_crew"],
        fixed=r["fixed"],
        disabled=r["disabled"],
    )
    return UnitRow(
        unit=unit,
        on_duty=r["on_duty"],
        paused=r["paused"],
        engaged=r["engaged"],
        open_offers=r["ringing"],
        offers=r["offers"],
        accepts=r["accepts"],
        asked_24h=r["asked"],
        pushable=r["pushable"],
        position=None if r["at"] is None else _position(r),
    )


def _position(r: Row) -> Position:
    return Position(
        unit_id=UnitId(r["id"]), lon=r["p_lon"], lat=r["p_lat"], acc_m=r["acc_m"], at=r["at"]
    )
