"""Phones in memory: whose token opens what, and the mail that waits for each."""

from collections.abc import Mapping

from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.ports import Identity, Outbox
from dispatch.store.memory_notices import MemoryNotices
from dispatch.store.memory_tokens import Token
from schemas.base import DeviceId, Instant, OfferId
from schemas.incident import Offer
from schemas.unit import Device


class MemoryPhones(MemoryNotices):
    """The part of the store in memory that lets phones in and keeps their mail."""

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


def _delivered(offer: Offer, now: Instant) -> Entry:
    return Entry(
        type=Event.DELIVERED,
        by="device",
        via="app",
        at=now,
        unit_id=offer.unit_id,
        data={"offer": offer.id},
    )
