"""A rolling restart: what the build on disk needs first, then one worker after the other."""

import asyncio
import os
import sys
from typing import Final

import structlog

from dispatch.cli.workers import Workers

log = structlog.get_logger()

MIGRATE: Final = (sys.executable, "-m", "dispatch", "migrate")


async def renew_when(asked: asyncio.Event, workers: Workers, dsn: str) -> None:
    """Renew the workers whenever it is asked for, until cancelled; once more if asked meanwhile."""
    while True:
        await asked.wait()
        asked.clear()
        log.info("renewing", workers=workers.pids)
        if await _migrated(dsn):
            await workers.renew()


async def _migrated(dsn: str) -> bool:
    """Let the build that is on disk now, which may be newer than this process, bring its tables.

    Workers of the build before go on meanwhile: migrations expand.
    """
    migrating = await asyncio.create_subprocess_exec(
        *MIGRATE,
        env={**os.environ, "DATABASE_URL": dsn},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    code = await migrating.wait()
    if code:
        log.error("renewal_stopped", migrate=code)
    return not code
