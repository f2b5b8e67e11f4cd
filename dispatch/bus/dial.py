"""Finding a NATS server that takes us: in turn, with pauses, for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, count, repeat
from typing import Final
from zlib import crc32

from dispatch.bus.address import Address
from dispatch.bus.link import Link

ATTEMPT_S: Final = 2.0
"""One attempt: connecting, greeting, subscribing."""
PAUSES_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Between attempts, the last one for ever; each is spread over half to all of itself by name."""

TakeUp = Callable[[Link], Awaitable[None]]
"""Makes a new connection fit to be used; what it raises ends the attempt."""


class Dial:
    """The servers of a cluster, and what came of the last attempt to reach one."""

    def __init__(self, addresses: Sequence[Address], name: str) -> None:
        self._addresses = addresses
        self._name = name
        self._turns = count(crc32(name.encode()))
        self.kind = ""
        """What kind of error was the last; it holds no address."""
        self.why = "no attempt was made"
        """The last error for people, with the address, without name and password."""

    async def link(self, take_up: TakeUp, missed: Callable[[], None]) -> Link:
        """Return a connection that was taken up; `missed` is told of each attempt that failed."""
        for pause_s in chain(PAUSES_S, repeat(PAUSES_S[-1])):
            turn = next(self._turns)
            found = await self._attempt(self._addresses[turn % len(self._addresses)], take_up)
            if found is not None:
                return found
            missed()
            await asyncio.sleep(pause_s * self._spread(turn))
        raise AssertionError("the pauses have no end")

    async def _attempt(self, where: Address, take_up: TakeUp) -> Link | None:
        link, is_up = Link(where), False
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await link.join(self._name)
                await take_up(link)
            is_up = True
        except Exception as error:  # whatever ails this one: the next may be well
            self._note(where, link.why or error)
        finally:
            if not is_up:
                await link.leave()
        return link if is_up else None

    def _note(self, where: Address, error: Exception) -> None:
        self.kind = type(error).__name__
        self.why = f"{where.url}: {self.kind}: {error}".removesuffix(": ")

    def _spread(self, turn: int) -> float:
        """Return half to one, another for each name and turn: not all come at once."""
        return 0.5 + crc32(f"{self._name} {turn}".encode()) / 2**33
