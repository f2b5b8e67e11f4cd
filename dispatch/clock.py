"""The only place that reads the time and throws dice: instants, ids, tokens."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.base import Instant

_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
_COUNTER_BITS: Final = 12
TOKEN_BYTES: Final = 32
TRACE_BYTES: Final = 16
CODE_CHARS: Final = 8
CODE_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


class SystemClock:
    """The machine's monotonic clock, set by the database's time.

    `set` moves it; between two settings it never goes back, whatever happens to the wall clock.
    """

    def __init__(self) -> None:
        self._base = datetime.now(UTC)
        self._since = time.monotonic()
        self._last_ms = 0
        self._count = 0

    def now(self) -> Instant:
        """Return the present instant, UTC."""
        return self._base + timedelta(seconds=time.monotonic() - self._since)

    def set(self, instant: Instant, *, round_trip_s: float = 0.0) -> timedelta:
        """Take the database's time, read `round_trip_s` ago at most; return how far off we were."""
        read_at = instant + timedelta(seconds=round_trip_s / 2)
        off = read_at - self.now()
        self._base, self._since = read_at, time.monotonic()
        return off

    def new_id(self) -> str:
        """Return a UUIDv7 (RFC 9562, 5.7), ordered within this process by a 12-bit counter."""
        now_ms = max(self._last_ms, int(self.now().timestamp() * 1000))
        self._count = self._count + 1 if now_ms == self._last_ms else 0
        if self._count >> _COUNTER_BITS:
            now_ms, self._count = now_ms + 1, 0
        self._last_ms = now_ms
        bits = now_ms << 80 | _VERSION | self._count << 64 | _VARIANT | secrets.randbits(62)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def new_trace(self) -> str:
        """Return a trace id: 128 random bits in hexadecimal (W3C Trace Context)."""
        return secrets.token_hex(TRACE_BYTES)


def new_token(prefix: str) -> str:
    """Return a new secret: 256 random bits behind a prefix that says what it opens."""
    return f"{prefix}_{secrets.token_urlsafe(TOKEN_BYTES)}"


def new_code() -> str:
    """Return eight characters nobody mistakes for others when they are read out."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_CHARS))


def jitter(most_s: float) -> float:
    """Return a random time up to `most_s`, so that many do not come at once."""
    return secrets.SystemRandom().uniform(0, most_s)
