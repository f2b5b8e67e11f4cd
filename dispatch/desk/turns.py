"""Decisions of one process on one incident follow each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from schemas.base import IncidentId


class Turns:
    """One lock an incident, while anybody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[IncidentId, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, incident_id: IncidentId | None) -> AsyncIterator[None]:
        """Wait until nobody else decides on it; what is not opened yet waits for nobody."""
        if incident_id is None:
            yield
            return
        lock = self._locks.setdefault(incident_id, asyncio.Lock())
        async with lock:
            yield
