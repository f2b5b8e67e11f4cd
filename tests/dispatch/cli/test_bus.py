"""Which bus the workers of a service are on."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from dispatch.bus.nats import NatsBus
from dispatch.cli.bus import BUS, bus
from dispatch.cli.codes import Failure
from dispatch.settings import Secret, Settings

BOUND_S: Final = 30.0

pytestmark = pytest.mark.asyncio


async def test_one_worker_alone_needs_none(tmp_path: Path) -> None:
    """And nothing is started for it."""
    async with bus(Settings(data=tmp_path)) as url:
        assert url is None
    assert nothing_in(tmp_path)


async def test_the_sites_own_goes_before_ours(tmp_path: Path) -> None:
    """However many workers there are."""
    settings = Settings(data=tmp_path, workers=2, bus_url=Secret("nats://bus.example.org"))
    async with bus(settings) as url:
        assert url == "nats://bus.example.org"
    assert nothing_in(tmp_path)


async def test_several_workers_get_one_of_ours(tmp_path: Path) -> None:
    """It answers at its address, comes back there when it was killed, and ends with the service."""
    settings = Settings(data=tmp_path, workers=2)
    async with bus(settings) as url:
        assert url is not None
        async with NatsBus.open([url], name="test") as here:
            assert here.here
            os.kill(running(tmp_path), signal.SIGKILL)
            await until(lambda: not here.here)
            await until(lambda: here.here)
        with pytest.raises(Failure, match=f"process {os.getpid()} runs a bus in"):
            async with bus(settings):
                pass
    with pytest.raises(StopIteration):
        running(tmp_path)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another process brings about."""
    async with asyncio.timeout(BOUND_S):
        while not true():  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(0.01)


def nothing_in(folder: Path) -> bool:
    """Say whether a folder is empty."""
    return not list(folder.iterdir())


def running(data: Path) -> int:
    """Return the process of the server that serves from a data folder."""
    config = str(data / BUS / "nats.json")
    return next(
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if config in entry.read_text(encoding="utf-8").split("\0")
    )
