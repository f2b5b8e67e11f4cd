"""A disk without room: incidents are refused last, nothing is lost, all is well again by itself."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.faults.checker import evidence, settled
from tests.faults.running import Running
from tests.faults.town import CREATED, UNITS, Town
from tests.faults.witness import Witness
from tests.patience import until, until_said

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

MOUNT: Final = """
mount -t tmpfs -o size=400m kapok "$0" && cp -a "$1" "$0"/data && shift && exec "$@"
"""
"""In a mount namespace of its own, so that the machine sees nothing of it."""
PIECE: Final = bytes(64 * 1024)
MB: Final = 2**20
BALLAST_MB: Final = 64
NEARLY_FULL: Final[dict[str, Any]] = {
    "type": "/problems/overloaded",
    "title": "The service cannot do this now",
    "status": 503,
    "code": "overloaded",
}


def on_a_small_disk(place: Path, data: Path) -> list[str]:
    """Return what puts a town's data on a disk of 400 MB and becomes the service there."""
    own = () if os.geteuid() == 0 else ("--map-root-user",)
    return ["unshare", "--mount", *own, "sh", "-c", MOUNT, str(place), str(data)]


class Disk:
    """The disk of a service, and what others have written on it."""

    def __init__(self, inside: Path) -> None:
        self._inside = inside
        self.ballast = inside / "data" / "ballast"

    def fill_but(self, leave_mb: int, name: str) -> None:
        """Write what is free now, but for so much."""
        disk = os.statvfs(self._inside)
        with (self._inside / name).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - leave_mb * MB)

    def fill(self, name: str) -> None:
        """Write until nothing more can be written."""
        with (self._inside / name).open("wb", buffering=0) as file:
            try:
                while file.write(PIECE) == len(PIECE):
                    pass
            except OSError:
                return

    def clear(self, *names: str) -> None:
        """Remove what others have written."""
        for name in names:
            (self._inside / name).unlink()


class Desk:
    """A caller of the service, who asks for one thing after the other."""

    def __init__(self, town: Town, url: str) -> None:
        self._town = town
        self._url = url

    async def call(self) -> httpx.Response:
        """Open an incident."""
        return await self._town.post(self._url, "/v1/incidents", self._town.call())

    async def notify(self) -> httpx.Response:
        """Send a notice to everybody."""
        body = {"level": "info", "text": "通知", "drill": True}
        return await self._town.post(self._url, "/v1/notices", body)

    async def called(self, status: int) -> bool:
        """Say whether an incident is answered by a status."""
        return (await self.call()).status_code == status

    async def notified(self, status: int) -> bool:
        """Say whether a notice is answered by a status."""
        return (await self.notify()).status_code == status

    async def degraded(self) -> list[str]:
        """Return what the service says is not as it should be."""
        async with httpx.AsyncClient(base_url=self._url) as client:
            found: list[str] = (await client.get("/readyz")).json()["degraded"]
            return found


async def test_incidents_are_the_last_that_a_full_disk_refuses(town: Town, tmp_path: Path) -> None:
    """Notices wait first; incidents live on the ballast, then hear 503; room brings all back."""
    small, stop = tmp_path / "small", asyncio.Event()
    small.mkdir()
    within = on_a_small_disk(small, town.data)
    async with (
        Running.started(small / "data", within=within, KAPOK_BALLAST_MB=str(BALLAST_MB)) as service,
        Witness.started(town.lines(), service.url) as fleet,
    ):
        inside = Path(f"/proc/{service.process.pid}/root{small}")
        disk, desk = Disk(inside), Desk(town, service.url)
        await until(lambda: fleet.online == UNITS)
        caller = town.caller(service.url)
        calling = asyncio.create_task(caller.run(stop))
        await until(lambda: fleet.tally.tasks >= 3)
        assert disk.ballast.stat().st_size == BALLAST_MB * MB
        assert (await desk.degraded(), (await desk.notify()).status_code) == ([], CREATED)

        disk.fill_but(BALLAST_MB // 2, "some")
        await until_said(lambda: desk.notified(503))
        refused = await desk.notify()
        assert NEARLY_FULL.items() <= refused.json().items()
        assert refused.json()["detail"].startswith("the store is nearly full: notices wait")
        assert refused.headers["retry-after"] == "30"
        assert await desk.degraded() == ["room"]
        tasks = fleet.tally.tasks
        assert (await desk.call()).status_code == CREATED
        await until(lambda: fleet.tally.tasks > tasks)
        assert disk.ballast.exists()

        disk.fill_but(BALLAST_MB // 8, "more")
        await until(lambda: not disk.ballast.exists())
        tasks = fleet.tally.tasks
        await until_said(lambda: desk.called(CREATED))
        await until(lambda: fleet.tally.tasks > tasks)

        disk.fill("all")
        await until_said(lambda: desk.called(503))
        assert (fleet.online, fleet.tally.losses) == (UNITS, {})
        postmaster = (inside / "data" / "postgres" / "postmaster.pid").read_text().split()[0]
        os.kill(int(postmaster), signal.SIGKILL)
        disk.clear("some", "more", "all")
        await until_said(lambda: desk.called(CREATED))
        await until_said(lambda: desk.notified(CREATED))
        await until(disk.ballast.exists)
        stop.set()
        await calling
        fleet.rest()
        await until(fleet.settled)
        folder = (inside / "data" / "postgres.lock").read_text().splitlines()[1]
        dsn = f"postgresql://kapok@/kapok?host={folder}"
        assert await settled(dsn, town.since, lambda: evidence(caller, fleet)) == []
    assert caller.called.given_up == 0
