"""Text to message, message to text."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.gateway.frames import kept, read, template, turned, written
from geo.datum import Datum, point_to_wgs84
from geo.distance import metres
from geo.point import Point
from schemas import wire
from schemas.base import ms
from schemas.incident import AssignmentKind, Role
from schemas.wire import Err, ErrorCode
from tests.fakes import START
from tests.memory_phones import offer

TASK = wire.AssignFrame(
    aid="a1",
    rev=1,
    d=Datum.WGS84,
    inc=offer().inc,
    by="o1",
    kind=AssignmentKind.OFFER,
    role=Role.PRIMARY,
    eta_s=95.0,
)
CHANGE = wire.AssignUpdate(aid="a1", rev=2, d=Datum.WGS84, inc=offer().inc, alert=True)
NEWS = wire.OfferUpdate(oid="o1", rev=2, d=Datum.WGS84, inc=offer().inc, alert=False)
END = wire.OfferEnd(oid="o1", why=wire.OfferEndWhy.TAKEN)
OVER = wire.AssignEnd(aid="a1", why=wire.AssignEndWhy.RESOLVED)
PLACED: list[wire.OfferFrame | wire.OfferUpdate | wire.AssignFrame | wire.AssignUpdate] = [
    offer(),
    NEWS,
    TASK,
    CHANGE,
]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    """Not in UTF-8, not JSON, no message: each has its code."""
    got = read(data)
    assert not isinstance(got, Err) or got.code in {
        ErrorCode.BAD_FRAME,
        ErrorCode.INVALID,
        ErrorCode.UNKNOWN_TYPE,
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"t":"\xff"}', ErrorCode.BAD_FRAME),
        (b"x" * (wire.FRAME_IN_MAX + 1), ErrorCode.TOO_LARGE),
    ],
)
def test_bytes_are_judged_like_text(data: bytes, code: ErrorCode) -> None:
    """The HTTP twin reads bodies, not text frames."""
    got = read(data)
    assert isinstance(got, Err)
    assert got.code is code


@pytest.mark.parametrize("datum", list(Datum))
@pytest.mark.parametrize("frame", PLACED, ids=lambda frame: type(frame).__name__)
def test_every_position_is_turned_and_names_its_datum(
    frame: wire.OfferFrame | wire.OfferUpdate | wire.AssignFrame | wire.AssignUpdate, datum: Datum
) -> None:
    """Turned back, it is the same place to a few centimetres."""
    there = turned(frame, datum)
    assert isinstance(there, type(frame))
    assert there.d is datum
    back = point_to_wgs84(Point(there.inc.lon, there.inc.lat), datum)
    assert metres(back, Point(frame.inc.lon, frame.inc.lat)) < 0.05


@pytest.mark.parametrize("frame", [END, OVER, wire.Pong(now=1.0)])
def test_what_has_no_position_is_not_turned(frame: wire.ServerMessage) -> None:
    """The same object serves every phone."""
    assert turned(frame, Datum.BD09) is frame


@pytest.mark.parametrize("frame", [*PLACED, END, OVER], ids=lambda frame: type(frame).__name__)
def test_writing_loses_nothing(frame: wire.ReliableFrame) -> None:
    """What is read is what was meant, with its place, its time and what is left of it."""
    late = START + timedelta(seconds=5)
    back = kept(written(template(frame, START), 12, late).encode())
    left = {"ttl_ms": 15_000.0} if isinstance(frame, wire.OfferFrame) else {}
    assert back == replace(frame, seq=12, ts=ms(late), **left)


def test_a_row_of_the_store_is_written_with_its_own_time() -> None:
    """Whatever time or seq it was kept with."""
    row = replace(offer(), seq=3, ts=1.0)
    back = kept(written(template(row, START), 4, START).encode())
    assert (back.seq, back.ts) == (4, ms(START))


def test_time_that_is_up_is_nothing_left() -> None:
    """Never less than zero."""
    late = START + timedelta(hours=1)
    back = kept(written(template(offer(), START), 1, late).encode())
    assert isinstance(back, wire.OfferFrame)
    assert back.ttl_ms == 0.0


@given(st.text(max_size=80))
def test_no_title_can_break_a_frame(title: str) -> None:
    """Not even one that looks like what is cut out."""
    frame = offer(title=title + ',"ttl_ms":0.0"ttl_ms":0.0,"now":0.0')
    back = kept(written(template(frame, START), 1, START).encode())
    assert isinstance(back, wire.OfferFrame)
    assert (back.inc, back.ttl_ms) == (frame.inc, frame.ttl_ms)


def test_a_pong_tells_the_time_of_its_writing() -> None:
    """Not of the ping's arrival: a phone sets its clock by it."""
    text = written(template(wire.Pong(now=0.0, n=1, bad=[])), None, START)
    assert msgspec.json.decode(text, type=wire.Pong) == wire.Pong(
        now=ms(START), ts=ms(START), n=1, bad=[]
    )


def test_the_size_of_a_template_is_in_bytes() -> None:
    """A Chinese title weighs three times its length."""
    light, heavy = template(offer(title="a" * 50)), template(offer(title="木" * 50))
    assert heavy.size - light.size == 100
