"""Pushes to phones that sleep."""

from enum import StrEnum

import msgspec

from dispatch.ports.phones import PushAddress
from schemas.base import DeviceId, Instant, Record


class Channel(StrEnum):
    """A way to a phone that sleeps."""

    PUSH = "push"
    SMS = "sms"


class PushState(StrEnum):
    """What became of a push; all but the first are final."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GONE = "gone"
    FAILED = "failed"
    EXPIRED = "expired"
    HEARD = "heard"
    NOWHERE = "nowhere"
    OVER_BUDGET = "over_budget"


class Unheard(Record, frozen=True, kw_only=True):
    """A reliable frame its phone has not acknowledged, not yet weighed for a push.

    `told`: the phone has acknowledged, or was woken for, an earlier frame about the same thing.
    """

    device_id: DeviceId
    seq: int
    at: Instant
    expires_at: Instant
    frame: msgspec.Raw
    address: PushAddress | None
    tel: bool
    told: bool


class Push(Record, frozen=True, kw_only=True):
    """A phone to be woken for a frame by one channel; `oid`, `pri`, `exp_ms` are all it tells."""

    device_id: DeviceId
    seq: int
    channel: Channel
    written_at: Instant
    next_at: Instant
    expires_at: Instant
    oid: str | None
    pri: int | None
    exp_ms: float


class Claimed(Record, frozen=True, kw_only=True):
    """A push taken to be tried (`waiting`), or one that was settled instead of being taken."""

    push: Push
    state: PushState
    tries: int
    to: PushAddress


class Settled(Record, frozen=True, kw_only=True):
    """How a try went; `next_at` only where there will be another."""

    device_id: DeviceId
    seq: int
    channel: Channel
    state: PushState
    next_at: Instant | None
    note: str = ""
