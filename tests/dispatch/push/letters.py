"""Pushes as tests of this package need them."""

from datetime import timedelta
from typing import Final

from dispatch.ports import Channel, Claimed, Push, PushAddress, PushState
from schemas.base import DeviceId, Instant
from tests.fakes import START

HERE: Final = PushAddress(kind="hook", a="vendor-token-1")
SECRET: Final = "s" * 40


def claimed(
    seq: int = 1,
    *,
    tries: int = 1,
    channel: Channel = Channel.PUSH,
    lives_s: float = 300.0,
    at: Instant = START,
) -> Claimed:
    """Return a push that was taken to be tried."""
    push = Push(
        device_id=DeviceId("d1"),
        seq=seq,
        channel=channel,
        written_at=at,
        next_at=at,
        expires_at=at + timedelta(seconds=lives_s),
        oid="o1",
        pri=1,
        exp_ms=1_790_000_000_000.0,
    )
    return Claimed(push=push, state=PushState.WAITING, tries=tries, to=HERE)
