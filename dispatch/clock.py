"""The only place that reads the time and throws dice: instants, ids, tokens."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from dispatch.core.service_time import Offset
from schemas.base import Instant

_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
_COUNTER_BITS: Final = 12
TOKEN_BYTES: Final = 32
UPTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
TRACE_BYTES: Final = 16
CODE_CHARS: Final = 8
CODE_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


class SystemClock:
    """The service's time: the database's as last told, carried on by this machine's uptime.

    Whatever happens to the wall clock; it goes back by `jump` alone.
    """

    def __init__(self) -> None:
        self._last: Instant
        self.jump(datetime.now(UTC), Offset())
        self._last_ms = 0
        self._count = 0

    def now(self) -> Instant:
        """Return the present instant, UTC."""
        passed = timedelta(seconds=self.elapsed_s() - self._since_s)
        self._last = max(self._last, self._offset.time(self._base + passed))
        return self._last

    def elapsed_s(self) -> float:
        """Return what has passed since this machine was started, what it slept through included."""
        return time.clock_gettime(UPTIME)

    def follow(self, at: Instant, offset: Offset) -> None:
        """Take the database's time; where that is earlier, stand still until it has come."""
        self._base, self._since_s, self._offset = at, self.elapsed_s(), offset

    def jump(self, at: Instant, offset: Offset) -> None:
        """Take the database's time at once, be it later or earlier."""
        self.follow(at, offset)
        self._last = offset.time(at)

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
