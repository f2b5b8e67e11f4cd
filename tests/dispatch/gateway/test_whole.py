"""One whole text frame, told from everything else."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from dispatch.gateway.whole import awaits_frame, whole_text

MOST: Final = 1_000
KEY: Final = b"\x01\x02\x03\x04"
TEXT: Final = b'{"t":"ping"}'


def sent(text: bytes, **more: bool) -> bytes:
    """Return a text frame as a phone sends it."""
    return Frame(Opcode.TEXT, text, **more).serialize(mask=True)


def headed(*head: int) -> bytes:
    """Return a frame of these first octets, with `TEXT` masked by `KEY`."""
    return bytes(head) + KEY + bytes(octet ^ KEY[i % 4] for i, octet in enumerate(TEXT))


@given(st.text(max_size=MOST // 4))
def test_a_whole_frame_is_its_text(text: str) -> None:
    """Whatever its length and its key."""
    assert whole_text(sent(text.encode()), MOST) == text


@given(st.text(min_size=1, max_size=200), st.data())
def test_a_part_of_a_frame_or_more_than_one_is_none(text: str, data: st.DataObject) -> None:
    """The library puts it together."""
    frame = sent(text.encode())
    cut = data.draw(st.integers(0, len(frame) - 1))
    assert whole_text(frame[:cut], MOST) is None
    assert whole_text(frame + frame[: cut + 1], MOST) is None


OTHERS: Final = {
    "a part": sent(TEXT, fin=False),
    "a reserved bit": headed(0xC1, 0x80 | len(TEXT)),
    "no mask": Frame(Opcode.TEXT, TEXT).serialize(mask=False),
    "binary": Frame(Opcode.BINARY, TEXT).serialize(mask=True),
    "ping": Frame(Opcode.PING, TEXT).serialize(mask=True),
    "close": Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True),
    "no UTF-8": sent(b"\xff"),
    "too long": sent(b"x" * (MOST + 1)),
    "much too long": sent(b"x" * 70_000),
    "a length told at length": headed(0x81, 0xFE, 0, len(TEXT)),
    "at more length": headed(0x81, 0xFF, 0, len(TEXT)),
    "nothing": b"",
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_text_frame_is_left_to_the_library(what: str) -> None:
    """Though it differs from one by an octet."""
    assert whole_text(OTHERS[what], MOST) is None
    assert whole_text(headed(0x81, 0x80 | len(TEXT)), MOST) == TEXT.decode()


def test_the_library_awaits_a_frame_between_two_and_nowhere_else() -> None:
    """From the first octet on it is left alone, until the last one."""
    conn = ServerProtocol(state=State.OPEN)
    conn.receive_data(sent(TEXT))
    assert awaits_frame(conn)
    for octet in sent(b"x" * 200)[:-1]:
        conn.receive_data(bytes((octet,)))
        assert not awaits_frame(conn)


def test_a_message_in_parts_is_one_until_its_last() -> None:
    """What came first would be lost, or come last."""
    conn = ServerProtocol(state=State.OPEN)
    conn.receive_data(sent(TEXT, fin=False))
    assert not awaits_frame(conn)
    conn.receive_data(Frame(Opcode.CONT, TEXT).serialize(mask=True))
    assert awaits_frame(conn)


def test_a_conversation_that_ends_awaits_nothing() -> None:
    """Nothing is heard after the phone's close, or after ours, or once the parser is gone."""
    left, parted, lost = (ServerProtocol(state=State.OPEN) for _ in range(3))
    left.receive_data(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
    parted.send_close(1000)
    lost.receive_data(sent(TEXT))
    lost.parser.close()
    assert not any(awaits_frame(conn) for conn in (left, parted, lost))
