"""What is registered before a dispatch: jurisdictions, units, members, phones, keys."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, TypeVar

import msgspec
import shapely

from dispatch.store import statements as sql
from dispatch.store.connection import Connection, connected
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, KeyId, MemberId, Record, UnitId
from schemas.unit import Member, Unit

T = TypeVar("T")

BATCH: Final = 500
"""Rows a statement: an offer never waits long behind a change of many (architecture)."""


class Changes(Record, frozen=True, kw_only=True):
    """How many rows a change of many touched; the rest stood already as given."""

    added: int = 0
    changed: int = 0


class IssuedDevice(Record, frozen=True, kw_only=True):
    """A phone to be known by the hash of its token."""

    id: DeviceId
    unit_id: UnitId
    member_id: MemberId
    token_hash: bytes


class KeyRow(Record, frozen=True, kw_only=True):
    """An API key as an operator may see it: never its token."""

    id: KeyId
    name: str
    role: str
    juris: str
    created_at: datetime
    revoked_at: datetime | None


class Registry:
    """Changes of many rows over one connection, outside the desk: nothing of it is a decision."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make everything inside happen, or nothing."""
        async with self._connection.transaction():
            yield

    async def jurisdictions(self) -> list[Jurisdiction]:
        """Return all jurisdictions, ordered by path."""
        rows = await self._connection.fetch(sql.JURISDICTIONS)
        shapes = shapely.from_wkb([r["polygon"] for r in rows])
        return [
            Jurisdiction(path=r["path"], name=r["name"], polygon=shape)
            for r, shape in zip(rows, shapes, strict=True)
        ]

    async def put_jurisdictions(self, jurisdictions: Sequence[Jurisdiction]) -> int:
        """Add or change jurisdictions; return how many were not already so."""
        touched = 0
        for some in _batches(jurisdictions):
            shapes = [bytes(w) for w in shapely.to_wkb([j.polygon for j in some])]
            rows = await self._connection.fetch(
                sql.PUT_JURISDICTIONS, [j.path for j in some], [j.name for j in some], shapes
            )
            touched += len(rows)
        return touched

    async def unit_ids(self) -> Mapping[str, UnitId]:
        """Return the ids of all units by their code."""
        rows = await self._connection.fetch(sql.UNIT_CODES)
        return {r["code"]: UnitId(r["id"]) for r in rows}

    async def put_units(self, units: Sequence[Unit]) -> Changes:
        """Add units, or change those of the same code; ids, offers and duty stay."""
        added = changed = 0
        for some in _batches(units):
            rows = await self._connection.fetch(sql.PUT_UNITS, _json(some))
            added += sum(r["added"] for r in rows)
            changed += sum(not r["added"] for r in rows)
        return Changes(added=added, changed=changed)

    async def members(self) -> list[Member]:
        """Return all members with their numbers, for an import to compare with."""
        rows = await self._connection.fetch(sql.MEMBERS)
        return [
            Member(
                id=MemberId(r["id"]),
                unit_id=UnitId(r["unit_id"]),
                name=r["name"],
                tel=r["tel"],
                leader=r["leader"],
            )
            for r in rows
        ]

    async def put_members(self, members: Sequence[Member]) -> int:
        """Add or change members; return how many were not already so."""
        touched = 0
        for some in _batches(members):
            touched += len(await self._connection.fetch(sql.PUT_MEMBERS, _json(some)))
        return touched

    async def set_duties(self, on: Iterable[MemberId]) -> None:
        """Put exactly these members on duty."""
        await self._connection.execute(sql.SET_ALL_DUTIES, list(on))

    async def put_devices(self, devices: Sequence[IssuedDevice]) -> int:
        """Give members their phones; a member's earlier phone is cut off by its new token."""
        issued = 0
        for some in _batches(devices):
            columns = (
                [d.id for d in some],
                [d.unit_id for d in some],
                [d.member_id for d in some],
                [d.token_hash for d in some],
            )
            issued += len(await self._connection.fetch(sql.PUT_DEVICES, *columns))
        return issued

    async def device_ids(self) -> Mapping[MemberId, DeviceId]:
        """Return each member's device."""
        rows = await self._connection.fetch(sql.DEVICE_IDS)
        return {MemberId(r["member_id"]): DeviceId(r["id"]) for r in rows}

    async def analyze(self) -> None:
        """Let the planner know the tables after a change of many rows."""
        await self._connection.execute(sql.ANALYZE)

    async def put_key(self, key: KeyId, name: str, role: str, juris: str, hash_: bytes) -> None:
        """Add an API key."""
        await self._connection.execute(sql.PUT_KEY, key, name, role, juris, hash_)

    async def keys(self) -> list[KeyRow]:
        """Return all API keys, revoked ones too, oldest first."""
        rows = await self._connection.fetch(sql.ALL_KEYS)
        return [
            KeyRow(
                id=KeyId(r["id"]),
                name=r["name"],
                role=r["role"],
                juris=r["juris"],
                created_at=r["created_at"],
                revoked_at=r["revoked_at"],
            )
            for r in rows
        ]

    async def revoke_key(self, key: KeyId) -> bool:
        """Let a key open nothing any more; `False` where none was in force."""
        return await self._connection.fetchval(sql.REVOKE_KEY, key) is not None


@asynccontextmanager
async def registry(dsn: str) -> AsyncIterator[Registry]:
    """Open the registry of a database; raise as `connected` does."""
    async with connected(dsn) as connection:
        yield Registry(connection)


def _batches(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


def _json(body: object) -> str:
    return msgspec.json.encode(body).decode()
