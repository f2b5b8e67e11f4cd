"""Work that comes all at once, done a little at each turn of the loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

PER_TURN: Final = 16
"""Handshakes in one turn: some 5 ms (bench/gateway), so an offer never waits for longer."""
Work = Callable[[], None]


class Turns:
    """A queue of short work, in order; between two turns everything else has its own."""

    def __init__(self, per_turn: int = PER_TURN) -> None:
        self._per_turn = per_turn
        self._waiting: deque[Work] = deque()

    def __len__(self) -> int:
        """Return how much waits."""
        return len(self._waiting)

    def soon(self, work: Work) -> None:
        """Do this in one of the next turns; it must not raise."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        for _ in range(min(self._per_turn, len(self._waiting))):
            # It goes out of the queue when it is done, so that who comes meanwhile starts no turn.
            self._waiting[0]()
            self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
