"""`kapok restore`: into a new place only, and another epoch than before."""

from pathlib import Path

import pytest

from dispatch.cli.codes import Code
from tests.dispatch.cli.conftest import Command, Query

AHEAD = """
insert into event (xid, type, by, via, at)
select (pg_current_xact_id()::text::bigint + 1000000 + n)::text::xid8, 'duty_changed', 'm', 'app',
       now()
from generate_series(1, 3) n
"""
SEEN = "select type from event where xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid, id"


@pytest.fixture
def taken(mapped: Command, query: Query, tmp_path: Path) -> Path:
    """A dump of a database whose log has numbers that this server has not come to."""
    query(AHEAD)
    folder = tmp_path / "backup"
    assert mapped("backup", folder).code == Code.OK
    return folder


def test_a_dump_fills_an_empty_database_and_no_other(
    taken: Path, mapped: Command, query: Query, database: str
) -> None:
    """It is another epoch; its log is read before what is written from now on."""
    refused = mapped("restore", taken, "--database-url", database)
    assert (refused.code, "not empty" in refused.err) == (Code.FAILED, True)
    query("drop schema public cascade")
    query("create schema public")
    done = mapped("restore", taken, "--database-url", database)
    assert done.code == Code.OK, done.err
    assert [row["type"] for row in query(SEEN)] == [*["duty_changed"] * 3, "restored"]
    epoch = done.out.splitlines()[-1].split()[1].rstrip(";")
    assert epoch not in (taken / "facts.json").read_text()
    assert mapped("migrate", "--check").code == Code.OK


def test_a_dump_becomes_a_data_folder_too(taken: Path, mapped: Command, tmp_path: Path) -> None:
    """One that is not there, or is empty; a second time it is neither."""
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    done = mapped("restore", taken, "--data", tmp_path / "data")
    assert done.code == Code.OK, done.err
    again = mapped("restore", taken, "--data", tmp_path / "data")
    assert (again.code, "not empty" in again.err) == (Code.FAILED, True)
    left = [each.name for each in (tmp_path / "data").iterdir() if "restore" in each.name]
    assert left == []


def test_a_wrong_command_line_is_told(taken: Path, mapped: Command, database: str) -> None:
    """Neither place or both, no instant, one without a zone."""
    for wrong in (
        [],
        ["--data", "x", "--database-url", database],
        ["--data", "x", "--until", "yesterday"],
        ["--data", "x", "--until", "2026-11-22T08:00:00"],
    ):
        assert mapped("restore", taken, *wrong).code == Code.USAGE


def test_a_dump_is_of_one_moment(
    taken: Path, mapped: Command, database: str, tmp_path: Path
) -> None:
    """Whatever it is restored into."""
    for place in (["--data", tmp_path / "data"], ["--database-url", database]):
        ended = mapped("restore", taken, *place, "--until", "2031-01-01T00:00:00Z")
        assert ended.code == Code.FAILED
    assert not (tmp_path / "data").exists()
