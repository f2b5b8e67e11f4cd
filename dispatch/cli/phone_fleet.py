"""The process of simulated phones, as its parent sees it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from dispatch.cli.city import IssuedPhone
from dispatch.cli.codes import Failure
from dispatch.phone.behaviour import Habits
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.fleet import FleetOptions, PhoneLine
from dispatch.phone.latency import Quantiles
from dispatch.phone.process import FleetProgress
from dispatch.wiring import UNIT_SOCKET

DRAIN_S: Final = 5.0
WRITE_S: Final = 60.0
"""What a fleet that has drained may take to write its diary and to hang up."""
PHONES: Final = "dispatch.cli.phones"
PHONES_FILE: Final = "phones.jsonl"
USUAL: Final = Habits()


class PhoneFleet:
    """The process of simulated phones, its last word on how it goes, and at the end its diary."""

    def __init__(
        self, process: asyncio.subprocess.Process, folder: Path, phones: int, stop_s: float
    ) -> None:
        self.phones = phones
        self._stop_s = stop_s
        self.progress = FleetProgress(tally=Tally(), push_ms=Quantiles())
        self._process = process
        self._folder = folder
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        phones: Sequence[IssuedPhone | PhoneLine],
        url: str,
        habits: Habits = USUAL,
        options: FleetOptions | None = None,
    ) -> AsyncIterator[Self]:
        """Start the process; its tokens lie in a file for us alone, gone once read.

        Of the options, if there are any, `diary` is our own matter; their habits go before.
        """
        with tempfile.TemporaryDirectory(prefix="kapok-") as name:
            folder = Path(name)
            file = folder / PHONES_FILE
            file.touch(mode=0o600)
            file.write_bytes(b"\n".join(msgspec.json.encode(_line(p)) for p in phones))
            options = replace(
                options or FleetOptions(habits=habits, drain_s=DRAIN_S),
                diary=str(folder / "diary.json"),
            )
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", PHONES),
                *("--file", str(file), "--url", f"{url.replace('http', 'ws', 1)}{UNIT_SOCKET}"),
                *("--options", msgspec.json.encode(options).decode()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            fleet = cls(process, folder, len(phones), options.drain_s + WRITE_S)
            try:
                yield fleet
            finally:
                await fleet.end()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.returncode

    async def begin(self) -> None:
        """Let the latencies begin anew."""
        await self._order(b'{"begin": true}\n')

    async def stop(self) -> Diary:
        """Let the phones drain; return what they have seen.

        Raises:
            Failure: the process has ended without a diary, or does not end.
        """
        await self._order(b'{"stop": true}\n')
        try:
            async with asyncio.timeout(self._stop_s):
                await self._process.wait()
        except TimeoutError as error:
            raise Failure("the phones do not stop") from error
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

    async def _order(self, line: bytes) -> None:
        """Tell the process; one that has ended is not told any more."""
        if self._process.stdin is None:
            raise Failure("the phones cannot be told anything")
        with suppress(ConnectionError):
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def _read(self) -> None:
        if self._process.stdout is None:
            return
        while line := await self._process.stdout.readline():
            (self._folder / PHONES_FILE).unlink(missing_ok=True)
            self.progress = msgspec.json.decode(line, type=FleetProgress)


def _line(phone: IssuedPhone | PhoneLine) -> PhoneLine:
    if isinstance(phone, PhoneLine):
        return phone
    return PhoneLine(
        device=phone.device,
        token=phone.token,
        unit=phone.unit,
        lon=phone.lon,
        lat=phone.lat,
        moves=phone.moves,
    )
