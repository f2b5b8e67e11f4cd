"""A strike hits whom it is meant for, and nobody else."""

import asyncio
import signal
import sys

import pytest

from tests.faults.strikes import kill, program

pytestmark = [pytest.mark.asyncio, pytest.mark.faults]


async def test_who_is_there_is_killed_and_counted() -> None:
    """Once: who is dead already does not count again."""
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    assert program(victim.pid) == sys.executable
    assert kill(victim.pid) == 1
    assert await victim.wait() == -signal.SIGKILL
    assert kill(victim.pid) == 0


async def test_nobody_is_killed_in_place_of_who_is_not_there() -> None:
    """A database that is just starting has no pid; 0 would be everybody, this process too."""
    assert kill(None) == 0
    assert program(0) == ""
