"""What was committed for phones, and the way to them."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from dispatch.core.decision import Mail
from schemas.base import DeviceId, Instant, Record, UnitId


class Sealed(Record, frozen=True, kw_only=True):
    """A committed frame with its place in one device's stream."""

    device_id: DeviceId
    seq: int
    mail: Mail


class Outbox(Record, frozen=True, kw_only=True):
    """A committed frame as the store keeps it: JSON of a `schemas.wire.ReliableFrame`."""

    seq: int
    at: Instant
    frame: msgspec.Raw


OUTBOX_MOST: Final = 256
"""Rows that wait for one phone; above that the oldest notices go, never an offer or assignment."""


class Outbound(Protocol):
    """The way to phones. Never waits: what a full queue drops stays in the outbox."""

    def push(self, sealed: Sequence[Sealed]) -> None: ...
    def close_unit(self, unit_id: UnitId, code: int) -> None: ...
    def close_device(self, device_id: DeviceId, code: int) -> None: ...
