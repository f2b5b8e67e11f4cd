"""Tokens of phones: shown or written once, to the owner only, never over another file."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.dispatch.cli.conftest import Command, Query

pytestmark = pytest.mark.postgres

UNITS = """code,name,kind,jurisdiction,members
U1,花园,residential,gz.th,李四:13800000001;王五:13800000002
U2,商场,mall,gz.hp,赵六:13800000003
U3,学校,school,gz.hp,甲:13800000004;甲:13800000005
"""


@pytest.fixture
def staffed(mapped: Command, tmp_path: Path) -> Command:
    """Commands on a database with three units of five members."""
    path = tmp_path / "units.csv"
    path.write_text(UNITS, encoding="utf-8")
    assert mapped("import", "units", path, "--datum", "gcj02").code == 0
    return mapped


def lines(text: str) -> list[dict[str, Any]]:
    """What was issued."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_member_gets_a_token_that_is_shown_once(staffed: Command, query: Query) -> None:
    """Standard output holds nothing but the line; the database only the hash."""
    ended = staffed("devices", "issue", "--unit", "U1", "--member", "王五")
    (issued,) = lines(ended.out)
    assert (issued["unit"], issued["member"]) == ("U1", "王五")
    assert issued["token"].startswith("kd_")
    assert ended.err == "1 tokens issued; they are not shown again\n"
    (row,) = query("select d.*, m.name from device d join member m on m.id = member_id")
    assert (row["id"], row["name"]) == (issued["device"], "王五")
    assert row["token_hash"] == sha256(issued["token"].encode()).digest()


def test_a_unit_gets_a_token_for_each_member(staffed: Command) -> None:
    """In the order of the roster."""
    issued = lines(staffed("devices", "issue", "--unit", "U1").out)
    assert [line["member"] for line in issued] == ["李四", "王五"]


def test_a_new_token_cuts_the_earlier_one_off(staffed: Command, query: Query) -> None:
    """The device stays the same, what it has received too."""
    first, second = (lines(staffed("devices", "issue", "--unit", "U2").out)[0] for _ in range(2))
    assert first["device"] == second["device"]
    assert first["token"] != second["token"]
    (row,) = query("select token_hash from device")
    assert row["token_hash"] == sha256(second["token"].encode()).digest()


def test_of_namesakes_one_is_named_by_id(staffed: Command, query: Query) -> None:
    """The command says which ids there are."""
    ended = staffed("devices", "issue", "--unit", "U3", "--member", "甲")
    assert ended.code == 1
    ids = [row["id"] for row in query("select id from member where name = '甲' order by id")]
    assert f"name one by id, of {', '.join(ids)}" in ended.err
    assert staffed("devices", "issue", "--unit", "U3", "--member", ids[1]).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--unit", "U9"), "there is no unit 'U9'"),
        (("--unit", "U1", "--member", "赵六"), "the unit has no member '赵六'"),
    ],
)
def test_nobody_gets_no_token(
    staffed: Command, query: Query, arguments: tuple[str, ...], said: str
) -> None:
    """A member of another unit is nobody here."""
    ended = staffed("devices", "issue", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err
    assert query("select * from device") == []


def test_all_tokens_go_into_a_new_file_of_the_owner(staffed: Command, tmp_path: Path) -> None:
    """A JSON line a member; nothing on standard output."""
    out = tmp_path / "tokens.jsonl"
    ended = staffed("devices", "issue", "--all", "--out", out)
    assert (ended.code, ended.out) == (0, "")
    assert out.stat().st_mode & 0o777 == 0o600
    issued = lines(out.read_text(encoding="utf-8"))
    assert [line["unit"] for line in issued] == ["U1", "U1", "U2", "U3", "U3"]
    assert len({line["token"] for line in issued}) == 5


def test_a_file_that_is_there_is_not_overwritten(
    staffed: Command, query: Query, tmp_path: Path
) -> None:
    """Nor does anybody get a token that nobody will ever see."""
    out = tmp_path / "tokens.jsonl"
    out.write_text("mine")
    ended = staffed("devices", "issue", "--all", "--out", out)
    assert ended.code == 1
    assert "is there already, and is not overwritten" in ended.err
    assert out.read_text() == "mine"
    assert query("select * from device") == []


def test_a_file_that_cannot_be_made_is_told(staffed: Command, tmp_path: Path) -> None:
    """One sentence."""
    ended = staffed("devices", "issue", "--unit", "U1", "--out", tmp_path / "no" / "tokens")
    assert ended.code == 1
    assert "No such file or directory" in ended.err


def test_no_empty_file_is_left_behind(staffed: Command, tmp_path: Path) -> None:
    """When nothing is issued."""
    out = tmp_path / "tokens.jsonl"
    assert staffed("devices", "issue", "--unit", "U9", "--out", out).code == 1
    assert not out.exists()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow past 16 bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_when_the_tokens_cannot_be_written_none_is_issued(
    staffed: Command, query: Query, tmp_path: Path
) -> None:
    """A full disk is found out before the tokens open anything."""
    out = tmp_path / "tokens.jsonl"
    with full_disk():
        ended = staffed("devices", "issue", "--all", "--out", out)
    assert ended.code == 1
    assert "cannot write the tokens, none is issued" in ended.err
    assert not out.exists()
    assert query("select * from device") == []


def test_all_leaves_those_alone_who_have_a_phone(staffed: Command, tmp_path: Path) -> None:
    """A second run would otherwise cut everybody off."""
    mine = lines(staffed("devices", "issue", "--unit", "U2").out)[0]
    rest, none, again = (tmp_path / name for name in ("rest", "none", "again"))
    assert staffed("devices", "issue", "--all", "--out", rest).code == 0
    assert mine["device"] not in rest.read_text()
    assert len(lines(rest.read_text())) == 4
    ended = staffed("devices", "issue", "--all", "--out", none)
    assert (ended.code, none.exists()) == (3, False)
    assert staffed("devices", "issue", "--all", "--again", "--out", again).code == 0
    assert len(lines(again.read_text())) == 5


@pytest.mark.parametrize(
    "arguments",
    [(), ("--all",), ("--all", "--unit", "U1"), ("--all", "--out", "x", "--member", "李四")],
)
def test_a_command_that_names_nobody_or_too_many_is_wrong(
    kapok: Command, arguments: tuple[str, ...]
) -> None:
    """Either a unit, or all and a file."""
    assert kapok("devices", "issue", *arguments).code == 2
