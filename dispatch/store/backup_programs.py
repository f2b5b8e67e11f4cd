"""PostgreSQL's own programs for backups: found by version, bounded in time, heard out."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from dispatch.store import binaries
from dispatch.store.child import INHERITED, LAUNCHER

VERSION_S: Final = 10.0
END_S: Final = 5.0
WORDS_BYTES: Final = 2_000
"""What is kept of a program's last words."""
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


class ProgramError(Exception):
    """A program is missing, failed or took too long; the message says what it said."""


def fitting(program: str, fits: Callable[[int], bool], wanted: str) -> Path:
    """Return the first `program` whose major version fits; `wanted` says which one would.

    Raises:
        ProgramError: there is none on this machine.
    """
    seen = list[int]()
    for folder in binaries.places():
        major = _major(folder / program)
        if major is not None and fits(major):
            return folder / program
        seen += [major] if major is not None else []
    here = f"here is {sorted(set(seen))}" if seen else "here is none"
    raise ProgramError(f"{program} of PostgreSQL {wanted} is needed, and {here}: install it")


async def run(program: Path, *arguments: str, within_s: float, dsn: str = "") -> None:
    """Run a program to its end; it ends with us, and when it takes longer.

    A password in `dsn`, which is the program's `--dbname`, is handed over where only we can read.

    Raises:
        ProgramError: it failed, or took longer.
    """
    process = await start(program, *arguments, dsn=dsn)
    try:
        async with asyncio.timeout(within_s):
            said, _ = await process.communicate()
    except TimeoutError:
        raise ProgramError(f"{program.name} took longer than {within_s:.0f} s") from None
    finally:
        await end(process)
    if process.returncode:
        raise ProgramError(f"{program.name} failed: {last_words(said)}")


async def start(program: Path, *arguments: str, dsn: str = "") -> Process:
    """Start a program that gets SIGINT when this thread ends; its words are read from `stdout`."""
    address, password = apart(dsn)
    launch = (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()))
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(*launch, str(int(signal.SIGINT)), "-", str(program), *arguments),
        *(("--dbname", address) if address else ()),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**kept, "LC_ALL": "C", "TZ": "UTC", **({"PGPASSWORD": password} if password else {})},
        start_new_session=True,
    )


async def end(process: Process) -> None:
    """End a program if it still runs, asked first, then made to; and hear the last of it."""
    for order in (signal.SIGINT, signal.SIGKILL):
        if process.returncode is None:
            process.send_signal(order)
        try:
            async with asyncio.timeout(END_S):
                await process.communicate()
                return
        except TimeoutError:
            continue


def last_words(said: bytes) -> str:
    """Return the end of what a program said, on one line."""
    return " / ".join(said[-WORDS_BYTES:].decode(errors="replace").split("\n")).strip(" /")


def apart(dsn: str) -> tuple[str, str]:
    """Return an address without its password, and the password."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn, ""
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}"
    return urlunsplit(parts._replace(netloc=netloc)), unquote(parts.password)


def _major(program: Path) -> int | None:
    """Ask the program itself."""
    if not os.access(program, os.X_OK):
        return None
    try:
        said = subprocess.run(  # noqa: S603 -- a fixed argument to a program just looked up
            [program, "--version"], capture_output=True, text=True, check=False, timeout=VERSION_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return int(found[1]) if found else None
