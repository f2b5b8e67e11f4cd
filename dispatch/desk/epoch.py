"""Which life of the store the phones' streams belong to, and how a new one begins."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from dispatch.ports import Clock, Store, StoreAway
from schemas.base import DeviceId, Instant

log = structlog.get_logger()

RENEWED_EVERY: Final = timedelta(minutes=10)
"""All phones come again with each new epoch: one that claims nonsense may not make them all day."""


class Epoch:
    """The epoch in force."""

    def __init__(self, name: str, store: Store, clock: Clock) -> None:
        self.name = name
        self._store, self._clock = store, clock
        self._turn = asyncio.Lock()
        self._renewed_at: Instant | None = None

    async def lost(self, device_id: DeviceId, seq: int) -> bool:
        """Begin a new epoch where a phone holds a seq that the store never gave; tell whether.

        Whoever finds out meanwhile waits, and finds it done: one loss, one new epoch.
        """
        seen = self.name
        async with self._turn:
            return self.name == seen and self._due() and await self._renew(device_id, seq)

    async def follow(self, name: str, seen: str) -> bool:
        """Take the name the store told who asked when `seen` was the name; say whether it is new.

        What was told before a new epoch began here is of the past.
        """
        async with self._turn:
            if self.name != seen:
                return False
            self.name = name
            return name != seen

    def _due(self) -> bool:
        return self._renewed_at is None or self._clock.now() >= self._renewed_at + RENEWED_EVERY

    async def _renew(self, device_id: DeviceId, seq: int) -> bool:
        before = self.name
        try:
            self.name = await self._store.renew_epoch(before, device_id, seq)
        except StoreAway:
            log.warning("epoch_not_renewed", device=device_id, seq=seq)
        if self.name == before:
            return False
        self._renewed_at = self._clock.now()
        log.error("epoch_renewed", before=before, epoch=self.name, device=device_id, seq=seq)
        return True
