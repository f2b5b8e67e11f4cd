"""A real `kapok serve` of the tests' own: started, watched through its log, killed by pid."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

START_S = 60.0


class Running:
    """One `kapok serve`, its worker, and where it answers."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @classmethod
    @asynccontextmanager
    async def started(
        cls, data: Path, port: int = 0, **environment: str
    ) -> AsyncIterator["Running"]:
        """Start the service on a data folder; end what is left of it afterwards."""
        log = data.with_name(f"{data.name}.service.log")
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dispatch", "serve", "--port", str(port)),
                env={**os.environ, "KAPOK_DATA": str(data)},
                stderr=file,
                start_new_session=True,
            )
        running = cls(process, log)
        try:
            await running.ready(1)
            yield running
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), START_S)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log's events of a name so far."""
        lines = [line for line in self._log.read_bytes().splitlines() if line.startswith(b"{")]
        return [e for e in map(msgspec.json.decode, lines) if e["event"] == name]

    async def ready(self, times: int) -> None:
        """Wait until a worker has become ready for the n-th time."""
        async with asyncio.timeout(START_S):
            while len(self.events("ready")) < times:
                if self.process.returncode is not None:
                    raise AssertionError(self._log.read_text())
                await asyncio.sleep(0.05)

    @property
    def url(self) -> str:
        """Where the service answers."""
        return str(self.events("ready")[-1]["url"])

    @property
    def port(self) -> int:
        """Its port, to start it there again."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def worker(self) -> int:
        """The pid of the present worker."""
        return int(self.events("ready")[-1]["worker"])

    async def kill(self) -> None:
        """Kill -9 the parent and the worker at once, in the middle of whatever they do."""
        for pid in (self.process.pid, self.worker):
            os.kill(pid, signal.SIGKILL)
        await self.process.wait()


def alive(pid: int) -> bool:
    """Say whether a process still runs (a dead one nobody has waited for does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
