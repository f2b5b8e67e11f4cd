"""The piece of a stream that is one whole text frame: most of what phones send comes as that."""

from typing import Any, Final, cast

# The compiled one, where the library has it.
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # it hands it on unsaid
from websockets.protocol import Protocol, State

LAST_TEXT: Final = 0x81
"""FIN and the opcode of text, no reserved bit."""
MASKED: Final = 0x80
LONGER: Final = 126
"""In place of the length: it follows in two octets."""
KEY: Final = 4
"""Octets of the masking key, before the payload."""
BETWEEN: Final = "at_eof"
"""Where the parser of `websockets` waits for a frame to begin."""


def awaits_frame(conn: Protocol) -> bool:
    """Tell whether an open conversation stands between two messages: no part of one has come.

    A library that waits elsewhere is never taken for that: then it reads every frame itself.
    """
    if conn.state is not State.OPEN or conn.current_size is not None or conn.reader.buffer:
        return False
    waits, inner = None, cast(Any, conn.parser).gi_yieldfrom
    while inner is not None:
        waits, inner = inner, inner.gi_yieldfrom
    return waits is not None and waits.__name__ == BETWEEN


def whole_text(piece: bytes, most: int) -> str | None:
    """Return the text of a masked frame (RFC 6455, section 5.2) that is all of a piece.

    None for everything else, which the library has to look at: parts of frames, several of them,
    other kinds, more than `most` octets, text that is no UTF-8.
    """
    if len(piece) < 2 + KEY or piece[0] != LAST_TEXT or piece[1] < MASKED:
        return None
    start, length = 2, piece[1] - MASKED
    if length >= LONGER:
        start, length = 2 + 2, int.from_bytes(piece[2:4])
        if piece[1] - MASKED > LONGER or length < LONGER:
            return None
    payload = start + KEY
    if len(piece) != payload + length or length > most:
        return None
    try:
        return bytes(apply_mask(piece[payload:], piece[start:payload])).decode()
    except UnicodeDecodeError:
        return None
