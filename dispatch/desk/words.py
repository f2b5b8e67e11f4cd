"""What processes say to each other: on which subject, in which shape.

Words are read by builds older and newer than the one that said them: fields are added at the end,
never taken away. A word that cannot be read counts as missed, and memory is read again.
"""

from typing import Any, Final, TypeVar

import msgspec

from dispatch.core.decision import Mail
from dispatch.core.events import Entry
from dispatch.ports import NodeId, Sealed
from schemas.base import DeviceId, MemberId, Record, UnitId
from schemas.incident import Case
from schemas.wire import Activity

Row = tuple[DeviceId, int, int]
"""A phone, its seq, and which of the word's mails it is."""


class Decided(Record, frozen=True, kw_only=True):
    """A decision that is on disk, with the mail sealed by it."""

    node: NodeId
    n: int
    case: Case
    entries: tuple[Entry, ...]
    mail: tuple[Mail, ...]
    rows: tuple[Row, ...]
    unsure: tuple[UnitId, ...] = ()
    trace: str = ""


class Posted(Record, frozen=True, kw_only=True):
    """Part of a notice that is on disk for some phones."""

    node: NodeId
    n: int
    mail: tuple[Mail, ...]
    rows: tuple[Row, ...]


class Changed(Record, frozen=True, kw_only=True):
    """Units whose register, crew or duty is another on disk."""

    node: NodeId
    n: int
    unit_ids: tuple[UnitId, ...]


class Phone(msgspec.Struct, frozen=True, array_like=True):
    """A phone that a process holds since an instant; `inst` is the life of its app."""

    device_id: DeviceId
    unit_id: UnitId
    at_ms: float
    inst: str
    quiet: bool = False
    activity: Activity = Activity.FOREGROUND


class Here(Record, frozen=True, kw_only=True):
    """Phones that a process holds now, as they are now, and those it does no more."""

    node: NodeId
    n: int
    phones: tuple[Phone, ...] = ()
    gone: tuple[DeviceId, ...] = ()


class Pulse(Record, frozen=True, kw_only=True):
    """A process lives; the number of its last word. `ends`: it says farewell."""

    node: NodeId
    last: int
    ends: bool = False


class Fix(msgspec.Struct, frozen=True, array_like=True):
    """Where a unit is, by the fix of one of its members: WGS-84, metres, Unix seconds."""

    unit_id: UnitId
    member_id: MemberId
    lon: float
    lat: float
    acc_m: float
    at_s: float


class Fixes(msgspec.Struct, frozen=True, array_like=True):
    """Positions of a tenth of a second; they are not numbered, for newer ones come."""

    node: NodeId
    fixes: tuple[Fix, ...]


class Held(Record, frozen=True, kw_only=True):
    """Part of what a process holds: asked for phones above `after`."""

    phones: tuple[Phone, ...]
    more: bool = False


PULSE: Final = "pulse"
HERE: Final = "here"
EVENTS: Final = "ev"
PLACES: Final = "loc"
GATEWAY: Final = "gw"
EVERYWHERE: Final = "all"
"""In place of a jurisdiction, where none is meant or all are."""
Numbered = Decided | Posted | Changed | Here
KINDS: Final[dict[type, str]] = {
    Decided: "decided",
    Posted: "posted",
    Changed: "changed",
    Here: "phones",
}
SHAPES: Final[dict[str, type]] = {kind: shape for shape, kind in KINDS.items()}

T = TypeVar("T")


class Unreadable(Exception):
    """A word of another build that this one cannot read."""


def spoken(word: object) -> bytes:
    """Return a word as it is sent: JSON, but for positions, which are many."""
    return _packer.encode(word) if isinstance(word, Fixes) else _json.encode(word)


def heard(body: bytes, shape: type[T]) -> T:
    """Return the word that was sent; raise `Unreadable`."""
    decoder: Any = _unpack if shape is Fixes else _decoder(shape)
    try:
        word: T = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    return word


def rows_of(sealed: tuple[Sealed, ...]) -> tuple[tuple[Mail, ...], tuple[Row, ...]]:
    """Return the mails of sealed rows, each once, and the rows that point to them."""
    places: dict[int, int] = {}
    mails: list[Mail] = []
    rows: list[Row] = []
    for row in sealed:
        place = places.setdefault(id(row.mail), len(mails))
        if place == len(mails):
            mails.append(row.mail)
        rows.append((row.device_id, row.seq, place))
    return tuple(mails), tuple(rows)


def sealed_of(word: Decided | Posted) -> list[Sealed]:
    """Return the rows of a word with their mails."""
    return [Sealed(device_id=d, seq=seq, mail=word.mail[i]) for d, seq, i in word.rows]


_json: Final = msgspec.json.Encoder()
_packer: Final = msgspec.msgpack.Encoder()
_unpack: Final = msgspec.msgpack.Decoder(Fixes)
_decoders: Final[dict[type, msgspec.json.Decoder[Any]]] = {}


def _decoder(shape: type) -> msgspec.json.Decoder[Any]:
    if shape not in _decoders:
        _decoders[shape] = msgspec.json.Decoder(shape)
    return _decoders[shape]
