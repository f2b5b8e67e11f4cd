"""One heap of deadlines for all phones of a process: no timer and no task per phone."""

import heapq
import math
from typing import Final, Generic, Protocol, TypeVar

NEVER: Final = math.inf


class Armed(Protocol):
    """Whoever waits: it keeps the one deadline that counts."""

    armed_ms: float


Waiter = TypeVar("Waiter", bound=Armed)


class Timers(Generic[Waiter]):
    """Deadlines in order; a waiter has one, and setting a nearer one takes its place.

    Deadlines that move later cost nothing: the waiter is woken too soon, and sets the next.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._count = 0

    def wake(self, waiter: Waiter, at_ms: float) -> None:
        """Wake the waiter at `at_ms`, or sooner when it is armed for sooner."""
        if at_ms >= waiter.armed_ms:
            return
        waiter.armed_ms = at_ms
        self._count += 1
        heapq.heappush(self._heap, (at_ms, self._count, waiter))

    def due(self, now_ms: float) -> list[Waiter]:
        """Return who is to be woken by now, the longest due first; each is disarmed."""
        found = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, _, waiter = heapq.heappop(self._heap)
            if waiter.armed_ms == at_ms:
                waiter.armed_ms = NEVER
                found.append(waiter)
        return found

    def __len__(self) -> int:
        return len(self._heap)
