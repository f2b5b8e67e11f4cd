"""Lost packets: the kernel drops some of what comes to a socket before TCP has seen it.

By a filter of the socket (`SO_ATTACH_FILTER`), so no right and no tool is needed. Whoever sent them
hears no acknowledgement, and sends them again: the real thing, back-off and all.
"""

import ctypes
import socket
import struct
from contextlib import suppress
from typing import Final

ATTACH: Final = 26
DETACH: Final = 27
LOAD: Final = 0x20
AT_LEAST: Final = 0x35
RETURN: Final = 0x06
RANDOM: Final = 0xFFFFF038
"""Where a filter finds a random word (`SKF_AD_OFF + SKF_AD_RANDOM`)."""
ALL: Final = 0xFFFFFFFF
STEP: Final = "HBBI"
"""A step of a filter: code, where to go on if true and if not, value."""


def lose(line: socket.socket, share: float) -> None:
    """Lose this share of all packets that come to a TCP socket from now on; 0: none any more."""
    if share <= 0:
        with suppress(FileNotFoundError):  # it has lost none so far
            line.setsockopt(socket.SOL_SOCKET, DETACH, 0)
        return
    steps = b"".join(
        struct.pack(STEP, *step)
        for step in (
            (LOAD, 0, 0, RANDOM),
            (AT_LEAST, 0, 1, int(share * ALL)),
            (RETURN, 0, 0, ALL),
            (RETURN, 0, 0, 0),
        )
    )
    held = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HP", len(steps) // struct.calcsize(STEP), ctypes.addressof(held))
    line.setsockopt(socket.SOL_SOCKET, ATTACH, program)
