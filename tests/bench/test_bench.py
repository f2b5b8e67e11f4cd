"""The benchmarks' frame: results, marks, the page, the command; no figure is held to anything."""

import asyncio
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bench.__main__ import ALONE, TookTooLong, names, usual, within
from bench.harness.child import ChildFailed, child
from bench.harness.machine import machine
from bench.harness.page import publish
from bench.harness.result import NOT_RUN, Found, Mark, Row, ratio, read, result, write
from bench.harness.table import show
from bench.harness.timing import in_turn
from bench.peers import port
from bench.peers.debian import had
from dispatch.cli import worker

ROOT = Path(__file__).parents[2]
FLOOR = Row.of("floor", [1.0, 2.0, 3.0], "us")
OURS = Row.of("ours", [5.0, 6.0, 7.0], "us")
GONE = Row.missing("a peer")
FOUND = Found(
    rows=[FLOOR, OURS, GONE],
    ratios={"ours to floor": ratio(OURS, FLOOR), "ours to a peer": ratio(OURS, GONE)},
    marks={
        "far": Mark.at_most(5.0, ratio(OURS, FLOOR)),
        "near": Mark.at_most(2.0, ratio(OURS, FLOOR)),
        "gone": Mark.at_most(2.0, ratio(OURS, GONE)),
    },
)


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        (sys.executable, "-m", "bench", *map(str, arguments)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_result_file_holds_exactly_what_is_promised(tmp_path: Path) -> None:
    """Name, machine, commit, rows, ratios, marks; and it is read as it was written."""
    written = result("sample", FOUND)
    path = write(written, tmp_path / "new")
    assert path == tmp_path / "new" / "sample.json"
    file: dict[str, Any] = json.loads(path.read_bytes())
    assert list(file) == ["name", "machine", "commit", "rows", "ratios", "marks"]
    assert list(file["rows"][0]) == ["what", "median", "p99", "unit"]
    assert list(file["marks"]["far"]) == ["mark", "value", "met"]
    assert file["ratios"] == {"ours to floor": 3.0, "ours to a peer": None}
    assert read(path) == written


def test_the_machine_is_named() -> None:
    """Processor, cores, memory and system."""
    here = msgspec.to_builtins(machine())
    assert list(here) == ["cpu", "cores", "memory_gib", "os"]
    assert all(here.values())


def test_a_mark_is_met_by_what_is_at_most_it() -> None:
    """What was not run meets none."""
    assert [mark.met for mark in FOUND.marks.values()] == [True, False, False]
    assert Mark.at_most(3.0, 3.0).met


def test_what_is_not_met_or_not_run_is_printed() -> None:
    """Neither is hidden: in the table, the ratios and the marks."""
    console = Console(width=120, file=StringIO(), record=True)
    show(result("sample", FOUND), console)
    text = console.export_text()
    assert "near: 3 of 2 at most: NOT MET" in text
    assert "far: 3 of 5 at most: met" in text
    assert "gone: not run of 2 at most: NOT MET" in text
    assert text.count("not run") == 3


def test_the_page_is_made_of_the_result_files(tmp_path: Path) -> None:
    """Each with its day, its machine and every mark."""
    for name in ("two", "one"):
        write(result(name, FOUND), tmp_path)
    page = tmp_path / "page.md"
    assert publish(tmp_path, page) == 2
    text = page.read_text()
    assert text.index("## one") < text.index("## two")
    assert machine().cpu in text
    assert "| near | 2 | 3 | NOT MET |" in text
    assert "| a peer | not run |  |  |" in text


def test_contenders_take_turns() -> None:
    """The same numbers for each, round by round; the first round is not counted."""
    calls: list[tuple[str, int]] = []
    contenders = {name: lambda n, who=name: calls.append((who, n)) for name in ("a", "b")}
    samples = in_turn(contenders, rounds=1, calls=2)
    assert calls == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 3)]
    assert [len(samples[name]) for name in ("a", "b")] == [2, 2]


def test_a_child_answers_and_ends() -> None:
    """By questions and answers; its processor time and memory can be read."""
    with child("bench.peers.our_gateway", units=3) as server:
        assert server.facts["port"] > 0
        assert server.ask("watch") == {}
        assert server.ask("stall")["stall_ms"] >= 0
        assert server.cpu_s() > 0
        assert server.pss_kb() > 0
    assert not Path(f"/proc/{server.pid}").exists()


def test_a_server_that_is_measured_collects_garbage_as_our_worker_does() -> None:
    """Whatever else it is: its pauses are told beside ours."""
    assert port.GC_THRESHOLDS == worker.GC_THRESHOLDS


def test_a_peer_that_is_not_here_is_not_installed_by_a_small_run() -> None:
    """Only a whole run installs, and only as root: elsewhere the row reads "not run"."""
    assert had(lambda: None, "no-such-package", install=False) is None
    assert had(lambda: "here", "no-such-package", install=True) == "here"


def test_a_benchmark_that_takes_too_long_is_ended() -> None:
    """Wherever it is: what a callback of an event loop raises is not lost."""

    async def never_ending() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(TookTooLong), within(0.05):
        asyncio.run(never_ending())


def test_a_child_that_fails_is_told() -> None:
    """Instead of waiting for its answer."""
    with pytest.raises(ChildFailed), child("bench.no_such_module"):
        pytest.fail("it has not started")


def test_an_unknown_benchmark_is_refused() -> None:
    """With exit code 2, and the names there are."""
    refused = bench("no_such_one")
    assert refused.returncode == 2
    assert "nearest" in refused.stderr


def test_what_takes_very_long_is_measured_only_by_its_name() -> None:
    """All the others are meant by all."""
    assert set(names()) > ALONE
    assert set(usual()) == set(names()) - ALONE


def test_a_small_run_ends_in_a_table_and_a_file(tmp_path: Path) -> None:
    """Of the cheapest benchmark; whether its marks are met is another matter."""
    done = bench("nearest", "--scale", "0.005", "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mark   ours, large to city" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"nearest.json"}
    found = read(tmp_path / "nearest.json")
    assert {row.unit for row in found.rows} <= {"us", NOT_RUN}
    assert len(found.marks) == 2
