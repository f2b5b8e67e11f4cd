"""A `kapok` command as a process that ends with us, whatever happens."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import IO, Final

from bench.harness.machine import ROOT
from dispatch.store.child import LAUNCHER

STOP_S: Final = 30.0
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@asynccontextmanager
async def kapok(
    *arguments: str, errors: IO[bytes] | None = None, environment: Mapping[str, str] = NOTHING
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run it; it speaks where we do, but for its errors where a file is given for them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())),
        *(str(int(signal.SIGTERM)), "-", sys.executable, "-m", "dispatch", *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and do not wait for ever."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
