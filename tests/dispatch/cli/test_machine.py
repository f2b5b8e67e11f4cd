"""What is seen of a machine is what is there, and looking changes nothing."""

import asyncio
import os
import resource
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dispatch.cli import machine
from dispatch.store.folder_lock import FolderLock
from tests.dispatch.cli.answering import answering


def test_the_files_of_a_process_are_its_own() -> None:
    """Asked for by its number, or of this process where there is none."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert machine.files_most(None) == machine.files_most(os.getpid()) == hard


def test_there_is_some_memory() -> None:
    """Less than the machine has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // machine.MB
    assert 0 < machine.memory_mb() <= total


def test_who_holds_a_folder_is_seen_without_touching_the_lock(tmp_path: Path) -> None:
    """While he holds it, and no longer; one who was killed left only his number."""
    folder = tmp_path / "postgres"
    assert machine.holder(folder) is None
    assert not list(tmp_path.iterdir())
    lock = FolderLock.take(folder)
    lock.note(tmp_path)
    assert machine.holder(folder) == os.getpid()
    lock.release()
    assert machine.holder(folder) is None
    lock.path.write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert machine.holder(folder) is None


def test_a_folder_that_can_be_made_is_measured_and_not_made(tmp_path: Path) -> None:
    """Free space is that of where it would stand."""
    data = tmp_path / "a" / "b"
    seen = machine.folder(data, data / "postgres")
    assert seen.free_mb > 0
    assert not seen.trouble
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    """A file in its place, or something else's data in it."""
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    assert "is not a folder" in machine.folder(file, tmp_path / "postgres").trouble
    strange = tmp_path / "data" / "postgres"
    strange.mkdir(parents=True)
    (strange / "letter").write_text("x", encoding="utf-8")
    assert "holds no database" in machine.folder(tmp_path / "data", strange).trouble


def looked(port: int) -> machine.Door:
    """Look at a port of loopback."""
    return asyncio.run(machine.door("127.0.0.1", port))


def test_a_kapok_at_the_port_is_known_by_its_version() -> None:
    """And says whether it is ready."""
    with answering() as url:
        door = looked(int(url.rpartition(":")[2]))
    assert door.taken
    assert door.kapok
    assert door.readiness is not None


def hang_up(server: socket.socket) -> None:
    """Take one caller, and say nothing."""
    server.accept()[0].close()


def test_a_stranger_at_the_port_is_told_from_a_kapok() -> None:
    """Who hangs up at once is somebody."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        hung_up = pool.submit(hang_up, server)
        door = looked(server.getsockname()[1])
        hung_up.result()
    assert (door.taken, door.kapok) == (True, "")


def test_a_free_port_stays_free() -> None:
    """It was opened for a moment only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert looked(port) == machine.Door(url=f"http://127.0.0.1:{port}")
    assert not looked(port).taken


def test_an_address_of_another_machine_cannot_be_opened() -> None:
    """The system's own words are told."""
    door = asyncio.run(machine.door("127.0.0.300", 1))
    assert door.trouble


@pytest.mark.asyncio
async def test_a_server_of_the_bus_greets_first() -> None:
    """Whoever else answers there is none."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        writer.close()

    async def stranger(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x \r\n")
        writer.close()

    for greeting, trouble in ((greet, ""), (stranger, "no NATS")):
        async with await asyncio.start_server(greeting, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            assert (await machine.bus_trouble(f"nats://127.0.0.1:{port}")).endswith(trouble)
    assert await machine.bus_trouble(f"nats://127.0.0.1:{port}")


def test_what_a_folder_and_a_clock_say(tmp_path: Path) -> None:
    """One that is not there says nothing."""
    assert machine.free_mb(tmp_path)
    assert machine.free_mb(tmp_path / "none") is None
    assert machine.on_one_disk(tmp_path, tmp_path)
    assert not machine.on_one_disk(tmp_path, tmp_path / "none")
    assert machine.clock_follows() in {True, False, None}
