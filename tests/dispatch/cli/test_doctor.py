"""`kapok doctor`: every line has its verdict, and the exit code is that of the worst."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatch.cli.codes import Code
from dispatch.cli.main import main
from tests.dispatch.cli.conftest import Command, Ended, Query
from tests.samples import BAYFRONT, osm_sample

Alone = Callable[..., Ended]


@pytest.fixture
def alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Alone:
    """Run the doctor with a data folder of the test's own, and no database anywhere."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAPOK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KAPOK_PORT", "0")

    def run(*arguments: object) -> Ended:
        code = main(["doctor", *map(str, arguments)])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def lines(ended: Ended) -> dict[str, dict[str, Any]]:
    """The lines of a JSON report by subject."""
    return {line["subject"]: line for line in json.loads(ended.out)["lines"]}


def verdicts(ended: Ended) -> dict[str, str]:
    """The verdicts of a JSON report by subject."""
    return {subject: line["verdict"] for subject, line in lines(ended).items()}


def test_a_stopped_kapok_is_looked_at_without_starting_anything(
    alone: Alone, tmp_path: Path
) -> None:
    """What cannot be seen is said; nothing is made."""
    told = lines(alone("--json"))
    assert told["database"]["verdict"] == "warn"
    assert "cannot be seen" in told["database"]["found"]
    assert told["lock"]["found"].startswith("nobody holds")
    assert "keys" not in told
    assert not list(tmp_path.iterdir())


def test_a_person_reads_a_line_for_each_thing_and_what_to_do(alone: Alone) -> None:
    """The verdict first, the remedy under it."""
    out = alone().out
    assert "\nwarn  roads " in out
    assert "→ import them: `kapok import roads`" in out


def test_a_setting_that_cannot_be_is_one_line_of_many(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is looked at all the same; the secret is told to nobody."""
    monkeypatch.setenv("KAPOK_PUSH_URL", "https://push.example/")
    monkeypatch.setenv("KAPOK_PUSH_SECRET", "tooshort")
    ended = alone("--json")
    told = lines(ended)
    assert ended.code == Code.FAILED
    assert told["settings"]["found"].startswith("KAPOK_PUSH_SECRET")
    assert "database" in told
    assert "tooshort" not in ended.out


def test_hours_that_cannot_be_read_fail(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The service would not start with them; they are no matter of the roads' own."""
    monkeypatch.setenv("KAPOK_ROAD_HOURS", str(tmp_path / "none.toml"))
    ended = alone("--json")
    (bad,) = (line for line in json.loads(ended.out)["lines"] if line["verdict"] == "fail")
    assert bad["subject"] == "settings"
    assert bad["found"].startswith("KAPOK_ROAD_HOURS")


def test_roads_are_read_to_the_last_byte_when_asked(alone: Alone, tmp_path: Path) -> None:
    """One flipped bit is found then, and not before."""
    file = tmp_path / "town.roads"
    main(["import", "roads", str(osm_sample(BAYFRONT)), "--to", str(file)])
    whole = alone("--json", "--roads", file, "--checksum")
    assert lines(alone("--json", "--roads", file))["roads"]["verdict"] == "warn"
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    told = lines(alone("--json", "--roads", file, "--checksum"))["roads"]
    assert "every byte checked" in whole.out
    assert told["verdict"] == "fail"
    assert "is damaged" in told["found"]


def test_a_wrong_option_is_a_wrong_command_line(alone: Alone) -> None:
    """Not a finding about the site."""
    assert alone("--port", "x").code == Code.USAGE


def test_damaged_roads_fail(alone: Alone, tmp_path: Path) -> None:
    """They would keep the service from starting."""
    file = tmp_path / "town.roads"
    file.write_text("streets", encoding="utf-8")
    ended = alone("--json", "--roads", file)
    assert (ended.code, verdicts(ended)["roads"]) == (Code.FAILED, "fail")


def test_a_database_that_does_not_answer_fails(alone: Alone) -> None:
    """With the reason, and without the password."""
    ended = alone("--json", "--database-url", "postgresql://kapok:hush@127.0.0.1:1/kapok")
    assert (ended.code, verdicts(ended)["database"]) == (Code.FAILED, "fail")
    assert "hush" not in ended.out


def test_an_empty_site_fails_for_what_is_not_registered(kapok: Command) -> None:
    """No ground, no units, no keys; and this database is one that forgets."""
    ended = kapok("doctor", "--json", "--port", "0")
    told = verdicts(ended)
    assert ended.code == Code.FAILED
    assert {told[name] for name in ("jurisdictions", "units", "keys", "fsync")} == {"fail"}
    assert {told[name] for name in ("database", "migrations", "clock", "data folder")} == {"ok"}


def test_what_is_registered_is_found(mapped: Command) -> None:
    """Ground and a dispatcher's key, until that is revoked."""
    made = mapped("keys", "create", "--name", "desk", "--role", "dispatcher", "--jurisdiction=gz")
    told = verdicts(mapped("doctor", "--json"))
    assert (told["jurisdictions"], told["keys"]) == ("ok", "ok")
    mapped("keys", "revoke", made.err.split()[1].rstrip(":"))
    told_after = lines(mapped("doctor", "--json"))
    assert told_after["keys"]["verdict"] == "fail"
    assert told_after["keys"]["found"] == "0 in force, 1 revoked"


def test_a_database_in_another_zone_has_the_same_clock(kapok: Command, query: Query) -> None:
    """An instant is an instant."""
    (row,) = query("select current_database() as name")
    query(f"alter database {row['name']} set timezone = 'Asia/Shanghai'")
    assert verdicts(kapok("doctor", "--json"))["clock"] == "ok"


def test_pending_migrations_are_told_and_not_applied(kapok: Command, query: Query) -> None:
    """What they would bring cannot be seen before."""
    query("delete from migration where number = (select max(number) from migration)")
    told = lines(kapok("doctor", "--json"))
    assert told["migrations"]["verdict"] == "warn"
    assert told["migrations"]["found"].startswith("1 pending")
    assert told["register"]["verdict"] == "warn"


def test_a_database_of_a_newer_version_fails(kapok: Command, query: Query) -> None:
    """Kapok would not start on it."""
    query("insert into migration (number, name, sha256) values (9999, '9999_x.sql', '')")
    assert verdicts(kapok("doctor", "--json"))["migrations"] == "fail"
