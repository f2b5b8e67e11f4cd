"""The process of a fleet, as its parent sees it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from dispatch.phone import ORPHANED, STOPPED, Diary, FleetProgress
from tests.dispatch.phone.script import Centre, greet, open_centre

pytestmark = pytest.mark.asyncio

PROGRAM = """
import sys
from pathlib import Path
import msgspec
from dispatch.clock import SystemClock
from dispatch.phone import FleetOptions, run_fleet

def report(progress):
    print(msgspec.json.encode(progress).decode(), flush=True)

folder, url = Path(sys.argv[1]), sys.argv[2]
options = FleetOptions(drain_s=0.05, progress_s=0.02, diary=str(folder / "diary.json"))
sys.exit(run_fleet(folder / "phones.jsonl", url, options, report, clock=SystemClock()))
"""


class Child:
    """A fleet in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout
        self.folder = folder

    async def online(self, phones: int) -> None:
        """Read progress until all phones are online."""
        while await self.progress() < phones:
            pass

    async def progress(self) -> int:
        """Return how many phones the next line says are online."""
        line = await self.stdout.readline()
        return msgspec.json.decode(line, type=FleetProgress).tally.online

    async def end(self) -> int:
        """Return the exit code."""
        await self.stdout.read()
        return await self.process.wait()


@asynccontextmanager
async def fleet(folder: Path, centre: Centre, phones: int = 3) -> AsyncIterator[Child]:
    """Start a fleet in a process of its own; it is gone at the end."""
    lines = [
        {"device": f"d{n}", "token": f"t{n}", "unit": "u", "lon": 113.3, "lat": 23.1}
        for n in range(phones)
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "phones.jsonl").write_text(text, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(folder),
        centre.url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    try:
        async with asyncio.timeout(30):
            yield Child(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_stops_when_told_drains_and_leaves_its_diary(tmp_path: Path) -> None:
    """Exit code 0; the diary is for nobody else to read; other lines ask for nothing."""
    async with open_centre(greet) as centre, fleet(tmp_path, centre) as child:
        await child.online(3)
        child.stdin.write(b'nonsense\n{"later": 1}\n{"stop": true}\n')
        assert await child.end() == STOPPED
        path = tmp_path / "diary.json"
        diary = msgspec.json.decode(path.read_bytes(), type=Diary)
        assert path.stat().st_mode & 0o777 == 0o600
        assert {device: page.connected for device, page in diary.devices.items()} == {
            "d0": True,
            "d1": True,
            "d2": True,
        }


async def test_latencies_begin_anew_when_it_is_told_to_begin(tmp_path: Path) -> None:
    """But for how long it took to come, which is over by then."""
    async with open_centre(greet) as centre, fleet(tmp_path, centre) as child:
        await child.online(3)
        child.stdin.write(b'{"begin": true}\n{"stop": true}\n')
        assert await child.end() == STOPPED
        diary = msgspec.json.decode((tmp_path / "diary.json").read_bytes(), type=Diary)
        assert diary.taken["welcome"].n == 3
        assert diary.taken["push"].n == 0
        assert diary.complete_ms is not None
        assert diary.began_ms < diary.complete_ms <= diary.until_ms


async def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    """Standard input ends; there is nobody to write a diary for."""
    async with open_centre(greet) as centre, fleet(tmp_path, centre) as child:
        await child.online(3)
        child.stdin.close()
        assert await child.end() == ORPHANED
        assert not (tmp_path / "diary.json").exists()


async def test_ctrl_c_is_its_parents_business(tmp_path: Path) -> None:
    """The signal reaches the whole group, and only the parent acts on it."""
    async with open_centre(greet) as centre, fleet(tmp_path, centre) as child:
        await child.online(3)
        child.process.send_signal(signal.SIGINT)
        child.stdin.write(b'{"stop": true}\n')
        assert await child.end() == STOPPED
