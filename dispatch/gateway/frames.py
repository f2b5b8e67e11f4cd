"""Frames in and out: text to message, message to the text that is written.

What is known only at writing (`ts`, `seq`, `now`, what is left of `ttl_ms`) is added to a body
encoded before, so one encoding serves all phones of a unit that measure in the same datum.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar, get_args, overload

import msgspec
from msgspec.structs import replace

from dispatch.core.errors import Refusal, Temporary
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas.base import Instant, ms
from schemas.wire import (
    FRAME_IN_MAX,
    AssignFrame,
    AssignUpdate,
    ClientMessage,
    Command,
    Err,
    ErrorCode,
    OfferFrame,
    OfferUpdate,
    PhoneState,
    ReliableFrame,
    ServerFrame,
    ServerMessage,
)

MSG_MAX: Final = 200
RE_MAX: Final = 36
TYPES: Final = frozenset(kind.__struct_config__.tag for kind in get_args(ClientMessage))
COORDINATE_DIGITS: Final = 7
"""A centimetre."""

_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")
_NO_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


class _Label(msgspec.Struct):
    """What can be told of a frame that is no message."""

    t: Any = None
    id: Any = None


_MESSAGES: Final = msgspec.json.Decoder(ClientMessage)
_LABELS: Final = msgspec.json.Decoder(_Label)
_RELIABLE: Final = msgspec.json.Decoder(ReliableFrame)
_ENCODER: Final = msgspec.json.Encoder()

# In. ---------------------------------------------------------------------------------------------


def read(text: str | bytes) -> ClientMessage | Err:
    """Return the message of a frame, or the error it is answered with: one of them for any text."""
    if _too_large(text):
        return Err(code=ErrorCode.TOO_LARGE, msg=f"more than {FRAME_IN_MAX} bytes")
    try:
        message: ClientMessage = _MESSAGES.decode(text)
    except msgspec.ValidationError as error:
        return _no_message(text, str(error))
    except _NO_JSON:
        return _no_json()
    return _nul(message) if _names_nul(text) else message


def _too_large(text: str | bytes) -> bool:
    if len(text) > FRAME_IN_MAX:
        return True
    if isinstance(text, bytes) or text.isascii():
        return False
    return len(text.encode(errors="surrogatepass")) > FRAME_IN_MAX


def _nul(message: ClientMessage) -> Err:
    again = message.id if isinstance(message, Command) else None
    return Err(code=ErrorCode.INVALID, msg="the character U+0000 is not allowed", re=again)


def _names_nul(text: str | bytes) -> bool:
    r"""Tell whether it says `\u0000`: PostgreSQL's text has no such character."""
    return (b"\\u0000" in text) if isinstance(text, bytes) else ("\\u0000" in text)


def _no_json() -> Err:
    return Err(code=ErrorCode.BAD_FRAME, msg="not a JSON object in UTF-8, or nested too deep")


def _no_message(text: str | bytes, why: str) -> Err:
    """Tell an unknown type from a wrong field; either may have hidden that it is no JSON."""
    try:
        label = _LABELS.decode(text)
    except msgspec.ValidationError:
        label = _Label(t="")
    except _NO_JSON:
        return _no_json()
    named = isinstance(label.id, str) and 0 < len(label.id) <= RE_MAX
    again = label.id if named else None
    if isinstance(label.t, str) and label.t and label.t not in TYPES:
        return Err(code=ErrorCode.UNKNOWN_TYPE, msg="unknown message type", re=again)
    return Err(code=ErrorCode.INVALID, msg=why[:MSG_MAX], re=again, path=_path(why))


def _path(why: str) -> str | None:
    """Return the field a decoder complains about, as `inc.lon` or `f[0]`."""
    found = (_PATH.search(why), _MISSING.search(why))
    return ".".join(match[1] for match in found if match and match[1]) or None


def refused(refusal: Refusal, re: str | None = None) -> Err:
    """Return the answer of a refusal."""
    return Err(
        code=refusal.code,
        msg=refusal.detail,
        re=re,
        path=refusal.path,
        st=refusal.state,
        retry_ms=refusal.retry_ms if isinstance(refusal, Temporary) else None,
    )


# To the phone's datum. ---------------------------------------------------------------------------

