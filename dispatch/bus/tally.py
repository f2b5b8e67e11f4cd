"""What went over a bus and what did not, and takers that fail without harm to others."""

import asyncio
from typing import Final

import structlog

from dispatch.bus.subject import guard_body
from dispatch.ports import Reply, Take

log = structlog.get_logger()

FAILURE_LINES_EVERY_S: Final = 1.0
"""A taker that fails at every message is told of so often."""


class Tally:
    """Counters since the start, and the one way by which messages are handed over.

    `published` were accepted to be sent, questions and answers among them; `dropped` were refused,
    or still waited when the bus went away. `taken` were handled, `failed` raised in the taker.
    """

    def __init__(self) -> None:
        self.published = 0
        self.dropped = 0
        self.taken = 0
        self.failed = 0
        self._quiet_until_s = 0.0

    def count_sent(self, is_sent: bool) -> bool:
        """Count a message as published or dropped, and return which."""
        if is_sent:
            self.published += 1
        else:
            self.dropped += 1
        return is_sent

    def hand(self, take: Take, subject: str, body: bytes) -> None:
        """Let `take` have a message; what it raises ends here."""
        try:
            take(subject, body)
        except Exception as error:
            self._count_failure(subject, error)
        else:
            self.taken += 1

    def answer_of(self, reply: Reply, subject: str, body: bytes) -> bytes | None:
        """Return what `reply` answers; None where it raises, or says too much."""
        try:
            answer = guard_body(reply(body))
        except Exception as error:
            self._count_failure(subject, error)
            return None
        self.taken += 1
        return answer

    def _count_failure(self, subject: str, error: Exception) -> None:
        self.failed += 1
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + FAILURE_LINES_EVERY_S
            log.error("bus_take_failed", subject=subject, failed=self.failed, exc_info=error)
