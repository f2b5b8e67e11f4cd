"""Looks whether a backup can be relied on: by restoring it, and by asking what came out."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from dispatch.store import backup_facts, backup_programs, migrate, restore
from dispatch.store.backup_facts import GROWING, Facts
from dispatch.store.backup_folder import DATA, DUMP, BackupError
from dispatch.store.backup_programs import ProgramError
from dispatch.store.connection import Connection, connected
from dispatch.store.embedded_errors import EmbeddedError
from schemas.base import Record

READ_S: Final = 6 * 3600.0
QUICK: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Of a copy that is thrown away."""
_ABOVE_HEAD: Final = """
select count(*) from outbox x join device d on d.id = x.device_id where x.seq > d.head
"""
_NUMBERS: Final = """
select coalesce(max(id), 0) <= coalesce(pg_sequence_last_value(
    pg_get_serial_sequence('event', 'id')::regclass), 0)
from event
"""


class Check(Record, frozen=True, kw_only=True):
    """One thing that was looked at, and what was found."""

    subject: str
    holds: bool
    found: str


async def checks(backup: Path, facts: Facts) -> AsyncIterator[Check]:
    """Yield what was checked, as it is; the backup itself is only read.

    Raises:
        EmbeddedError: no server can be had to try it with.
    """
    files = await _files(backup, facts)
    yield files
    if not files.holds:
        return
    with tempfile.TemporaryDirectory(prefix="kapok-verify-") as scratch:
        try:
            async with restore.recovered(
                backup, facts, Path(scratch) / DATA, _settings(facts)
            ) as dsn:
                yield Check(subject="recovery", holds=True, found="a server starts on a copy")
                async with connected(dsn) as connection:
                    for check in await _asked(connection, facts):
                        yield check
        except (BackupError, EmbeddedError) as error:
            yield Check(subject="recovery", holds=False, found=str(error))


def _settings(facts: Facts) -> dict[str, str]:
    return restore.whole(QUICK) if facts.kind == "physical" else QUICK


async def _files(backup: Path, facts: Facts) -> Check:
    """Read every byte, and hold it against what was written down of it."""
    subject = "files"
    if facts.kind == "logical":
        with (backup / DUMP).open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == facts.sha256
        return Check(
            subject=subject, holds=same, found=f"{DUMP} {'as' if same else 'not as'} it was written"
        )
    major = facts.postgres // 10_000
    try:
        program = backup_programs.fitting("pg_verifybackup", lambda here: here == major, str(major))
        await backup_programs.run(program, "--quiet", str(backup / DATA), within_s=READ_S)
    except ProgramError as error:
        return Check(subject=subject, holds=False, found=str(error))
    return Check(subject=subject, holds=True, found="every file and the log as they were written")


async def _asked(connection: Connection, facts: Facts) -> list[Check]:
    migrations = await _migrations(connection)
    if not migrations.holds:
        return [migrations]
    return [
        migrations,
        await _log(connection, facts),
        await _rows(connection, facts),
        await _rules(connection, facts),
        await _streams(connection),
    ]


async def _migrations(connection: Connection) -> Check:
    try:
        pending = await migrate.pending(connection)
    except migrate.MigrationError as error:
        return Check(subject="migrations", holds=False, found=str(error))
    more = f"; the next start applies {len(pending)} more" if pending else ""
    return Check(subject="migrations", holds=True, found=f"all are known{more}")


async def _log(connection: Connection, facts: Facts) -> Check:
    """Every line that was committed when the backup began is there."""
    if facts.kind == "logical":  # transaction numbers of another server
        return Check(subject="log", holds=True, found="counted with the rows")
    lines, newest = await backup_facts.lines(connection, facts.settled)
    return Check(
        subject="log",
        holds=(lines, newest) == (facts.lines, facts.newest_at),
        found=f"{lines:,} lines of {facts.lines:,} that were committed when the backup began",
    )


async def _rows(connection: Connection, facts: Facts) -> Check:
    """Between the count at the beginning and that at the end; the same where they are the same."""
    exact = facts.still or facts.kind == "logical"
    found = await backup_facts.counts(connection)
    compared = [name for name in facts.least if exact or name in GROWING]
    off = [
        f"{name} {found.get(name, 0):,}, not {_range(facts, name)}"
        for name in compared
        if not facts.least[name] <= found.get(name, 0) <= facts.most.get(name, 0)
    ]
    rows = sum(found.get(name, 0) for name in compared)
    good = f"{rows:,} rows of {len(compared)} tables, " + (
        "each counted exactly" if exact else "each between the counts at the beginning and the end"
    )
    return Check(subject="rows", holds=not off, found="; ".join(off) or good)


def _range(facts: Facts, name: str) -> str:
    least, most = facts.least[name], facts.most.get(name, 0)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


async def _rules(connection: Connection, facts: Facts) -> Check:
    new = [rule for rule in await backup_facts.broken(connection) if rule not in facts.broken]
    known = f"; {', '.join(facts.broken)} did not then either" if facts.broken else ""
    return Check(
        subject="rules",
        holds=not new,
        found=f"broken: {', '.join(new)}" if new else f"all hold that held then{known}",
    )


async def _streams(connection: Connection) -> Check:
    """No phone was sent a number that its stream would give again, nor would the log."""
    above = await connection.fetchval(_ABOVE_HEAD)
    numbered = await connection.fetchval(_NUMBERS)
    if above or not numbered:
        found = f"{above} frames above their stream's head; log numbers go on: {numbered}"
        return Check(subject="streams", holds=False, found=found)
    return Check(
        subject="streams", holds=True, found="heads and numbers are above all that is there"
    )
