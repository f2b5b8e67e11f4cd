"""A disk without room: a clear no to everybody, nothing lost, recovery by itself."""

import asyncio
import os
from pathlib import Path
from typing import Final

import pytest

from tests.faults.checker import evidence, settled
from tests.faults.running import Running
from tests.faults.town import CREATED, UNITS, Town
from tests.faults.witness import Witness
from tests.patience import until, until_said

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

MOUNT: Final = """
mount -t tmpfs -o size=200m kapok "$0" && cp -a "$1" "$0"/data && shift && exec "$@"
"""
"""In a mount namespace of its own, so that the machine sees nothing of it."""
PIECE: Final = bytes(64 * 1024)


def on_a_small_disk(place: Path, data: Path) -> list[str]:
    """Return what puts a town's data on a disk of 200 MB and becomes the service there."""
    own = () if os.geteuid() == 0 else ("--map-root-user",)
    return ["unshare", "--mount", *own, "sh", "-c", MOUNT, str(place), str(data)]


def fill(ballast: Path) -> None:
    """Leave no room."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(PIECE) == len(PIECE):
                pass
        except OSError:
            return


async def test_a_full_disk_gets_clear_answers_and_recovers(town: Town, tmp_path: Path) -> None:
    """503 while there is none, phones stay; as soon as there is room calls are taken again."""
    small, stop = tmp_path / "small", asyncio.Event()
    small.mkdir()
    within = on_a_small_disk(small, town.data)
    async with (
        Running.started(small / "data", within=within) as service,
        Witness.started(town.lines(), service.url) as fleet,
    ):
        inside = Path(f"/proc/{service.process.pid}/root{small}")
        await until(lambda: fleet.online == UNITS)
        caller = town.caller(service.url)
        calling = asyncio.create_task(caller.run(stop))
        await until(lambda: fleet.tally.tasks >= 3)
        fill(inside / "ballast")

        async def answered(status: int) -> bool:
            call = await town.post(service.url, "/v1/incidents", town.call())
            return call.status_code == status

        await until_said(lambda: answered(503))
        assert (fleet.online, fleet.tally.losses) == (UNITS, {})
        (inside / "ballast").unlink()
        await until_said(lambda: answered(CREATED))
        stop.set()
        await calling
        fleet.rest()
        await until(fleet.settled)
        folder = (inside / "data" / "postgres.lock").read_text().splitlines()[1]
        dsn = f"postgresql://kapok@/kapok?host={folder}"
        assert await settled(dsn, town.since, lambda: evidence(caller, fleet)) == []
    assert caller.called.given_up == 0
