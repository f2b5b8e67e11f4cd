"""The pushes of the store in memory: weighed once, leased when taken, bounded by the hour."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dispatch.ports import (
    Channel,
    Claimed,
    Push,
    PushAddress,
    PushState,
    Settled,
    Unheard,
)
from dispatch.store.memory_outbox import MemoryOutbox, Row, Stream
from schemas.base import DeviceId, Instant, MemberId

HOUR: Final = timedelta(hours=1)
NOWHERE: Final = PushAddress(kind="none", a="")

Key = tuple[DeviceId, int, Channel]
TelOf = Callable[[MemberId], str]


@dataclass(slots=True)
class Attempt:
    """A push, and how far it has come."""

    push: Push
    state: PushState
    next_at: Instant
    tries: int = 0
    tried_at: Instant | None = None


class MemoryPush:
    """What wakes phones, by phone, frame and channel."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        self._outbox = outbox
        self._attempts: dict[Key, Attempt] = {}

    def unheard(
        self,
        asleep: Sequence[DeviceId],
        written_by: Instant,
        own_by: Instant,
        now: Instant,
        tel_of: TelOf,
    ) -> list[Unheard]:
        """Return the frames to be weighed, the oldest first."""
        hurried = set(asleep)
        found = [
            _unheard(stream, row, told=self._told(stream, row), tel=bool(tel_of(_member(stream))))
            for stream, row in self._outbox.unheard(now)
            if not row.weighed
            and (row.mail.at <= written_by or stream.device.id in hurried)
            and (row.mail.at <= own_by or not row.own)
        ]
        return sorted(found, key=lambda one: (one.at, one.device_id, one.seq))

    def _told(self, stream: Stream, row: Row) -> bool:
        earlier = (other for other in stream.told[row.mail.ref] if other.seq < row.seq)
        return any(other.acked or self._woken(stream.device.id, other.seq) for other in earlier)

    def _woken(self, device_id: DeviceId, seq: int) -> bool:
        keys = ((device_id, seq, channel) for channel in Channel)
        return any(key in self._attempts and self._attempts[key].tries > 0 for key in keys)

    def plan(self, weighed: Iterable[tuple[DeviceId, int]], pushes: Iterable[Push]) -> None:
        """Note what was weighed, and what came of it."""
        for device_id, seq in weighed:
            known = self._outbox.find(device_id, seq)
            if known is not None:
                known[1].weighed = True
        for push in pushes:
            key = push.device_id, push.seq, push.channel
            self._attempts.setdefault(key, Attempt(push, PushState.WAITING, push.next_at))

    def claim(
        self, limit: int, now: Instant, lease_s: float, sms_per_hour: int, tel_of: TelOf
    ) -> Iterator[Claimed]:
        """Take what is due, the urgent first; settle what needs no try any more."""
        rest = sms_per_hour - self._sms_tried(now)
        for attempt in self._due(now)[:limit]:
            state, to = self._judge(attempt, now, tel_of)
            if state is PushState.WAITING and attempt.push.channel is Channel.SMS:
                rest -= 1
                state = state if rest >= 0 else PushState.OVER_BUDGET
            _take(attempt, state, now, lease_s)
            push = msgspec.structs.replace(attempt.push, next_at=attempt.next_at)
            yield Claimed(push=push, state=state, tries=attempt.tries, to=to)

    def _due(self, now: Instant) -> list[Attempt]:
        come = (a for a in self._attempts.values() if a.state is PushState.WAITING)
        return sorted((a for a in come if a.next_at <= now), key=_urgency)

    def _sms_tried(self, now: Instant) -> int:
        sms = (a for a in self._attempts.values() if a.push.channel is Channel.SMS)
        return sum(a.tries for a in sms if a.tried_at is not None and a.tried_at > now - HOUR)

    def _judge(
        self, attempt: Attempt, now: Instant, tel_of: TelOf
    ) -> tuple[PushState, PushAddress]:
        known = self._outbox.find(attempt.push.device_id, attempt.push.seq)
        if known is None or known[1].acked or known[1].superseded:
            return PushState.HEARD, NOWHERE
        to = _address(known[0], attempt.push.channel, tel_of)
        if attempt.push.expires_at <= now:
            return PushState.EXPIRED, to or NOWHERE
        return (PushState.NOWHERE, NOWHERE) if to is None else (PushState.WAITING, to)

    def settle(self, settled: Settled) -> None:
        """Note how a try went; what is final stays, but for a yes that came late."""
        attempt = self._attempts.get((settled.device_id, settled.seq, settled.channel))
        if attempt is None:
            return
        if attempt.state is PushState.WAITING or settled.state is PushState.SENT:
            attempt.state = settled.state
            attempt.next_at = settled.next_at or attempt.next_at

    def states(self) -> Counter[PushState]:
        """Return how many pushes are in each state."""
        return Counter(attempt.state for attempt in self._attempts.values())


def _take(attempt: Attempt, state: PushState, now: Instant, lease_s: float) -> None:
    attempt.state = state
    attempt.next_at = now + timedelta(seconds=lease_s)
    if state is PushState.WAITING:
        attempt.tries += 1
        attempt.tried_at = now


def _member(stream: Stream) -> MemberId:
    return stream.device.member_id


def _urgency(attempt: Attempt) -> tuple[int, datetime]:
    return attempt.push.pri or 9, attempt.next_at


def _address(stream: Stream, channel: Channel, tel_of: TelOf) -> PushAddress | None:
    if channel is Channel.PUSH:
        return stream.address
    tel = tel_of(_member(stream))
    return PushAddress(kind="tel", a=tel) if tel else None


def _unheard(stream: Stream, row: Row, *, told: bool, tel: bool) -> Unheard:
    return Unheard(
        device_id=stream.device.id,
        seq=row.seq,
        at=row.mail.at,
        expires_at=row.mail.expires_at,
        frame=msgspec.Raw(msgspec.json.encode(row.mail.frame)),
        address=stream.address,
        tel=tel,
        told=told,
    )
