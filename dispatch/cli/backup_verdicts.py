"""What is right and wrong about what is kept for a bad day: backups, and the archive of the log."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from dispatch.cli.verdict import Line, fail, ok, warn
from dispatch.store.archive import Chain
from dispatch.store.backup_facts import Facts
from schemas.base import Record

OLD_AFTER: Final = timedelta(hours=26)
"""A night and the time a backup takes."""
TOO_OLD_AFTER: Final = timedelta(days=7)
FREE_LEAST_MB: Final = 1_000
BEHIND_MB: Final = 256
MB: Final = 1_000_000
TAKE: Final = "take one: `kapok backup`, each night by a timer"


class Kept(Record, frozen=True, kw_only=True):
    """A folder for backups or the archive; `free_mb` is None where it is not there."""

    path: Path
    free_mb: int | None
    beside_data: bool
    """On the disk that the data are on."""


class Newest(Record, frozen=True, kw_only=True):
    """The newest of the backups."""

    path: Path
    facts: Facts


def on_backups(place: Kept | None, newest: Newest | None, now: datetime) -> Iterator[Line]:
    """Judge the age of the newest backup, and where it lies."""
    subject = "backups"
    if place is None:
        do = "name their folder by KAPOK_BACKUPS, on another disk, and take one each night"
        yield warn(subject, "not looked for", do)
        return
    if newest is None:
        yield fail(subject, f"none in {place.path}", TAKE)
    else:
        yield _on_age(newest, now)
    yield from _on_place("backups' disk", place)


def _on_age(newest: Newest, now: datetime) -> Line:
    age = now - newest.facts.ended_at
    found = f"{newest.path.name} is the newest, {age / timedelta(hours=1):,.0f} h old"
    if age < OLD_AFTER:
        return ok("backups", found)
    return (warn if age < TOO_OLD_AFTER else fail)("backups", found, TAKE)


def _on_place(subject: str, place: Kept) -> Iterator[Line]:
    if place.beside_data:
        do = "a lost disk takes both: copy them elsewhere, or name a folder on another"
        yield warn(subject, f"{place.path} is on the disk of the data", do)
    if place.free_mb is not None and place.free_mb < FREE_LEAST_MB:
        found = f"{place.free_mb:,} MB free in {place.path}"
        do = "remove old backups, then `kapok backup --prune`"
        yield warn(subject, found, do)


def on_archive(
    place: Kept | None, seen: Sequence[Chain] | None, newest: Newest | None
) -> Iterator[Line]:
    """Judge whether any instant can be had; `seen` is None where the server cannot be asked."""
    subject = "archive"
    if place is None:
        do = "name a folder on another disk by KAPOK_ARCHIVE"
        yield warn(subject, "none: a lost disk costs all since the newest backup", do)
        return
    yield from _on_place("archive's disk", place)
    if seen is None:
        yield warn(subject, "not seen: the database is stopped", "run this beside `kapok serve`")
        return
    chain = seen[-1] if seen else None
    yield _on_chain(chain)
    if chain is not None and (newest is None or newest.facts.chain != chain.name):
        found = "no backup since it began: it cannot bring back any instant yet"
        yield warn("archive's use", found, TAKE)


def _on_chain(chain: Chain | None) -> Line:
    subject = "archive"
    if chain is None:
        return fail(subject, "not begun", "start `kapok serve` with KAPOK_ARCHIVE")
    if chain.status == "lost":
        found = f"{chain.name} is broken: the archive was away for too long"
        return fail(subject, found, f"make room there; a new one begins by itself, then {TAKE}")
    behind_mb = (chain.behind_bytes or 0) // MB
    if not chain.active:
        found = f"nobody receives {chain.name}, {behind_mb:,} MB wait"
        return fail(subject, found, "see `archive_away` in the log for the reason")
    found = f"{chain.name} is received, {behind_mb:,} MB of the log wait to be safe there"
    if behind_mb < BEHIND_MB:
        return ok(subject, found)
    return warn(subject, found, "its disk is too slow, or away: see `archive_away` in the log")


def on_outside(place: Kept | None) -> Iterator[Line]:
    """Say what an archive is worth beside an outside database."""
    if place is not None:
        found = "KAPOK_ARCHIVE is for the embedded database, and there is none"
        yield warn("archive", found, "archive the log by that server's own means")
