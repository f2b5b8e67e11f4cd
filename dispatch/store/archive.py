"""Keeps the log of our own server in a second place as it grows, so that any instant can be had.

PostgreSQL's `pg_receivewal` writes it down, through a slot: whoever runs the server meanwhile, what
was not received yet is kept for it, up to a bound of the server's own. Past that the slot is lost
rather than a commit refused, and a new chain begins. A chain is a folder without a gap.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import structlog

from dispatch.ports import StoreAway
from dispatch.store import backup_programs
from dispatch.store.backup_programs import ProgramError
from dispatch.store.connection import Connection, StoreRefused, connected

log = structlog.get_logger()

AGAIN_S: Final = 2.0
TROUBLE_S: Final = 60.0
"""A receiver that ends sooner than that, and again, is worth a warning."""
SEGMENT_BYTES: Final = 16 * 2**20
PARTIAL: Final = ".partial"
"""Behind the name of the segment that is being written."""
_CHAINS: Final = """
select slot_name as name, active, coalesce(wal_status, 'lost') as status,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as behind_bytes,
       safe_wal_size as left_bytes
from pg_replication_slots where starts_with(slot_name, 'kapok_archive_') order by slot_name
"""
_BEGIN: Final = """
select slot_name from pg_create_physical_replication_slot(
    'kapok_archive_' || to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD"t"HH24MISS')
    || '_' || left(replace(gen_random_uuid()::text, '-', ''), 6), true)
"""
_DROP: Final = "select pg_drop_replication_slot($1)"
_FIRST: Final = re.compile(r"^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)$", re.MULTILINE)
_MAJOR: Final = "select current_setting('server_version_num')::int / 10000"


class Chain(NamedTuple):
    """A part of the archive without a gap, as the server knows it."""

    name: str
    active: bool
    """Somebody receives it now."""
    status: str
    """`lost` where the server could keep no more of what was not received."""
    behind_bytes: int | None
    """What the server keeps because it is not known to be safe yet."""
    left_bytes: int | None
    """How much more may be written before it is lost."""


async def chains(connection: Connection) -> list[Chain]:
    """Return the chains of a server, the oldest first."""
    return [Chain(**dict(row)) for row in await connection.fetch(_CHAINS)]


async def give_up(dsn: str) -> None:
    """Let the server keep nothing for an archive that is no more."""
    async with connected(dsn) as connection:
        for chain in await chains(connection):
            if not chain.active:
                await connection.execute(_DROP, chain.name)
                log.warning("archive_given_up", chain=chain.name)


class Archive:
    """Receives the log of one server, from `follow` to the end; without a folder it does nothing.

    Leave it after the server: an orderly shutdown hands over the last of the log, and waits for it.
    """

    def __init__(self, folder: Path | None, *, again_s: float = AGAIN_S) -> None:
        self._folder = folder
        self._again_s = again_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def follow(self, dsn: str) -> None:
        """Begin to receive, at once or as soon as it can be; an archive that is off is given up."""
        if self._folder is None:
            await give_up(dsn)
        else:
            self._task = asyncio.create_task(self._run(dsn, self._folder))

    async def _run(self, dsn: str, folder: Path) -> None:
        clock, lasted_s = asyncio.get_running_loop().time, inf
        while True:
            began_s = clock()
            try:
                await self._receive(dsn, folder)
            except (OSError, ProgramError, StoreAway, StoreRefused) as error:
                # One end after a long while is that of the server, and no trouble yet.
                say = log.info if lasted_s > TROUBLE_S else log.warning
                say("archive_away", error=str(error), again_in_s=self._again_s)
            lasted_s = clock() - began_s
            await asyncio.sleep(self._again_s)

    async def _receive(self, dsn: str, folder: Path) -> None:
        """Receive until the server ends, the folder is full, or the slot is lost."""
        async with connected(dsn) as connection:
            major = await connection.fetchval(_MAJOR)
            name = await _chain(connection)
        _make(folder / name)
        program = backup_programs.fitting("pg_receivewal", lambda here: here == major, str(major))
        process = await backup_programs.start(
            *(program, f"--directory={folder / name}", f"--slot={name}"),
            *("--no-loop", "--no-password"),
            dsn=dsn,
        )
        log.info("archive_follows", chain=name)
        try:
            said, _ = await process.communicate()
        finally:
            await backup_programs.end(process)
        raise ProgramError(f"{program.name} ended: {backup_programs.last_words(said)}")


def _make(chain: Path) -> None:
    """Have the folder of a chain, without the segment that a full disk let nobody begin.

    The receiver refuses one of another size; the server still has all that belongs there.
    """
    chain.mkdir(mode=0o700, parents=True, exist_ok=True)
    for begun in chain.glob(f"*{PARTIAL}"):
        if begun.stat().st_size < SEGMENT_BYTES:
            begun.unlink()


async def _chain(connection: Connection) -> str:
    """Return the chain to go on with; a new one where there is none, or the last one broke."""
    found = await chains(connection)
    for chain in found:
        if chain.status == "lost":
            await connection.execute(_DROP, chain.name)
            log.error("archive_broken", chain=chain.name)
    whole = [chain.name for chain in found if chain.status != "lost"]
    return whole[-1] if whole else str(await connection.fetchval(_BEGIN))


# What is in it. -----------------------------------------------------------------------------------


class Kept(NamedTuple):
    """What a chain holds on disk."""

    segments: int
    written_at_s: float
    """When something was written to it last, seconds since the epoch."""


def kept(folder: Path, chain: str) -> Kept | None:
    """Return what a chain holds; None where there is nothing."""
    found = [each.stat() for each in (folder / chain).glob("0*")]
    return Kept(len(found), max(each.st_mtime for each in found)) if found else None


def prune(folder: Path, needed: Mapping[str, str]) -> int:
    """Remove segments below the first that is needed of each chain; return how many.

    `needed` names the first segment by chain; a chain that is not in it is left alone.
    """
    gone = 0
    for chain, first in needed.items():
        for segment in (folder / chain).glob("0*"):
            if len(segment.name) == len(first) and segment.name[8:] < first[8:]:
                segment.unlink()
                gone += 1
    return gone


def first_needed(data: Path) -> str:
    """Return the segment that a physical backup begins in; '' where it does not say."""
    label = data / "backup_label"
    found = _FIRST.search(label.read_text()) if label.is_file() else None
    return found[1] if found else ""


def restore_command(folder: Path, chain: str) -> str:
    """Return how PostgreSQL takes a segment from a chain, the one cut short too."""
    place = str(folder.resolve() / chain).replace("%", "%%").replace("'", "'\\''")
    return f"cp '{place}/%f' '%p' 2>/dev/null || cp '{place}/%f{PARTIAL}' '%p' 2>/dev/null"
