"""What tests of the commands are handed: a small country, and commands run in this process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import pytest
import shapely

from dispatch.cli.main import main
from geo.jurisdiction import Jurisdiction, to_geojson

ROOT: Final = Path(__file__).parents[3]
BOUND_S: Final = 60.0


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]
Query = Callable[..., list[dict[str, Any]]]


def box(path: str, name: str, west: float, south: float, east: float, north: float) -> Jurisdiction:
    """A jurisdiction between two meridians and two parallels."""
    return Jurisdiction(path, name, shapely.box(west, south, east, north))


@pytest.fixture
def country() -> Sequence[Jurisdiction]:
    """Two cities side by side; one has two districts, one of these a street."""
    return (
        box("gz", "广州市", 113.2, 23.0, 113.4, 23.2),
        box("gz.th", "天河区", 113.2, 23.0, 113.3, 23.2),
        box("gz.hp", "黄埔区", 113.3, 23.0, 113.4, 23.2),
        box("gz.th.sp", "石牌街道", 113.2, 23.0, 113.3, 23.1),
        box("fs", "佛山市", 113.0, 23.0, 113.2, 23.2),
    )


@pytest.fixture
def tree(country: Sequence[Jurisdiction], tmp_path: Path) -> Path:
    """The country in a file, WGS-84."""
    path = tmp_path / "tree.geojson"
    path.write_text(to_geojson(country), encoding="utf-8")
    return path


@pytest.fixture
def kapok(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command line on the test's own database."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments: object) -> Ended:
        code = main([str(each) for each in arguments])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def query(database: str) -> Query:
    """Ask the test's own database."""

    async def ask(statement: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(database)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return lambda statement, *values: asyncio.run(ask(statement, *values))


@pytest.fixture
def mapped(kapok: Command, tree: Path) -> Command:
    """The same, with the country imported."""
    assert kapok("import", "jurisdictions", tree, "--datum", "wgs84").code == 0
    return kapok


def collection(*features: dict[str, Any]) -> str:
    """A GeoJSON document of such features."""
    return json.dumps({"type": "FeatureCollection", "features": features})


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A command as a process of its own, started as the installed one would be."""
    return subprocess.Popen(
        [sys.executable, "-m", "dispatch", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C once; return the code and what was said on stderr."""
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=BOUND_S)
    return command.returncode, said
