"""The process of simulated phones, as its parent sees it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from dispatch.cli.city import IssuedPhone
from dispatch.cli.codes import Failure
from dispatch.phone.behaviour import Habits
from dispatch.phone.diary import Diary, Quantiles, Tally
from dispatch.phone.fleet import FleetOptions, PhoneLine
from dispatch.phone.process import FleetProgress
from dispatch.wiring import UNIT_SOCKET

DRAIN_S: Final = 5.0
PHONES_FILE: Final = "phones.jsonl"
USUAL: Final = Habits()


class PhoneFleet:
    """The process of simulated phones, its last word on how it goes, and at the end its diary."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, phones: int) -> None:
        self.phones = phones
        self.progress = FleetProgress(tally=Tally(), push_ms=Quantiles())
        self._process = process
        self._folder = folder
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def started(
        cls, phones: Sequence[IssuedPhone], url: str, habits: Habits = USUAL
    ) -> AsyncIterator[Self]:
        """Start the process; its tokens lie in a file for us alone, gone once read."""
        with tempfile.TemporaryDirectory(prefix="kapok-") as name:
            folder = Path(name)
            file = folder / PHONES_FILE
            file.touch(mode=0o600)
            file.write_bytes(b"\n".join(msgspec.json.encode(_line(p)) for p in phones))
            options = FleetOptions(diary=str(folder / "diary.json"), habits=habits, drain_s=DRAIN_S)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dispatch", "phones"),
                *("--file", str(file), "--url", f"{url.replace('http', 'ws', 1)}{UNIT_SOCKET}"),
                *("--options", msgspec.json.encode(options).decode()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            fleet = cls(process, folder, len(phones))
            try:
                yield fleet
            finally:
                await fleet.end()

    async def stop(self) -> Diary:
        """Let the phones drain; return what they have seen."""
        if self._process.stdin is None:
            raise Failure("the phones cannot be told to stop")
        self._process.stdin.write(b'{"stop": true}\n')
        await self._process.stdin.drain()
        await self._process.wait()
        try:
            diary = (self._folder / "diary.json").read_bytes()
        except FileNotFoundError as error:
            raise Failure("the phones ended without their diary") from error
        return msgspec.json.decode(diary, type=Diary)

    async def end(self) -> None:
        """End the process if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()

    async def _read(self) -> None:
        if self._process.stdout is None:
            return
        while line := await self._process.stdout.readline():
            (self._folder / PHONES_FILE).unlink(missing_ok=True)
            self.progress = msgspec.json.decode(line, type=FleetProgress)


def _line(phone: IssuedPhone) -> PhoneLine:
    return PhoneLine(
        device=phone.device,
        token=phone.token,
        unit=phone.unit,
        lon=phone.lon,
        lat=phone.lat,
        moves=phone.moves,
    )
