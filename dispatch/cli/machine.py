"""What a machine gives a service: files, memory, a folder, a port. Looked at, never changed."""

import asyncio
import ctypes
import os
import resource
import shutil
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from dispatch.store import data_folder
from dispatch.store.embedded_errors import FolderNotOursError
from schemas.base import Record
from schemas.rest import Readiness

ASK_S: Final = 3.0
CGROUP_MOST: Final = Path("/sys/fs/cgroup/memory.max")
MEMINFO: Final = Path("/proc/meminfo")
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked, not bound
MB: Final = 1_000_000
NATS_PORT: Final = 4222
TIMEX_BYTES: Final = 512
"""More than `struct timex` takes; nothing is set by a call with zeros."""
TIME_ERROR: Final = 5  # sys/timex.h: the clock is not synchronised


class Folder(Record, frozen=True, kw_only=True):
    """The data folder, or where it would be made; `trouble` is why it cannot be used."""

    path: Path
    free_mb: int = 0
    trouble: str = ""


class Door(Record, frozen=True, kw_only=True):
    """A port: free, or somebody answers there; `trouble` is why it cannot be opened."""

    url: str
    taken: bool = False
    kapok: str = ""
    """The version of REST that a Kapok answers with; '' where it is none."""
    readiness: Readiness | None = None
    trouble: str = ""


def files_most(pid: int | None) -> int:
    """Return how many files a process may open: that one, else what is started from here."""
    for line in _lines(Path(f"/proc/{pid}/limits")) if pid else ():
        if line.startswith("Max open files"):
            return int(line.split()[4])
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def memory_mb() -> int:
    """Return what can be had without swapping, this machine's or this container's."""
    words = (line.split() for line in _lines(MEMINFO))
    available = next((int(w[1]) * 1024 for w in words if w[0] == "MemAvailable:"), 0)
    most = "".join(_lines(CGROUP_MOST))
    return (min(available, int(most)) if most.isdigit() else available) // MB


def holder(folder: Path) -> int | None:
    """Return the process that runs a database on the folder, without touching its lock.

    A killed one leaves its number in the file; only who has the file open still holds it.
    """
    lock = folder.resolve().with_name(f"{folder.name}.lock")
    first = next(iter(_lines(lock)), "")
    return int(first) if first.isdigit() and _has_open(int(first), lock) else None


def _has_open(pid: int, file: Path) -> bool:
    """Say whether a process has a file open; of another user's it is enough that it lives."""
    try:
        return any(_target(each) == file for each in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:  # closed meanwhile
        return None


def folder(data: Path, database: Path) -> Folder:
    """Return whether the service could keep its data there, and how much of it."""
    standing = next(each for each in (data.absolute(), *data.absolute().parents) if each.exists())
    try:
        data_folder.guard(database)
    except FolderNotOursError as error:
        return Folder(path=data, trouble=str(error))
    except OSError as error:
        return Folder(path=data, trouble=f"{database}: {error.strerror}")
    if not standing.is_dir():
        return Folder(path=data, trouble=f"{standing} is not a folder")
    if not os.access(standing, os.W_OK | os.X_OK):
        return Folder(path=data, trouble=f"this user may not write in {standing}")
    return Folder(path=data, free_mb=shutil.disk_usage(standing).free // MB)


def clock_follows() -> bool | None:
    """Say whether the machine's clock follows a time server; None where the kernel does not say."""
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    return None if answer < 0 else bool(answer != TIME_ERROR)


def free_mb(folder: Path) -> int | None:
    """Return what is free in a folder; None where it is not there."""
    return shutil.disk_usage(folder).free // MB if folder.is_dir() else None


def on_one_disk(one: Path, other: Path) -> bool:
    """Say whether two folders that are there lie on one disk."""
    return one.exists() and other.exists() and one.stat().st_dev == other.stat().st_dev


async def bus_trouble(url: str) -> str:
    """Return why a server of the bus cannot be reached; '' where one answers as NATS does."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(ASK_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or NATS_PORT)
            try:
                said = await reader.readuntil(b" ")
            finally:
                writer.close()
    except TimeoutError:
        return "no answer"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return str(error)
    return "" if said == b"INFO " else "somebody answers, and it is no NATS"


async def door(host: str, port: int) -> Door:
    """Return who answers at the service's own port; it is opened for a moment where nobody does."""
    named = EVERYWHERE.get(host, host)
    url = f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
    if trouble := _cannot_open(host, port):
        return await _answering(url) or Door(url=url, trouble=trouble)
    return Door(url=url)


async def _answering(url: str) -> Door | None:
    """Return None where nobody listens."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=ASK_S, trust_env=False) as client:
            ready = await client.get("/readyz")
            about = await client.get("/schema/openapi.json")
            readiness = msgspec.json.decode(ready.content, type=Readiness)
            info = about.json()["info"]
            if info["title"] != "Kapok":
                return Door(url=url, taken=True)
            return Door(url=url, taken=True, kapok=info["version"], readiness=readiness)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL):
        return None
    except (httpx.HTTPError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
        return Door(url=url, taken=True)


def _cannot_open(host: str, port: int) -> str:
    """Return why a port cannot be opened; '' where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
