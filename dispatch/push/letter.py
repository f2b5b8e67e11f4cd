"""What the webhook is sent: a body, its signature, and the key that tells a repeat."""

import hmac
from typing import Final

import msgspec

from dispatch.ports import Claimed
from schemas.base import Instant, Record, ms

VERSION: Final = 1


class Letter(Record, frozen=True, kw_only=True):
    """A request to the webhook."""

    body: bytes
    headers: dict[str, str]


def letter(claimed: Claimed, epoch: str, secret: str, now: Instant) -> Letter:
    """Return the request for a push: the same body and key at every try, signed anew."""
    body = _body(claimed)
    ts = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key(claimed, epoch),
        "Kapok-Timestamp": ts,
        "Kapok-Signature": f"v1={signature(secret, ts, body)}",
    }
    return Letter(body=body, headers=headers)


def key(claimed: Claimed, epoch: str) -> str:
    """Return what a repeat is told by; a restored store (another epoch) gives seqs anew."""
    push = claimed.push
    return f"{epoch}:{push.device_id}:{push.seq}:{push.channel}"


def signature(secret: str, ts: str, body: bytes) -> str:
    """Return HMAC-SHA256 over timestamp, a dot and the body, in hexadecimal."""
    return hmac.digest(secret.encode(), f"{ts}.".encode() + body, "sha256").hex()


def _body(claimed: Claimed) -> bytes:
    """Return the envelope; only `payload` is for the phone, and it names nobody and no place."""
    push = claimed.push
    told = {"oid": push.oid, "pri": push.pri, "exp": push.exp_ms}
    return msgspec.json.encode(
        {
            "v": VERSION,
            "channel": push.channel,
            "device": push.device_id,
            "seq": push.seq,
            "to": {"k": claimed.to.kind, "a": claimed.to.a},
            "until": round(ms(push.expires_at)),
            "payload": {name: value for name, value in told.items() if value is not None},
        }
    )
