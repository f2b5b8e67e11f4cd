"""What an answer of the webhook means for a push: sent, again later, or never."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatch.ports import Claimed, PushState, Settled
from schemas.base import Instant, Record

TRIES_MOST: Final = 8
BACK_OFF_S: Final = 1.0
BACK_OFF_MOST_S: Final = 60.0
YES: Final = range(200, 300)
GONE: Final = 410
TROUBLE: Final = 500
AGAIN: Final = frozenset({408, 425, 429})
"""These, and all of 5xx, are about the moment; any other refusal is about the push."""

Jitter = Callable[[float], float]


class Heard(Record, frozen=True, kw_only=True):
    """What the webhook said: a status, or None where it said nothing that could be understood."""

    status: int | None
    note: str = ""
    retry_after_s: float = 0.0


def settle(claimed: Claimed, heard: Heard, now: Instant, jitter: Jitter) -> Settled:
    """Return what becomes of a push that was tried."""
    push = claimed.push
    state = _state(heard.status)
    next_at = None
    if state is PushState.WAITING:
        next_at = now + timedelta(seconds=pause_s(claimed.tries, heard.retry_after_s, jitter))
        state = _still_worth_it(claimed, next_at)
    return Settled(
        device_id=push.device_id,
        seq=push.seq,
        channel=push.channel,
        state=state,
        next_at=next_at if state is PushState.WAITING else None,
        note=heard.note,
    )


def pause_s(tries: int, retry_after_s: float, jitter: Jitter) -> float:
    """Return the wait before the next try: doubled each time, its upper half thrown by dice."""
    full_s = min(BACK_OFF_MOST_S, BACK_OFF_S * 2.0 ** (tries - 1))
    asked_s = min(BACK_OFF_MOST_S, retry_after_s)
    return max(asked_s, full_s / 2 + jitter(full_s / 2))


def _state(status: int | None) -> PushState:
    if status is None or status in AGAIN or status >= TROUBLE:
        return PushState.WAITING
    if status == GONE:
        return PushState.GONE
    return PushState.SENT if status in YES else PushState.REFUSED


def _still_worth_it(claimed: Claimed, next_at: Instant) -> PushState:
    if next_at >= claimed.push.expires_at:
        return PushState.EXPIRED
    return PushState.WAITING if claimed.tries < TRIES_MOST else PushState.FAILED
