"""PostgreSQL's programs: the right version or none, ended in time, and no password on show."""

import asyncio
import sys
from pathlib import Path

import pytest

from dispatch.store import backup_programs
from dispatch.store.backup_programs import ProgramError, apart, fitting, run, start

SLEEP = Path("/bin/sleep")
DEAF = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def test_a_password_is_no_argument() -> None:
    """Arguments are for everybody to read."""
    whole = "postgresql://kapok:h%40sh@db.example:5432/kapok?sslmode=require"
    assert apart(whole) == ("postgresql://kapok@db.example:5432/kapok?sslmode=require", "h@sh")
    socket = "postgresql://kapok@/kapok?host=%2Frun"
    assert apart(socket) == (socket, "")


def test_a_version_that_is_not_here_is_named() -> None:
    """And what is here instead."""
    with pytest.raises(ProgramError, match=r"pg_dump of PostgreSQL 9 is needed, and here is \["):
        fitting("pg_dump", lambda major: major == 9, "9")
    with pytest.raises(ProgramError, match="here is none"):
        fitting("pg_nothing", lambda _: True, "18")


@pytest.mark.asyncio
async def test_what_takes_too_long_is_ended() -> None:
    """And what fails is heard out."""
    with pytest.raises(ProgramError, match="sleep took longer"):
        await run(SLEEP, "60", within_s=0.2)
    with pytest.raises(ProgramError, match=r"sleep failed: .*invalid"):
        await run(SLEEP, "for long", within_s=10)


@pytest.mark.asyncio
async def test_what_does_not_listen_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked first, then made to."""
    monkeypatch.setattr(backup_programs, "END_S", 0.1)
    deaf = await start(Path(sys.executable), "-c", DEAF)
    assert deaf.stdout is not None
    assert await asyncio.wait_for(deaf.stdout.readline(), 10) == b"deaf\n"
    await backup_programs.end(deaf)
    assert deaf.returncode == -9
