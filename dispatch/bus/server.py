"""Our own NATS server: started, watched, brought back and stopped by the service itself.

It listens on loopback, takes nobody without the password, and keeps nothing. Linux only.
"""

import asyncio
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from dispatch.bus.port import free_port
from dispatch.bus.program import NatsServerError, find_program, start

__all__ = ["NatsServer", "NatsServerError"]

log = structlog.get_logger()

HOST: Final = "127.0.0.1"
USER: Final = "kapok"
LIMITS: Final = {
    "max_payload": 2**20,
    "max_pending": 16 * 2**20,  # bytes for one who does not read, then he is cut off
    "write_deadline": "5s",
    "max_connections": 1_000,
    "ping_interval": "2s",
    "ping_max": 2,  # who does not answer twice is gone, and questions to him are told so
    "logfile_size_limit": 2**20,
    "logfile_max_num": 2,
}
READY_S: Final = 5.0
ANSWER_S: Final = 1.0
SILENCES: Final = 3
"""A server that does not greet so many times in a row, `ANSWER_S` each, counts as dead."""
IN_ORDER: Final = (signal.SIGTERM, signal.SIGKILL)
AT_ONCE: Final = (signal.SIGKILL,)
TERM_S: Final = 2.0
POLL_S: Final = 0.005
WATCH_S: Final = 0.25
LOOKS: Final = 4
"""So many times it is watched whether the process lives, then once whether it greets."""
PORTS_TRIED: Final = 5
RESTART_PAUSES_S: Final = (0.0, 0.1, 0.3, 1.0, 3.0)
LAST_WORDS_BYTES: Final = 2_000


class NatsServer:
    """One nats-server with its files in `folder`, a direct child of this process.

    It gets SIGTERM when the *thread* that started it ends, so start it from one that lives as long
    as the service. The address, password included, stays the same until `stop`.
    """

    def __init__(
        self,
        folder: Path,
        program: Path | None = None,
        answer_s: float = ANSWER_S,
        pauses_s: Sequence[float] = RESTART_PAUSES_S,
    ) -> None:
        self._folder = folder.resolve()
        self._program = program
        self._answer_s = answer_s
        self._pauses_s = pauses_s
        self._password = secrets.token_urlsafe(32)
        self._name = secrets.token_hex(8)
        self._port = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._is_wanted = False
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # --- what it is ---------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The server's pid, of the last start."""
        if self._server is None:
            raise NatsServerError("the bus's server is not started")
        return self._server.pid

    @property
    def url(self) -> str:
        """The address with name and password: for environments and files, not for logs."""
        return f"nats://{USER}:{self._password}@{HOST}:{self._port}"

    @property
    def log_path(self) -> Path:
        """What the server says; older parts lie beside it."""
        return self._folder / "nats.log"

    # --- what it does -------------------------------------------------------------------------

    async def start(self) -> str:
        """Return the address of a server that has just answered.

        Raises:
            NatsServerError: there is no program, or it does not start; nothing is left running.
        """
        async with self._turn:
            if self._is_wanted:
                return self.url
            try:
                await self._start()
            except OSError as error:
                raise NatsServerError(f"the bus's server cannot start: {error}") from error
        return self.url

    async def watch(self) -> None:
        """Bring the server back at the same address whenever it ends or falls silent.

        Returns after `stop`.

        Raises:
            NatsServerError: it did not come back.
        """
        silences = 0
        for look in cycle(range(LOOKS)):
            await asyncio.sleep(WATCH_S)
            if not self._is_wanted:
                return
            if look == 0 or silences:
                silences = 0 if await self._greets() else silences + 1
            if self._has_ended() or silences == SILENCES:
                await self._restart()
                silences = 0

    async def stop(self) -> None:
        """End the server and remove its password."""
        async with self._turn:
            self._is_wanted = False
            await self._end(IN_ORDER)
            self._config.unlink(missing_ok=True)

    # --- starting -----------------------------------------------------------------------------

    @property
    def _config(self) -> Path:
        return self._folder / "nats.json"

    async def _start(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(PORTS_TRIED):
            self._port = free_port(HOST)
            self._write_config()
            if await self._run():
                self._is_wanted = True
                return
            await self._end(AT_ONCE)
        self._config.unlink(missing_ok=True)
        raise NatsServerError(f"the bus's server does not start: {self._last_words()}")

    async def _restart(self) -> None:
        for pause_s in self._pauses_s:
            await asyncio.sleep(pause_s)
            async with self._turn:
                if not self._is_wanted:
                    return
                await self._end(AT_ONCE)
                if await self._run():
                    log.warning("bus_server_back", pid=self.pid)
                    return
        raise NatsServerError(f"no bus after {len(self._pauses_s)} attempts: {self._last_words()}")

    def _write_config(self) -> None:
        """Write what the server reads, the password too: a command line is seen by everybody."""
        told = {
            "server_name": self._name,
            "log_file": str(self.log_path),
            "authorization": {"user": USER, "password": self._password},
            **LIMITS,
        }
        self._config.unlink(missing_ok=True)
        file = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as config:
            json.dump(told, config)

    async def _run(self) -> bool:
        """Start the program; say whether it greets in time, being ours."""
        where = ("-a", HOST, "-p", str(self._port))  # on loopback even with a damaged file
        self._server = start(
            self._program or find_program(),
            *("-c", str(self._config)),
            *where,
            output=self._first_words_path,
            folder=self._folder,
        )
        clock = asyncio.get_running_loop().time
        end_s = clock() + READY_S
        while not self._has_ended() and clock() < end_s:
            if await self._greets():
                return True
            await asyncio.sleep(POLL_S)
        return False

    # --- looking and ending -------------------------------------------------------------------

    def _has_ended(self) -> bool:
        return self._server is None or self._server.poll() is not None

    async def _greets(self) -> bool:
        """Say whether the one that listens is ours: its greeting tells its name."""
        try:
            async with asyncio.timeout(self._answer_s):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    return self._name.encode() in await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _end(self, orders: Iterable[signal.Signals]) -> None:
        if self._server is None:
            return
        for number in orders:
            self._server.send_signal(number)  # does nothing once it ended
            if await self._ends_within(TERM_S):
                return

    async def _ends_within(self, bound_s: float) -> bool:
        clock = asyncio.get_running_loop().time
        end_s = clock() + bound_s
        while clock() < end_s:
            if self._has_ended():
                return True
            await asyncio.sleep(POLL_S)
        return False

    @property
    def _first_words_path(self) -> Path:
        return self._folder / "nats.start.log"

    def _last_words(self) -> str:
        """Return the end of what it said: before its log was open, and in it."""
        said = [
            path.read_bytes() for path in (self._first_words_path, self.log_path) if path.exists()
        ]
        return b"".join(said)[-LAST_WORDS_BYTES:].decode(errors="replace").strip()
