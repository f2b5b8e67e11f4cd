"""A berth: the place of one worker, kept filled; who ends there is followed by another."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

import structlog

from dispatch.cli.port import Port
from dispatch.cli.pulse import BEAT_EVERY_S, READY

log = structlog.get_logger()

READY_S: Final = 60.0
SILENT_S: Final = 10.0
"""A worker that says nothing for so long, once it was ready, is killed."""
STOP_S: Final = 20.0
LAST_S: Final = 5.0
"""A worker that has closed its standard output, and is there all the same, is killed then."""
BACK_OFF_S: Final = (0.2, 10.0)
WORKER: Final = (sys.executable, "-m", "dispatch", "worker")

Process = asyncio.subprocess.Process


class Berth:
    """The place of one worker: its socket, its process, and whoever comes after it."""

    def __init__(
        self,
        number: int,
        port: Port,
        given: Mapping[str, str],
        *,
        log_file: BinaryIO | None = None,
        silent_s: float = SILENT_S,
        program: Sequence[str] = WORKER,
    ) -> None:
        self.ready = asyncio.Event()
        self._number = number
        self._port = port
        self._given = given
        self._log_file = log_file
        self._program = program
        self._beats_missed_most = max(1, round(silent_s / BEAT_EVERY_S))
        self._relieved = asyncio.Event()
        self._pause_s = BACK_OFF_S[0]
        self._pid: int | None = None

    @property
    def worker(self) -> int | None:
        """The process that serves here now."""
        return self._pid if self.ready.is_set() else None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a worker here until `stop`; then let it drain."""
        while not stop.is_set():
            self._relieved.clear()
            process = await self._start()
            if process is not None:
                await self._attend(process, stop)
            if not stop.is_set() and not self._relieved.is_set():
                await self._pause(stop, None if process is None else process.returncode)

    async def replace(self) -> bool:
        """Let the worker drain and another take its place; tell whether that one serves in time.

        Meanwhile who knocks is sent to the other berths, if there are any.
        """
        self._port.turn_away(self._number)
        self.ready.clear()
        self._relieved.set()
        try:
            async with asyncio.timeout(STOP_S + READY_S):
                await self.ready.wait()
        except TimeoutError:
            return False
        return True

    # One worker, from its start to its end. -------------------------------------------------------

    async def _start(self) -> Process | None:
        """Start a worker; None where the system has no room for one more process."""
        file = self._port.fileno(self._number)
        try:
            return await asyncio.create_subprocess_exec(
                *self._program,
                *("--fd", str(file), "--parent", str(os.getpid())),
                *("--berth", str(self._number)),
                env={**os.environ, **self._given},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._log_file,
                pass_fds=(file,),
                start_new_session=True,
            )
        except OSError as error:
            log.error("worker_not_started", berth=self._number, error=str(error))  # noqa: TRY400 - the system's answer says it all
            return None

    async def _attend(self, process: Process, stop: asyncio.Event) -> None:
        """Wait until the worker has ended: by itself, by its silence, or because it is told to."""
        hearing = asyncio.create_task(self._hear(process))
        told = [asyncio.create_task(event.wait()) for event in (stop, self._relieved)]
        await asyncio.wait({hearing, *told}, return_when=asyncio.FIRST_COMPLETED)
        for each in told:
            each.cancel()
        if not hearing.done():
            await _drained(process)
        await hearing
        self.ready.clear()

    async def _hear(self, process: Process) -> None:
        """Hear the worker until it has ended; kill it when it does not serve, or falls silent."""
        said = await _said(process, READY_S)
        if said == READY:
            self._serves(process)
            said = await self._last_word(process)
        else:
            # Not one that served and died: those who knock shall not wait for the next failure.
            self._port.turn_away(self._number)
        if said is None:
            log.error("worker_silent", worker=process.pid, berth=self._number)
            await _killed(process)
        await _over(process)

    def _serves(self, process: Process) -> None:
        if self._relieved.is_set():
            return
        self._pause_s = BACK_OFF_S[0]
        self._pid = process.pid
        self.ready.set()
        log.info("ready", url=self._port.url, worker=process.pid, berth=self._number)

    async def _last_word(self, process: Process) -> bytes | None:
        """Hear the worker out; b"" when it has ended, None when it is there and says nothing.

        Silence is counted in pauses that we were awake for, so that a parent which was itself
        stopped for a while does not take its own absence for the worker's.
        """
        missed = 0
        while missed < self._beats_missed_most:
            said = await _said(process, BEAT_EVERY_S)
            if said == b"":
                return said
            missed = missed + 1 if said is None else 0
        return None

    async def _pause(self, stop: asyncio.Event, code: int | None) -> None:
        """Wait a little longer each time, until a worker has been ready again."""
        log.error("worker_ended", code=code, berth=self._number, again_in_s=self._pause_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_s):
                await stop.wait()
        self._pause_s = min(BACK_OFF_S[1], self._pause_s * 2)


async def _said(process: Process, within_s: float) -> bytes | None:
    """Return the worker's next line; b"" when there are no more, None when none came in time."""
    if process.stdout is None:
        return b""
    try:
        async with asyncio.timeout(within_s):
            return await process.stdout.readline()
    except TimeoutError:
        return None


async def _drained(process: Process) -> None:
    """Ask the worker to go, and see that it does."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        await _killed(process)


async def _over(process: Process) -> None:
    """See that a worker which has said its last word ends; its own way, where it does so soon."""
    try:
        async with asyncio.timeout(LAST_S):
            await process.wait()
    except TimeoutError:
        await _killed(process)


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
