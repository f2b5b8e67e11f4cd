"""`kapok load` against a real service: phones in two processes, calls, the report, the proof."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from dispatch.cli.load.figures import FIGURES
from dispatch.cli.load.processes import descendants
from dispatch.cli.main import main
from tests.serving import served

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]

PHONES: Final = 40
WITHIN_S: Final = 60.0


class Bench:
    """A service with a small city, and what a load run needs of it."""

    def __init__(self, url: str, folder: Path, connection: "asyncpg.Connection[Any]") -> None:
        self.url, self.folder, self._connection = url, folder, connection

    async def load(self, *options: object) -> asyncio.subprocess.Process:
        """Start a run of two processes whose people are quick."""
        arguments = (
            *("--url", self.url, "--report", self.folder / "report.json"),
            *("--key-file", self.folder / "load.key"),
            *("--phones-file", self.folder / "phones.jsonl"),
            *("--processes", 2, "--haste", 20, "--accept", 0.8, "--drain", 0.5, *options),
        )
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dispatch", "load", *map(str, arguments)),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def report(self) -> dict[str, Any]:
        """The report that was written."""
        told: dict[str, Any] = msgspec.json.decode((self.folder / "report.json").read_bytes())
        return told

    async def rows(self, table: str) -> int:
        """Count what was written in the database."""
        count: int = await self._connection.fetchval(f"select count(*) from {table}")  # noqa: S608 - a constant of this file
        return count


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, in which the city is built once."""
    return tmp_path_factory.mktemp("data")


async def prepare(folder: Path, data: Path, *options: str) -> int:
    """Prepare a city of 40 units; return the exit code."""
    arguments = ("load", "prepare", "--units", str(PHONES), "--out", str(folder), *options)
    return await asyncio.to_thread(main, (*arguments, "--data", str(data)))


@pytest_asyncio.fixture
async def bench(
    database: str, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    """Serve a prepared city."""
    monkeypatch.setenv("DATABASE_URL", database)
    assert await prepare(tmp_path / "load", data) == 0
    connection = await asyncpg.connect(database)
    async with served(database) as (_, url):
        yield Bench(url, tmp_path / "load", connection)
    await connection.close()


async def until(true: Callable[[], Any]) -> None:
    """Wait for something to come true in another process, within reason."""
    async with asyncio.timeout(WITHIN_S):
        while not await true():  # noqa: ASYNC110 - it is written by another process
            await asyncio.sleep(0.05)


def unmet(report: dict[str, Any]) -> list[str]:
    """The thresholds that a run did not meet."""
    return [judged["fail_if"] for judged in report["thresholds"] if not judged["met"]]


async def test_a_run_reports_what_was_done_and_fails_by_its_threshold(bench: Bench) -> None:
    """The figures are those of the database; the one threshold that cannot be met is named."""
    process = await bench.load(
        *("--for", 3, "--incidents-per-minute", 240, "--fixes-per-second", 25, "--moving", 1),
        *("--drops-per-minute", 60, "--server-pid", os.getpid()),
        *("--fail-if", "phones<40", "--fail-if", "post_to_received_p99_ms>0.02"),
        *("--fail-if", "post_to_answer_p50_ms<=0"),
    )
    output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    report = bench.report
    figures = report["figures"]
    assert process.returncode == 1, output.decode()
    assert figures.keys() == FIGURES.keys()
    assert figures["incidents"] == await bench.rows("incident") >= 9
    assert figures["accepts"] >= await bench.rows("assignment") > 0
    assert figures["tasks"] >= await bench.rows("assignment")
    assert figures["phones"] == PHONES
    assert figures["dropped_off"] > 0
    assert figures["disconnected"] == figures["dead_processes"] == 0
    assert figures["fixes_per_s"] > 15
    assert figures["server_pss_mb_max"] > 10
    assert figures["load_cpu_cores"] > 0
    assert figures["server_growth_percent"] is None
    assert 0 < figures["post_to_received_p50_ms"] <= figures["post_to_received_p99_ms"]
    assert report["examples"] == []
    assert report["began"] < report["measured_from"] < report["ended"]
    assert unmet(report) == ["post_to_received_p99_ms>0.02"]
    assert b"FAIL  fail if post_to_received_p99_ms>0.02" in output
    assert {use["name"] for use in report["load"]} == {"kapok load", "dispatch.cli.phones"}


async def test_ctrl_c_ends_a_run_with_its_report_and_a_dead_process_is_told(bench: Bench) -> None:
    """One of the two is killed; the phones of the other leave in order."""
    process = await bench.load(
        "--for", 600, "--incidents-per-minute", 600, "--fail-if", "incidents<1"
    )
    await until(lambda: bench.rows("assignment"))
    killed = next(pid for pid in descendants([process.pid]) if pid != process.pid)
    os.kill(killed, signal.SIGKILL)
    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    report = bench.report
    assert process.returncode == 1, output.decode()
    assert report["dead"] == [f"load process {killed} with 20 phones ended by code -9"]
    assert report["figures"]["dead_processes"] == 1
    assert report["figures"]["lost_incidents"] == report["figures"]["lost_commands"] == 0
    assert report["figures"]["incidents"] == await bench.rows("incident")
    assert unmet(report) == ["dead_processes>0"]
    assert b"FAIL  fail if dead_processes>0: 1" in output
    assert list(descendants([process.pid])) == []


async def test_prepared_files_are_for_their_owner_only(
    database: str, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second time units keep their ids, and the tokens of before open nothing."""
    monkeypatch.setenv("DATABASE_URL", database)
    files = [tmp_path / "load.key", tmp_path / "phones.jsonl"]
    assert await prepare(tmp_path, data) == 0
    before = [file.read_text() for file in files]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert await prepare(tmp_path, data, "--phones", "7") == 0
    assert [file.read_text() for file in files] != before
    lines = [msgspec.json.decode(line) for line in files[1].read_text().splitlines()]
    units = {msgspec.json.decode(line)["unit"] for line in before[1].splitlines()}
    assert len(lines) == 7
    assert {line["unit"] for line in lines} <= units
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select count(*) from api_key where revoked_at is null") == 1
    assert await connection.fetchval("select count(*) from unit") == PHONES
    await connection.close()


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        ((), 2, "--key-file and --phones-file"),
        (("--fail-if", "nothing>1"), 2, "there is no figure 'nothing'"),
        (("--accept", "0.7", "--decline", "0.7"), 2, "1 together"),
        (("--fixes-per-second", "900", "--moving", "0.5"), 1, "raise --moving"),
        (("--url", "http://127.0.0.1:1"), 4, "does not answer"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_sentence(
    options: tuple[str, ...],
    code: int,
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before a phone dials."""
    key, phones = tmp_path / "key", tmp_path / "phones"
    key.write_text("kk_x\n")
    phones.write_text('{"unit":"u","device":"d","token":"t"}\n')
    files = ("--key-file", str(key), "--phones-file", str(phones)) if options else ()
    assert await asyncio.to_thread(main, ("load", *files, *options)) == code
    assert why in capsys.readouterr().err
