"""`kapok`: help that says everything, ends that mean something, Ctrl-C that leaves nothing."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg
import click
import pytest

from dispatch.cli.codes import MEANINGS, Code
from dispatch.cli.database import POSTGRES
from dispatch.cli.main import COMMANDS, main
from dispatch.store.migrate import LOCK_KEY
from dispatch.store.residents import residents
from tests.dispatch.cli.conftest import BOUND_S, interrupted, started

WAITING: Final = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


def test_help_names_every_command_and_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever writes a script finds it all in one place; inner commands are not for people."""
    assert main(["--help"]) == Code.OK
    said = capsys.readouterr().out
    assert all((f"  {c.name} " in said) != c.hidden for c in COMMANDS)
    assert all(f"{code:>5}  {meaning}" in said for code, meaning in MEANINGS.items())
    assert set(MEANINGS) == set(Code)


def leaves(command: click.Command, *path: str) -> list[tuple[str, ...]]:
    """Every command that can be run, by the words that run it."""
    if not isinstance(command, click.Group):
        return [path]
    inner = command.commands.values()
    return [leaf for each in inner for leaf in leaves(each, *path, str(each.name))]


ALL: Final = [leaf for each in COMMANDS for leaf in leaves(each, str(each.name))]


def test_the_commands_are_those_of_the_documents() -> None:
    """Nothing is lost on the way into the table."""
    assert {" ".join(words) for words in ALL} >= {
        "serve",
        "demo",
        "migrate",
        "import jurisdictions",
        "import units",
        "keys create",
        "keys list",
        "keys revoke",
        "devices issue",
    }


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """And it asks for no database."""
    assert main([*words, "--help"]) == Code.OK
    said = capsys.readouterr().out
    assert "Usage: kapok" in said
    assert "\\b" not in said


def test_the_columns_of_a_file_of_units_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, the Chinese heading beside the English one."""
    assert main(["import", "units", "--help"]) == Code.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["code*", "编号"] in lines
    assert ["capabilities", "能力/装备", "a;b"] in lines


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """For reports of trouble."""
    assert main(["--version"]) == Code.OK
    assert capsys.readouterr().out.startswith("kapok, version ")


@pytest.mark.parametrize("arguments", [["fly"], ["migrate", "--fast"], ["keys", "revoke"], []])
def test_a_wrong_command_line_has_its_code(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And the usage on stderr."""
    assert main(arguments) == Code.USAGE
    assert "Usage: kapok" in capsys.readouterr().err


def test_a_wrong_setting_is_a_wrong_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable is named."""
    monkeypatch.setenv("KAPOK_PORT", "door")
    assert main(["serve"]) == Code.USAGE
    assert "KAPOK_PORT" in capsys.readouterr().err


# Ctrl-C. ---------------------------------------------------------------------------------------


def until(happened: Callable[[], bool]) -> None:
    """Wait for it, within the bound."""
    end_s = time.monotonic() + BOUND_S
    while not happened():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.mark.postgres
@pytest.mark.asyncio
async def test_ctrl_c_while_the_database_works_ends_cleanly(database: str) -> None:
    """The command waits for a lock that the test holds; it leaves no traceback and no lock."""
    gate = await asyncpg.connect(database)
    await gate.execute("select pg_advisory_lock($1)", LOCK_KEY)
    command = started("migrate", DATABASE_URL=database)
    async with asyncio.timeout(BOUND_S):
        while not await gate.fetchval(WAITING):  # each round is one query
            pass
    assert await asyncio.to_thread(interrupted, command) == (130, "\ninterrupted\n")
    async with asyncio.timeout(BOUND_S):
        while await gate.fetchval(WAITING):
            pass
    await gate.close()


@pytest.mark.postgres
def test_ctrl_c_stops_the_database_that_was_started(tmp_path: Path) -> None:
    """Wherever in its start it was, nothing of it is left."""
    lock = tmp_path / f"{POSTGRES}.lock"
    command = started("migrate", KAPOK_DATA=str(tmp_path), DATABASE_URL="")
    until(lambda: lock.exists() and len(lock.read_text().splitlines()) == 2)
    folder = Path(lock.read_text().splitlines()[1])
    assert interrupted(command)[0] == 130
    assert residents(tmp_path / POSTGRES) == []
    assert not folder.exists()
    assert lock.read_text() == ""
