"""A real `kapok serve` of the tests' own: started, watched through its log, killed by pid."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

START_S = 60.0
LOOPBACK: Final = "0100007F"  # as /proc/net/tcp has it, and
ESTABLISHED: Final = "01"


class Running:
    """One `kapok serve`, its workers, and where it answers."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, before: int = 0) -> None:
        self.process = process
        self._log, self._before = log, before

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        data: Path,
        port: int = 0,
        workers: int = 1,
        within: Sequence[str] = (),
        **environment: str,
    ) -> AsyncIterator["Running"]:
        """Start the service on a data folder, `within` a command that becomes it; end it then.

        Its log goes on from where the one before it ended.
        """
        log = data.with_name(f"{data.name}.service.log")
        with log.open("ab") as file:
            before = file.tell()
            process = await asyncio.create_subprocess_exec(
                *(*within, sys.executable, "-m", "dispatch", "serve"),
                *("--port", str(port), "--workers", str(workers)),
                env={**os.environ, **environment, "KAPOK_DATA": str(data)},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
        running = cls(process, log, before)
        try:
            await running.ready(workers)
            yield running
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), START_S)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log's events of a name so far."""
        lines = [line for line in self._written().splitlines() if line.startswith(b"{")]
        return [e for e in map(msgspec.json.decode, lines) if e["event"] == name]

    def _written(self) -> bytes:
        """Return what it has logged so far."""
        with self._log.open("rb") as file:
            file.seek(self._before)
            return file.read()

    async def ready(self, times: int) -> None:
        """Wait until a worker has become ready for the n-th time, whichever it is."""
        await self.said("ready", times)

    async def said(self, name: str, times: int = 1) -> None:
        """Wait until the log has had an event for the n-th time."""
        async with asyncio.timeout(START_S):
            while len(self.events(name)) < times:
                if self.process.returncode is not None:
                    raise AssertionError(self._written().decode())
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
        """The pid of the worker that became ready last: of the only one, where there is one."""
        return int(self.events("ready")[-1]["worker"])

    @property
    def workers(self) -> list[int]:
        """The pids of the present workers, by berth."""
        latest = {int(e["berth"]): int(e["worker"]) for e in self.events("ready")}
        return [latest[berth] for berth in sorted(latest)]

    @property
    def children(self) -> list[int]:
        """The processes that the parent has started and that still run, whatever they do."""
        return children(self.process.pid)

    def phones_of(self, worker: int) -> int:
        """Return how many connections a worker holds at the service's own port."""
        return len(self._lines_of(worker))

    def worker_of(self, port: int) -> int:
        """Return the worker that holds the connection from a port of 127.0.0.1."""
        ours = f"{LOOPBACK}:{port:04X}"
        return next(worker for worker in self.workers if ours in self._lines_of(worker))

    def _lines_of(self, worker: int) -> list[str]:
        """Return who is connected to a worker, as /proc/net/tcp has it."""
        rows = [row.split() for row in Path(f"/proc/{worker}/net/tcp").read_text().splitlines()[1:]]
        ours, held = f":{self.port:04X}", _sockets(worker)
        return [
            row[2]
            for row in rows
            if row[1].endswith(ours) and row[3] == ESTABLISHED and row[9] in held
        ]

    async def kill(self) -> None:
        """Kill -9 the parent and its workers at once, in the middle of whatever they do."""
        for pid in (self.process.pid, *self.workers):
            os.kill(pid, signal.SIGKILL)
        await self.process.wait()


def children(parent: int) -> list[int]:
    """Return the living children of a process."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _state(pid)[1] == str(parent) and alive(pid)]


def alive(pid: int) -> bool:
    """Say whether a process still runs (a dead one nobody has waited for does not)."""
    return _state(pid)[0] not in {"Z", ""}


def _state(pid: int) -> tuple[str, str]:
    """Return a process's state and its parent; nothing where it is gone."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    return state, parent


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return {link[8:-1] for link in links if link.startswith("socket:[")}
