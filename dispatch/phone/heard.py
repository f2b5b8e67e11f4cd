"""What a phone reads of the server's frames: tolerant, where `schemas.wire` is exact.

A server may add fields, enum values and messages within v1. So these structs name only what a
phone uses, keep every enum as text, and take null for absent; whatever cannot be read as one of
them is `Unknown`, which still has its `seq`. A test holds them against `schemas.wire`.
"""

from typing import Any, Final, dataclass_transform

import msgspec

from schemas.wire import Cadence


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Heard(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """One frame from the server."""

    ts: float | None = None


@dataclass_transform(frozen_default=True, kw_only_default=True)
class HeardReliable(Heard, frozen=True, kw_only=True):
    """A frame with a place in this device's stream."""

    seq: int | None = None


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, and what for; the datum is named by the frame around it."""

    iid: str
    lon: float
    lat: float
    kind: str | None = None
    pri: int | None = None
    title: str | None = None
    safety: str | None = None
    addr: str | None = None
    note: str | None = None
    tel: str | None = None
    drill: bool | None = None


class Offer(HeardReliable, frozen=True, kw_only=True, tag="offer"):
    """Will you go?"""

    oid: str
    rev: int
    d: str
    inc: Scene
    eta_s: float | None = None
    ttl_ms: float | None = None
    exp: float | None = None


class OfferUpdate(HeardReliable, frozen=True, kw_only=True, tag="offer.update"):
    """Something of the offer is other than it was."""

    oid: str
    rev: int
    d: str | None = None
    inc: Scene | None = None
    eta_s: float | None = None
    alert: bool | None = None


class OfferEnd(HeardReliable, frozen=True, kw_only=True, tag="offer.end"):
    """The question is no longer asked."""

    oid: str
    why: str | None = None


class Task(HeardReliable, frozen=True, kw_only=True, tag="assign"):
    """This is yours: an assignment as the phone holds it."""

    aid: str
    rev: int
    d: str
    inc: Scene
    oid: str | None = None
    role: str | None = None
    eta_s: float | None = None
    s: str | None = None
    confirm: bool | None = None


class TaskUpdate(HeardReliable, frozen=True, kw_only=True, tag="assign.update"):
    """Something of the task is other than it was."""

    aid: str
    rev: int
    d: str | None = None
    inc: Scene | None = None
    role: str | None = None
    eta_s: float | None = None
    s: str | None = None
    confirm: bool | None = None
    alert: bool | None = None


class TaskEnd(HeardReliable, frozen=True, kw_only=True, tag="assign.end"):
    """The task is over."""

    aid: str
    why: str | None = None


class Notice(HeardReliable, frozen=True, kw_only=True, tag="notice"):
    """A text to be shown until `exp`; one with an `exp` before its `ts` was taken back."""

    nid: str
    rev: int
    text: str
    lvl: str | None = None
    exp: float | None = None
    need_read: bool | None = None
    drill: bool | None = None


class Policy(Heard, frozen=True, kw_only=True, tag="policy"):
    """How to report in each situation; `s` is the one the centre sees us in."""

    state: dict[str, Cadence]
    s: str | None = None


class Locate(Heard, frozen=True, kw_only=True, tag="locate"):
    """Where are you now?"""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole truth, as `welcome` brings it."""

    duty: str | None = None
    offers: list[Offer] = []
    assigns: list[Task] = []
    policy: Policy | None = None
    consent: bool | None = None


class Welcome(Heard, frozen=True, kw_only=True, tag="welcome"):
    """You are known.

    `till` is the seq up to which notices follow (absent: none do), `exp` the token's end.
    """

    epoch: str
    rec: bool
    head: int
    state: Standing
    spread: float | None = None
    till: int | None = None
    exp: float | None = None


class Pong(Heard, frozen=True, kw_only=True, tag="pong"):
    """Here."""

    bad: list[Any] | None = None


class Ok(Heard, frozen=True, kw_only=True, tag="ok"):
    """The command is done and on disk."""

    re: str
    result: dict[str, Any] | None = None


class Err(Heard, frozen=True, kw_only=True, tag="err"):
    """Refused, and nothing changed."""

    code: str
    re: str | None = None
    retry_ms: float | None = None


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a newer server: acked when it has a `seq`, otherwise skipped."""

    t: str | None = None
    seq: int | None = None


ServerFrame = (
    Welcome
    | Pong
    | Policy
    | Locate
    | Ok
    | Err
    | Offer
    | OfferUpdate
    | OfferEnd
    | Task
    | TaskUpdate
    | TaskEnd
    | Notice
)

_KNOWN: Final[msgspec.json.Decoder[ServerFrame]] = msgspec.json.Decoder(ServerFrame)
_UNKNOWN: Final = msgspec.json.Decoder(Unknown)


def read(frame: bytes | str) -> ServerFrame | Unknown:
    """Return the message of a frame; no bytes whatever raise."""
    try:
        return _KNOWN.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _unknown(frame)


def _unknown(frame: bytes | str) -> Unknown:
    try:
        return _UNKNOWN.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Unknown()
