"""Which frames wake a phone, by which way and when: pure, and all that decides it lives here.

A frame that was not acknowledged in time is weighed once. A quiet update wakes nobody (it must not
ring), nor does the end of an offer the phone never heard of. Urgent frames go out by SMS too, if
they are still not acknowledged by then.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec

from dispatch.ports import Channel, Push, Unheard
from schemas.base import Instant, Record, ms

PATIENCE: Final = timedelta(seconds=3)
"""An awake phone has this long to acknowledge (protocol, section 10)."""
OWN_PATIENCE: Final = timedelta(seconds=10)
"""And this long for what it caused itself: it is in somebody's hand."""
SMS_AFTER: Final = timedelta(seconds=10)
URGENT: Final = 2
"""Priorities 1 and 2 go out by SMS too."""


class Due(Record, frozen=True, kw_only=True):
    """Until when a frame must have been written to be weighed now."""

    written_by: Instant
    own_by: Instant


def due(now: Instant) -> Due:
    """Return what is weighed at an instant."""
    return Due(written_by=now - PATIENCE, own_by=now - OWN_PATIENCE)


class Gist(Record, frozen=True, kw_only=True, rename={"tag": "t"}):
    """What of a frame decides how its phone is woken, and all a push may tell."""

    tag: str
    oid: str | None = None
    inc: dict[str, Any] = {}
    exp: float | None = None
    alert: bool = True


_gist: Final[msgspec.json.Decoder[Gist]] = msgspec.json.Decoder(Gist)


def pushes(row: Unheard, now: Instant, *, sms: bool) -> Iterator[Push]:
    """Yield how the phone of a frame is woken; nothing where it is not."""
    gist = _gist.decode(row.frame)
    if not _wakes(gist, told=row.told):
        return
    if row.address is not None:
        yield _push(row, gist, Channel.PUSH, now)
    if sms and row.tel and _priority(gist) <= URGENT:
        yield _push(row, gist, Channel.SMS, max(now, row.at + SMS_AFTER))


def _wakes(gist: Gist, *, told: bool) -> bool:
    if gist.tag == "offer.end":
        return told
    return gist.alert


def _priority(gist: Gist) -> int:
    return int(gist.inc.get("pri", URGENT + 1))


def _push(row: Unheard, gist: Gist, channel: Channel, next_at: Instant) -> Push:
    return Push(
        device_id=row.device_id,
        seq=row.seq,
        channel=channel,
        written_at=row.at,
        next_at=next_at,
        expires_at=row.expires_at,
        oid=gist.oid,
        pri=gist.inc.get("pri"),
        exp_ms=_exp_ms(row, gist),
    )


def _exp_ms(row: Unheard, gist: Gist) -> float:
    """Return until when it may ring: an offer's end is over at once and takes the ringing away."""
    if gist.tag == "offer.end":
        return ms(row.at)
    return gist.exp or ms(row.expires_at)
