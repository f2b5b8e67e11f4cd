"""Phones on PostgreSQL: whose token opens what, and the mail that waits for each."""

from collections.abc import Mapping

import msgspec

from dispatch.ports import Identity, Outbox
from dispatch.store import push_rows
from dispatch.store import statements as sql
from dispatch.store.pools import Pools, Row, encoded, translated
from dispatch.store.slices import in_slices
from dispatch.trace import present
from schemas.base import DeviceId, Instant, MemberId, UnitId


class PostgresPhones(Pools):
    """The part of the store that lets phones in and keeps their mail."""

    async def acknowledge(self, acks: Mapping[DeviceId, int], now: Instant) -> None:
        """Note up to which seq phones have their mail; first deliveries become facts."""
        with translated():
            await self._side.execute(sql.ACKNOWLEDGE, encoded(acks), now, present())

    async def outbox(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]:
        """Return a phone's unacknowledged, unexpired mail above a seq, in order."""
        with translated():
            rows = await self._side.fetch(sql.OUTBOX, device_id, after, now, limit)
        return [
            Outbox(seq=r["seq"], at=r["at"], frame=msgspec.Raw(r["frame"].encode())) for r in rows
        ]

    async def identities(self, device_id: DeviceId | None = None) -> list[tuple[bytes, Identity]]:
        """Return every phone that may connect, or one, by the hash of each of its tokens."""
        with translated():
            if device_id is None:
                rows = await self._side.fetch(sql.IDENTITIES, timeout=30)
            else:
                rows = await self._side.fetch(sql.IDENTITIES_OF_DEVICE, device_id, timeout=30)
        return await in_slices(rows, lambda r: (r["token_hash"], _identity(r)))

    async def identify(self, token_hash: bytes) -> Identity | None:
        """Return whose token this is; `None` is a look-up that says no."""
        with translated():
            row = await self._side.fetchrow(sql.IDENTITY_OF_TOKEN, token_hash)
        return None if row is None else _identity(row)

    async def add_token(
        self, device_id: DeviceId, token_hash: bytes, ends: Instant, old_ends: Instant
    ) -> Instant | None:
        """Give a phone one more token; return when its old one ends, `None` where it is revoked."""
        with translated():
            till: Instant | None = await self._side.fetchval(
                sql.ADD_TOKEN, device_id, token_hash, ends, old_ends
            )
        return till

    async def use_token(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None:
        """Let a token that was fetched be the only one of its phone."""
        with translated():
            await self._side.execute(sql.USE_TOKEN, device_id, token_hash, now)


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
