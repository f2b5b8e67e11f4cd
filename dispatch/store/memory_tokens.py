"""The tokens of phones in the store in memory: the enrolled one, and those fetched since."""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from schemas.base import DeviceId, Instant, Record

ENROLLED_FOR: Final = timedelta(days=90)
UNUSED_MOST: Final = 4


class Token(Record, frozen=True, kw_only=True):
    """A token by its hash (SHA-256); `unused` when it was fetched and never came back."""

    hash: bytes
    expires_at: Instant
    unused: bool = False


class MemoryTokens:
    """The tokens of each phone, oldest first."""

    def __init__(self) -> None:
        self._of: dict[DeviceId, list[Token]] = {}

    def of(self, device_id: DeviceId) -> list[Token]:
        """Return a phone's tokens."""
        return list(self._of.get(device_id, ()))

    def enrol(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None:
        """Give a phone its first token; all it had before open nothing."""
        self._of[device_id] = [Token(hash=token_hash, expires_at=now + ENROLLED_FOR)]

    def end(self, device_id: DeviceId) -> None:
        """Let no token of a phone open anything any more."""
        self._of.pop(device_id, None)

    def add(
        self, device_id: DeviceId, token_hash: bytes, ends: Instant, old_ends: Instant
    ) -> Instant | None:
        """Give a phone one more token; return when the one it used so far ends."""
        if device_id not in self._of:
            return None
        used = [_ending(t, old_ends) for t in self._of[device_id] if not t.unused]
        unused = [t for t in self._of[device_id] if t.unused][-(UNUSED_MOST - 1) :]
        fresh = Token(hash=token_hash, expires_at=ends, unused=True)
        self._of[device_id] = [*used, *unused, fresh]
        return max(t.expires_at for t in used)

    def use(self, device_id: DeviceId, token_hash: bytes, now: Instant) -> None:
        """Let a token that was fetched be the only one; the enrolled one is kept as ended."""
        tokens = self._of.get(device_id, [])
        fresh = [t for t in tokens if t.hash == token_hash and t.unused]
        if fresh:
            self._of[device_id] = [_ending(tokens[0], now), replace(fresh[0], unused=False)]


def _ending(token: Token, at: Instant) -> Token:
    return replace(token, expires_at=min(token.expires_at, at))