_Placed = OfferFrame | OfferUpdate | AssignFrame | AssignUpdate
_AnyPlaced = TypeVar("_AnyPlaced", bound=_Placed)
AnyServer = TypeVar("AnyServer", bound=ServerFrame)


@overload
def turned(frame: ReliableFrame, datum: Datum) -> ReliableFrame: ...
@overload
def turned(frame: ServerMessage, datum: Datum) -> ServerMessage: ...
def turned(frame: ServerMessage, datum: Datum) -> ServerMessage:
    """Return the frame with its position, if it has one, in `datum`; it comes in WGS-84."""
    return _placed(frame, datum) if isinstance(frame, _Placed) else frame


def state_turned(state: PhoneState, datum: Datum) -> PhoneState:
    """Return the state with all its positions in `datum`."""
    return replace(
        state,
        offers=[_placed(offer, datum) for offer in state.offers],
        assigns=[_placed(task, datum) for task in state.assigns],
    )


def _placed(frame: _AnyPlaced, datum: Datum) -> _AnyPlaced:
    if datum is Datum.WGS84:
        return frame
    there = point_from_wgs84(Point(frame.inc.lon, frame.inc.lat), datum)
    lon, lat = (round(degrees, COORDINATE_DIGITS) for degrees in there)
    return replace(frame, d=datum, inc=replace(frame.inc, lon=lon, lat=lat))


# Out. --------------------------------------------------------------------------------------------

_UNSET: Final[Mapping[str, float]] = {"ts": 0, "seq": 0, "now": 0.0, "ttl_ms": 0.0}
"""What writing adds, and the value that stands for it before."""
_LATER: Final[Mapping[type, Mapping[str, float]]] = {
    kind: {name: _UNSET[name] for name in _UNSET if name in kind.__struct_fields__}
    for kind in get_args(ServerMessage)
}


class Template(NamedTuple):
    """A frame as JSON, open at its end for what is known only at writing. `size` is in bytes.

    Of an offer: when it lapses, and when it was decided on.
    """

    body: str
    size: int
    tells_now: bool = False
    lapses_ms: float | None = None
    decided_ms: float | None = None


def template(frame: ServerFrame, at: Instant | None = None) -> Template:
    """Encode a frame for writing later. `at` is when its `ttl_ms` began to run."""
    later = _LATER[type(frame)]
    text = _ENCODER.encode(replace(frame, **later))
    # `t` comes first, so a comma leads; inside a string the quotes would be escaped.
    text = text.replace(b',"now":0.0', b"", 1) if "now" in later else text
    text = text.replace(b',"ttl_ms":0.0', b"", 1) if "ttl_ms" in later else text
    form = Template(text[:-1].decode(), len(text), "now" in later)
    if at is None or not isinstance(frame, OfferFrame):
        return form
    return form._replace(lapses_ms=ms(at) + frame.ttl_ms, decided_ms=ms(at))


def kept(row: bytes | msgspec.Raw) -> ReliableFrame:
    """Return the frame of an outbox row."""
    frame: ReliableFrame = _RELIABLE.decode(row)
    return frame


def told(
    frame: AnyServer, now: Instant, seq: int | None = None, at: Instant | None = None
) -> AnyServer:
    """Return the frame as it is written at `now`; `at` is when its `ttl_ms` began to run."""
    now_ms = ms(now)
    later: dict[str, float] = {"ts": now_ms}
    if seq is not None:
        later["seq"] = seq
    if "now" in _LATER[type(frame)]:
        later["now"] = now_ms
    if at and isinstance(frame, OfferFrame):
        later["ttl_ms"] = max(0.0, ms(at) + frame.ttl_ms - now_ms)
    return replace(frame, **later)


def written(form: Template, seq: int | None, now: Instant) -> str:
    """Return the text to write at `now`."""
    now_ms = ms(now)
    text = f'{form.body},"ts":{now_ms:.3f}'
    if seq is not None:
        text += f',"seq":{seq}'
    if form.tells_now:
        text += f',"now":{now_ms:.3f}'
    if form.lapses_ms is not None:
        text += f',"ttl_ms":{max(0.0, form.lapses_ms - now_ms):.3f}'
    return text + "}"
