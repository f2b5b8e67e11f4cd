"""Our own NATS server: closed to others, back from anything, and gone when we are."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from dispatch.bus.nats import NatsBus
from dispatch.bus.server import NatsServer, NatsServerError
from dispatch.ports import BusAway

pytestmark = pytest.mark.asyncio

ROOT: Final = Path(__file__).parents[3]
BOUND_S: Final = 20.0
# A service in small: it starts the server, and says which.
PARENT: Final = """
import asyncio, sys
from pathlib import Path
from dispatch.bus.server import NatsServer

async def main():
    async with NatsServer(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A running server."""
    async with NatsServer(tmp_path / "bus") as running:
        yield running


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that is sure to come."""
    async with asyncio.timeout(BOUND_S):
        while True:
            if happened():
                return
            await asyncio.sleep(0.005)


def lives(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def password(server: NatsServer) -> str:
    """Return what lets us in."""
    return server.url.split(":")[2].partition("@")[0]


def seen_of(pid: int) -> str:
    """Return what everybody on the machine may see, and the process's environment."""
    return "".join(Path(f"/proc/{pid}/{seen}").read_text() for seen in ("cmdline", "environ"))


def listening(pid: int) -> list[str]:
    """Return where a process listens, as the kernel writes it."""
    fds = Path(f"/proc/{pid}/fd").iterdir()
    sockets = {str(fd.readlink()).removeprefix("socket:[").removesuffix("]") for fd in fds}
    tables = [Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return [words[1] for words in lines if words[3] == "0A" and words[9] in sockets]


def holding(folder: Path, text: str) -> list[Path]:
    """Return the files in a folder that hold a text."""
    return [file for file in folder.iterdir() if text in file.read_text()]


async def test_the_password_is_in_a_closed_file_only(server: NatsServer, tmp_path: Path) -> None:
    """Neither in a command line, nor in an environment, nor in the log."""
    told = holding(tmp_path / "bus", password(server))
    assert [stat.S_IMODE(file.stat().st_mode) for file in told] == [0o600]
    assert password(server) not in seen_of(server.pid)
    assert len(password(server)) >= 32
    assert stat.S_IMODE((tmp_path / "bus").stat().st_mode) == 0o700


async def test_nobody_comes_in_without_the_password(server: NatsServer) -> None:
    """And it is not told to whoever tries."""
    bare = server.url.replace(f"kapok:{password(server)}@", "")
    with pytest.raises(BusAway, match="Authorization Violation"):
        async with NatsBus.open([bare], name="stranger", within_s=0.3):
            pass


async def test_it_listens_on_this_machine_only_and_on_one_port(server: NatsServer) -> None:
    """No page that tells of it, no port for other servers."""
    port = int(server.url.rpartition(":")[2])
    assert listening(server.pid) == [f"0100007F:{port:04X}"]


async def test_it_comes_back_at_the_same_address(server: NatsServer) -> None:
    """Whether it is killed or falls silent."""
    url, first = server.url, server.pid
    watching = asyncio.create_task(server.watch())
    os.kill(first, signal.SIGKILL)
    await until(lambda: server.pid != first and lives(server.pid))
    async with NatsBus.open([url], name="back") as bus:
        assert bus.here
    assert server.url == url
    await server.stop()
    await watching


async def test_one_that_is_silent_is_replaced(tmp_path: Path) -> None:
    """A process that is there and does nothing helps nobody."""
    async with NatsServer(tmp_path, answer_s=0.1) as server:
        first = server.pid
        watching = asyncio.create_task(server.watch())
        os.kill(first, signal.SIGSTOP)
        await until(lambda: server.pid != first)
        assert not lives(first)
    await watching


async def test_it_leaves_nothing_running_and_no_password(tmp_path: Path) -> None:
    """A second start has a new one."""
    server = NatsServer(tmp_path)
    await server.start()
    pid = server.pid
    assert await server.start() == server.url
    assert server.pid == pid
    await server.stop()
    await server.stop()
    assert not lives(pid)
    assert holding(tmp_path, password(server)) == []


async def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Also when nobody had the time to stop it."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path)), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert lives(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not lives(pid))


async def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    """With its own last words, and no password left behind."""
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    broken.chmod(0o755)
    server = NatsServer(tmp_path / "bus", program=broken)
    with pytest.raises(NatsServerError, match="no such luck"):
        await server.start()
    assert not (tmp_path / "bus/nats.json").exists()


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """As what it is: no server."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NatsServerError, match="cannot start"):
        await NatsServer(tmp_path / "file" / "bus").start()


async def test_one_that_does_not_come_back_is_told(tmp_path: Path) -> None:
    """After a few attempts; whoever watches decides what then."""
    async with NatsServer(tmp_path, pauses_s=(0.0, 0.01)) as server:
        (tmp_path / "nats.json").write_text('{"max_payload": "none"}')
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(NatsServerError, match="no bus after 2 attempts"):
            await server.watch()


async def test_one_that_was_never_started_has_no_pid(tmp_path: Path) -> None:
    """And stops without ado."""
    server = NatsServer(tmp_path)
    await server.stop()
    with pytest.raises(NatsServerError, match="not started"):
        assert server.pid
