"""Where commands find their database: the URL, a running Kapok's, else one of their own."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.cli.codes import Failure
from dispatch.cli.database import POSTGRES, require_room
from dispatch.cli.main import main
from dispatch.settings import Settings
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.folder_lock import FolderLock
from dispatch.store.migrate import read
from dispatch.store.residents import residents

pytestmark = pytest.mark.postgres


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there yet, and no URL."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAPOK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def running(data: Path) -> Iterator[EmbeddedPostgres]:
    """A database that somebody else runs on it."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        server = EmbeddedPostgres(data / POSTGRES)
        runner.run(server.start())
        yield server
        runner.run(server.stop())


def test_without_a_url_a_database_is_started_and_stopped(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one command writes the next one finds; none leaves a process behind."""
    assert main(["migrate"]) == 0
    assert residents(data / POSTGRES) == []
    assert main(["migrate", "--check"]) == 0
    assert residents(data / POSTGRES) == []
    assert "applied" in capsys.readouterr().out


def test_an_empty_url_is_none(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files set variables to nothing."""
    monkeypatch.setenv("DATABASE_URL", "")
    assert main(["migrate"]) == 0
    assert (data / POSTGRES).is_dir()


def test_a_running_database_is_used_and_left_running(
    running: EmbeddedPostgres, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys can be made while the service runs."""
    pid = running.pid
    assert main(["migrate"]) == 0
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.count("applied 0") == len(read())
    assert pid in residents(data / POSTGRES)


def test_a_folder_whose_holder_says_nothing_is_away(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody is just starting or stopping: the command says who, and what to do."""
    data.mkdir()
    lock = FolderLock.take(data / POSTGRES)
    try:
        assert main(["migrate"]) == 4
    finally:
        lock.release()
    said = capsys.readouterr().err
    assert "does not say where its database is: wait for it, or set DATABASE_URL" in said


def test_a_folder_of_somebody_else_is_away(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Photographs are no database."""
    (data / POSTGRES).mkdir(parents=True)
    (data / POSTGRES / "photo.jpg").touch()
    assert main(["migrate"]) == 4
    assert "is not empty and holds no database: name another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://kapok@127.0.0.1:1/kapok",
        "postgresql://kapok:secret@127.0.0.1:1/kapok",
        "postgresql:///kapok?host=/nonexistent",
        "http://example.org",
        "nonsense",
        "postgresql://host:port/kapok",
    ],
)
def test_a_url_where_nobody_answers_is_away(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, without the password."""
    assert main(["keys", "list", "--database-url", url]) == 4
    said = capsys.readouterr()
    assert said.err.startswith("Error: the database cannot be reached: ")
    assert said.err.count("\n") == 1
    assert "secret" not in said.err
    assert said.out == ""


def test_a_database_that_is_not_there_is_away(
    postgres_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server answers, and has no such database."""
    url = postgres_dsn.replace("/kapok?", "/missing?")
    assert main(["migrate", "--database-url", url]) == 4
    assert 'database "missing" does not exist' in capsys.readouterr().err


def test_a_data_folder_that_is_a_file_is_a_wrong_command_line(tmp_path: Path) -> None:
    """Told before anything starts."""
    (tmp_path / "file").touch()
    assert main(["migrate", "--data", os.fspath(tmp_path / "file")]) == 2


def test_an_import_waits_for_room(tmp_path: Path) -> None:
    """It says how much there is, and how much is missing can be told from the ballast."""
    require_room(Settings(data=tmp_path, ballast_mb=0))
    with pytest.raises(
        Failure, match=r"the store is nearly full \([0-9,]+ MB.*nothing was imported"
    ):
        require_room(Settings(data=tmp_path, ballast_mb=2**40))


def test_of_an_outside_database_nobody_here_sees_the_disk(tmp_path: Path) -> None:
    """It says itself when it is full."""
    outside = Settings(data=tmp_path, ballast_mb=2**40, database_url="postgresql://elsewhere")
    require_room(outside)
    assert not (tmp_path / POSTGRES).exists()


def test_an_import_is_refused_by_what_the_environment_says(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the service is; a variable that makes no sense is named."""
    monkeypatch.setenv("KAPOK_BALLAST_MB", "much")
    file = tmp_path / "places.geojson"
    file.write_text("{}")
    assert main(["import", "jurisdictions", str(file), "--datum", "wgs84"]) == 2
    assert not data.exists()
