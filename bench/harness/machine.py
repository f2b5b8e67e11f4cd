"""Where a figure was measured: processor, cores, memory, system, commit."""

import os
import platform
import re
import subprocess
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
GIB = 2**30


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine; absolute figures of two machines are not compared."""

    cpu: str
    cores: int
    memory_gib: float
    os: str


def machine() -> Machine:
    """Return the machine this runs on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(pages / GIB, 1),
        os=f"{_system()}, Python {platform.python_version()}",
    )


def commit() -> str:
    """Return the short id of the commit; `+` behind it when the tree differs, else `unknown`."""
    head = _git("rev-parse", "--short", "HEAD")
    if not head:
        return "unknown"
    return f"{head}+" if _git("status", "--porcelain", "--", "*.py") else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ("git", "-C", str(ROOT), *arguments), capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = platform.system()
    kernel = platform.release().partition("-")[0]
    return f"{name}, Linux {kernel}" if platform.system() == "Linux" else name
