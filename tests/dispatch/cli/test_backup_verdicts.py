"""What is said of backups and the archive: by their age, their place, and whether they fit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatch.cli.backup_verdicts import Kept, Newest, on_archive, on_backups, on_outside
from dispatch.store.archive import Chain
from dispatch.store.backup_facts import Facts

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PLACE = Kept(path=Path("/backups"), free_mb=50_000, beside_data=False)
CHAIN = Chain("kapok_archive_1", active=True, status="reserved", behind_bytes=1000, left_bytes=None)


def newest(hours: float, chain: str | None = None) -> Newest:
    """A backup so old."""
    at = NOW - timedelta(hours=hours)
    facts = Facts(
        kind="physical",
        postgres=180_000,
        migration="0001",
        epoch="e",
        began_at=at,
        ended_at=at,
        lines=0,
        newest_at=None,
        settled="3",
        still=True,
        least={},
        most={},
        chain=chain,
    )
    return Newest(path=Path("/backups/one"), facts=facts)


@pytest.mark.parametrize(
    ("hours", "verdict"), [(1, "ok"), (25, "ok"), (27, "warn"), (24 * 6, "warn"), (24 * 8, "fail")]
)
def test_a_backup_is_of_last_night(hours: float, verdict: str) -> None:
    """A day without one is told, a week is a fault."""
    assert [line.verdict for line in on_backups(PLACE, newest(hours), NOW)] == [verdict]


def test_no_backup_where_there_should_be_one_is_a_fault() -> None:
    """Where nobody said where, it is only not seen."""
    assert [line.verdict for line in on_backups(PLACE, None, NOW)] == ["fail"]
    assert [line.verdict for line in on_backups(None, None, NOW)] == ["warn"]


@pytest.mark.parametrize(
    ("facts", "words"), [({"beside_data": True}, "disk"), ({"free_mb": 5}, "free")]
)
def test_where_it_lies_is_judged_too(facts: dict[str, Any], words: str) -> None:
    """On the disk that is to be survived, or on one that is full."""
    place = Kept(**{"path": PLACE.path, "free_mb": 50_000, "beside_data": False, **facts})
    _, told = on_backups(place, newest(1), NOW)
    assert (told.verdict, words in told.found) == ("warn", True)


@pytest.mark.parametrize(
    ("chain", "verdict"),
    [
        (CHAIN, "ok"),
        (CHAIN._replace(behind_bytes=2**30), "warn"),
        (CHAIN._replace(active=False), "fail"),
        (CHAIN._replace(status="lost", active=False, behind_bytes=None), "fail"),
    ],
)
def test_an_archive_is_received_without_delay(chain: Chain, verdict: str) -> None:
    """Or somebody is told before it breaks."""
    (told,) = on_archive(PLACE, [chain], newest(1, chain.name))
    assert told.verdict == verdict


def test_an_archive_needs_a_backup_to_begin_with() -> None:
    """One of this chain."""
    for other in (None, newest(1), newest(1, "kapok_archive_0")):
        _, told = on_archive(PLACE, [CHAIN], other)
        assert (told.verdict, "no backup since" in told.found) == ("warn", True)


def test_an_archive_that_is_off_not_begun_or_not_seen_is_told() -> None:
    """Beside an outside database it is that one's."""
    assert [line.verdict for line in on_archive(None, [CHAIN], None)] == ["warn"]
    assert [line.verdict for line in on_archive(PLACE, [], None)] == ["fail"]
    assert [line.verdict for line in on_archive(PLACE, None, None)] == ["warn"]
    assert [line.verdict for line in on_outside(PLACE)] == ["warn"]
    assert list(on_outside(None)) == []
