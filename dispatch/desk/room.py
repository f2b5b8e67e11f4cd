"""Looks at the room of the store and of its archive, and tells of it."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from dispatch.desk.desk import Desk
from dispatch.live.room import Level

log = structlog.get_logger()

EVERY_S: Final = 1.0

Bytes = Callable[[], int]
"""How much may be written on a disk; raises OSError where it cannot be looked at."""


class RoomWatch:
    """What a process knows of the disks; of those of another machine only what the store says."""

    def __init__(
        self,
        desk: Desk,
        *,
        store_bytes: Bytes | None = None,
        archive_bytes: Bytes | None = None,
        archive_least_bytes: int = 0,
    ) -> None:
        self._desk = desk
        self._store_bytes = store_bytes
        self._archive_bytes = archive_bytes
        self._archive_least_bytes = archive_least_bytes
        self._level = Level.AMPLE
        desk.metrics.room_level.set_function(lambda: desk.room.level)

    def told_full(self) -> None:
        """Take the store's word that it is full."""
        self._desk.room.told_full(asyncio.get_running_loop().time())
        self._tell(Level.SPENT)

    async def look(self) -> None:
        """Look at the disks that are ours."""
        found = self._found("store", self._store_bytes)
        self._tell(self._desk.room.look(found, asyncio.get_running_loop().time()))
        archive = self._found("archive", self._archive_bytes)
        self._desk.archive_room = archive is None or archive >= self._archive_least_bytes

    def _found(self, disk: str, look: Bytes | None) -> int | None:
        if look is None:
            return None
        try:
            found = look()
        except OSError as error:
            log.warning("disk_not_seen", disk=disk, error=str(error))
            return None
        self._desk.metrics.room_bytes.labels(disk).set(found)
        return found

    def _tell(self, level: Level) -> None:
        if level is not self._level:
            log.warning("room", now=level.name.lower(), before=self._level.name.lower())
            self._level = level
