"""Messages that wait to be sent: bounded, in order, and never waited for by whoever puts one."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

BYTES_MOST: Final = 4 * 2**20
MESSAGES_MOST: Final = 10_000


class Message(NamedTuple):
    """A body on its way; `reply` is where an answer is waited for, empty for none."""

    subject: str
    body: bytes
    reply: str = ""


class Ping(NamedTuple):
    """A question to the server itself, behind all that was put before; it has no body."""

    pong: asyncio.Future[bool]
    body: bytes = b""


class Pending:
    """At most `BYTES_MOST` bytes of bodies and `MESSAGES_MOST` messages."""

    def __init__(self) -> None:
        self._messages = deque[Message | Ping]()
        self._bytes = 0
        self._some = asyncio.Event()

    def put(self, message: Message | Ping) -> bool:
        """Let a message wait; False where there is no room."""
        size = self._bytes + len(message.body)
        if size > BYTES_MOST or len(self._messages) >= MESSAGES_MOST:
            return False
        self._messages.append(message)
        self._bytes = size
        self._some.set()
        return True

    async def take(self) -> Message | Ping:
        """Return the oldest message, once there is one."""
        while not self._messages:
            self._some.clear()
            await self._some.wait()
        message = self._messages.popleft()
        self._bytes -= len(message.body)
        return message

    def clear(self) -> int:
        """Forget all; returns how many."""
        forgotten = len(self._messages)
        self._messages.clear()
        self._bytes = 0
        return forgotten
