"""All workers of a machine: one in each berth, and replaced one after the other when asked."""

import asyncio
from pathlib import Path
from typing import BinaryIO

import structlog

from dispatch.cli.berth import SILENT_S, Berth
from dispatch.cli.open_files import phones_at_most, raise_open_files
from dispatch.cli.port import Port

log = structlog.get_logger()


class Workers:
    """As many worker processes as the port has sockets.

    Database and bus are told to them by their environment, never by their command line, which
    everybody on the machine can read. `ready` is set once all of them have served. `room` is the
    data folder whose disk they look at, where the database is our own.
    """

    def __init__(
        self,
        dsn: str,
        port: Port,
        *,
        roads: Path | None = None,
        bus_url: str | None = None,
        room: Path | None = None,
        log_file: BinaryIO | None = None,
        silent_s: float = SILENT_S,
    ) -> None:
        self.ready = asyncio.Event()
        self.url = port.url
        self._port = port
        given = {
            "DATABASE_URL": dsn,
            "BUS_URL": bus_url or "",
            "BUS_URL_FILE": "",
            "KAPOK_ROADS": str(roads or ""),
            "KAPOK_WORKERS": str(port.sockets),
            **({"KAPOK_BALLAST_MB": "0"} if room is None else {"KAPOK_DATA": str(room)}),
        }
        self._berths = [
            Berth(number, port, given, log_file=log_file, silent_s=silent_s)
            for number in range(port.sockets)
        ]

    @property
    def pids(self) -> list[int]:
        """The workers that serve now."""
        return [berth.worker for berth in self._berths if berth.worker is not None]

    async def run(self, stop: asyncio.Event) -> None:
        """Keep every berth filled until `stop`; then let all workers drain, at once."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell())
            closing = group.create_task(self._close(stop))
            await asyncio.wait([group.create_task(each.run(stop)) for each in self._berths])
            telling.cancel()
            closing.cancel()

    async def renew(self) -> bool:
        """Replace one worker after the other; the next one only when the one before serves again.

        False where one does not come back: the others go on as they are.
        """
        for number, berth in enumerate(self._berths):
            if not await berth.replace():
                log.error("renewal_stopped", berth=number)
                return False
        log.info("renewed", workers=self.pids)
        return True

    async def _tell(self) -> None:
        for berth in self._berths:
            await berth.ready.wait()
        self.ready.set()
        most = phones_at_most(raise_open_files(), len(self._berths))
        log.info("serving", url=self.url, workers=self.pids, phones_at_most=most)

    async def _close(self, stop: asyncio.Event) -> None:
        """Refuse at the end who knocks: whatever stands in front of us asks another machine."""
        await stop.wait()
        self._port.close()
