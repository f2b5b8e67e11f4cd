"""What is being changed while somebody compares memory with the store: that is no difference."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dispatch.live.times import Times


class InFlight:
    """Units and incidents between the start of a commit and the moment memory shows it."""

    def __init__(self) -> None:
        self._open = Times[str]()
        self._watches: list[set[str]] = []
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def quiet(self) -> None:
        """Wait until nothing is being changed."""
        await self._quiet.wait()

    @contextmanager
    def changing(self, ids: Iterable[str]) -> Iterator[None]:
        """Change these inside, in the store and in memory."""
        about = frozenset(ids)
        self._open.update(about)
        self._quiet.clear()
        for watch in self._watches:
            watch.update(about)
        try:
            yield
        finally:
            self._open.less(about)
            if not self._open:
                self._quiet.set()

    @contextmanager
    def watching(self) -> Iterator[set[str]]:
        """Collect all that is changed inside, or was being changed when it began."""
        changed = set(self._open)
        self._watches.append(changed)
        try:
            yield changed
        finally:
            # By what it is: another watch may hold the same ids.
            self._watches = [watch for watch in self._watches if watch is not changed]
