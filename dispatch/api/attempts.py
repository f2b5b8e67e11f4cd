"""How often one address may try what needs no key."""

from datetime import timedelta
from typing import Final

from dispatch.core.errors import RateLimited
from dispatch.ports import Clock
from schemas.base import Instant

PER_MINUTE: Final = 10
ADDRESSES_MOST: Final = 10_000
"""Beyond so many in a minute, new addresses are turned away."""
MINUTE: Final = timedelta(minutes=1)


class Attempts:
    """Counts attempts by address, a minute at a time."""

    def __init__(self, clock: Clock, per_minute: int = PER_MINUTE) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._since: Instant | None = None
        self._counts: dict[str, int] = {}

    def take(self, address: str) -> None:
        """Count one more; raise `RateLimited` where the address has had its share."""
        now = self._clock.now()
        if self._since is None or now - self._since >= MINUTE:
            self._since, self._counts = now, {}
        had = self._counts.get(address, 0)
        full = had == 0 and len(self._counts) >= ADDRESSES_MOST
        if had >= self._per_minute or full:
            raise _too_many(self._since + MINUTE - now)
        self._counts[address] = had + 1


def _too_many(wait: timedelta) -> RateLimited:
    refusal = RateLimited("too many attempts from this address")
    refusal.retry_ms = int(wait.total_seconds() * 1000)
    return refusal
