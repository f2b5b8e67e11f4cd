"""`kapok backup`: never over another, tried by restoring it, and found again by the doctor."""

import json
from pathlib import Path
from typing import Any

import pytest

from dispatch.cli.codes import Code
from dispatch.store.backup_folder import DUMP, FACTS
from tests.dispatch.cli.conftest import Command


@pytest.fixture
def taken(mapped: Command, tmp_path: Path) -> Path:
    """A dump of a database with the country in it."""
    folder = tmp_path / "backups" / "one"
    assert mapped("backup", folder).code == Code.OK
    return folder


def facts(folder: Path) -> dict[str, Any]:
    """What a backup says of itself."""
    found: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return found


def test_a_backup_says_in_one_line_what_is_in_it(taken: Path) -> None:
    """And nobody else may read it."""
    assert (taken / FACTS).read_text().count("\n") == 1
    found = facts(taken)
    assert (found["kind"], found["still"]) == ("logical", True)
    assert found["least"]["jurisdiction"] == found["most"]["jurisdiction"] == 5
    assert [each.stat().st_mode & 0o077 for each in (taken, taken / DUMP, taken / FACTS)] == [0] * 3
    assert [each.name for each in taken.parent.iterdir()] == ["one"]


def test_nothing_is_written_over(mapped: Command, taken: Path) -> None:
    """Neither a backup nor a folder of somebody's."""
    before = facts(taken)
    ended = mapped("backup", taken)
    assert (ended.code, facts(taken)) == (Code.FAILED, before)
    assert "there already" in ended.err
    assert [each.name for each in taken.parent.iterdir()] == ["one"]


def test_a_good_backup_is_found_good_and_a_cut_one_is_not(mapped: Command, taken: Path) -> None:
    """It is restored aside, and counted."""
    good = mapped("backup", "--verify", taken)
    assert good.code == Code.OK, good.out
    assert [line.split()[1] for line in good.out.splitlines()[1:]] == [
        *("files", "recovery", "migrations", "log", "rows", "rules", "streams")
    ]
    whole = (taken / FACTS).read_text()
    (taken / FACTS).write_text(whole.replace('"jurisdiction":5', '"jurisdiction":6'))
    short = mapped("backup", "--verify", taken)
    assert short.code == Code.FAILED
    assert "fail  rows        jurisdiction 5, not 6" in short.out
    (taken / DUMP).write_bytes((taken / DUMP).read_bytes()[:-100])
    cut = mapped("backup", "--verify", taken)
    assert cut.code == Code.FAILED
    assert "fail  files" in cut.out


def test_without_a_name_it_is_that_of_the_moment(
    mapped: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder that the doctor looks into too."""
    assert mapped("backup").code == Code.USAGE
    monkeypatch.setenv("KAPOK_BACKUPS", str(tmp_path / "backups"))
    assert mapped("backup", "--verify").code == Code.FAILED
    told = {line["subject"]: line for line in json.loads(mapped("doctor", "--json").out)["lines"]}
    assert told["backups"]["verdict"] == "fail"
    assert mapped("backup").code == Code.OK
    told = {line["subject"]: line for line in json.loads(mapped("doctor", "--json").out)["lines"]}
    assert told["backups"]["verdict"] == "ok"


def test_what_is_no_backup_is_told(mapped: Command, taken: Path, tmp_path: Path) -> None:
    """A folder of anything, one cut short, one without its data, one that cannot be read."""
    part = taken.with_name("one.part-1234")
    taken.rename(part)
    (tmp_path / "empty").mkdir()
    for folder, words in ((part, "cut short"), (tmp_path / "empty", "no backup")):
        assert words in mapped("backup", "--verify", folder).err
    part.rename(taken)
    (taken / DUMP).unlink()
    assert "not whole" in mapped("backup", "--verify", taken).err
    (taken / FACTS).write_text("{}")
    assert "cannot be read" in mapped("backup", "--verify", taken).err


def test_a_data_folder_without_a_database_is_not_made_one(
    monkeypatch: pytest.MonkeyPatch, kapok: Command, tmp_path: Path
) -> None:
    """A slip of the pen would else be a backup of nothing."""
    monkeypatch.delenv("DATABASE_URL")
    ended = kapok("backup", tmp_path / "backup", "--data", tmp_path / "data")
    assert (ended.code, list(tmp_path.iterdir())) == (Code.FAILED, [])
    assert "no database" in ended.err


def test_pruning_needs_to_know_both_folders(mapped: Command, tmp_path: Path) -> None:
    """Which archive, and which backups need it."""
    ended = mapped("backup", tmp_path / "backup", "--prune")
    assert ended.code == Code.USAGE
    assert not (tmp_path / "backup").exists()
