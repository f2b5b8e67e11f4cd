"""What waits to be written to one socket: bounded, answers first, then R, then C.

- Answers (class E: welcome, pong, ok, err): in order, so a welcome is read before any event.
- R (reliable): rows of the outbox in the store, in the order of their `seq`.
- C (coalesced): the latest for each key.

A lane that is full, or more bytes than `QUEUE_BYTES_MAX`, means that the phone does not read:
nothing is taken, and the socket is to be closed (4102). No offer is lost by that: the store keeps R
until it is acknowledged.
"""

from typing import NamedTuple

from dispatch.gateway.frames import Template, written
from dispatch.gateway.limits import QUEUE_BYTES_MAX, RELIABLE_MAX, REPLIES_MAX
from schemas.base import Instant


class Row(NamedTuple):
    """One frame, and its place in the stream where it has one."""

    form: Template
    seq: int | None = None


class Outbox:
    """The send queue of one socket. Lists, not deques: 64 rows at most, and most are empty."""

    __slots__ = ("_answers", "_latest", "_reliable", "size")

    def __init__(self) -> None:
        self._answers: list[Row] = []
        self._reliable: list[Row] = []
        self._latest: dict[str, Row] = {}
        self.size = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._answers or self._reliable or self._latest)

    def answer(self, form: Template) -> bool:
        """Queue an answer; False when there is no room."""
        return len(self._answers) < REPLIES_MAX and self._add(self._answers, Row(form))

    def deliver(self, form: Template, seq: int) -> bool:
        """Queue a reliable frame; False when there is no room."""
        return len(self._reliable) < RELIABLE_MAX and self._add(self._reliable, Row(form, seq))

    def refresh(self, key: str, form: Template) -> bool:
        """Queue a frame in place of the one that waits under `key`; False when there is no room."""
        before = self._latest.get(key)
        freed = before.form.size if before else 0
        if self.size - freed + form.size > QUEUE_BYTES_MAX:
            return False
        self.size += form.size - freed
        self._latest[key] = Row(form)
        return True

    def take(self, now: Instant) -> str | None:
        """Take out the next frame, as it is to be written at `now`."""
        row = self.pop()
        return None if row is None else written(row.form, row.seq, now)

    def pop(self) -> Row | None:
        """Take out the next frame."""
        row = self._next()
        if row is not None:
            self.size -= row.form.size
        return row

    def lengths(self) -> tuple[int, int, int]:
        """Return how much waits: answers, reliable frames, latest ones."""
        return len(self._answers), len(self._reliable), len(self._latest)

    def _add(self, lane: list[Row], row: Row) -> bool:
        if self.size + row.form.size > QUEUE_BYTES_MAX:
            return False
        self.size += row.form.size
        lane.append(row)
        return True

    def _next(self) -> Row | None:
        if self._answers:
            return self._answers.pop(0)
        if self._reliable:
            return self._reliable.pop(0)
        if self._latest:
            return self._latest.pop(next(iter(self._latest)))
        return None
