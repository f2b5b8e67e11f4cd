"""The main job from outside: `kapok demo` on embedded defaults, its report, and Ctrl-C."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e, pytest.mark.postgres]

WITHIN_S = 180.0
FIELDS = {
    "phones_online",
    "incidents",
    "offers",
    "accepted",
    "arrived",
    "unserved",
    "lost_messages",
    "double_booked",
    "dispatch_ms",
    "push_ms",
}


async def demo(data: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start a demo of 200 units."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatch", "demo", "--units", "200", "--port", "0", *arguments),
        env={**os.environ, "KAPOK_DATA": str(data)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def test_a_bounded_demo_loses_nothing_and_says_so(tmp_path: Path) -> None:
    """Every figure of the report is there, and none of them is a loss."""
    file = tmp_path / "report.json"
    run = ("--incidents-per-minute", "120", "--for", "8", "--report", str(file))
    process = await demo(tmp_path / "data", *run)
    output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0, output.decode()
    report: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    assert report.keys() >= FIELDS
    assert report["phones_online"] == 200
    assert report["incidents"] == report["acknowledged_incidents"] >= 15
    assert report["accepted"] > 0
    assert report["lost_messages"] == report["lost_incidents"] == report["double_booked"] == 0
    assert sum(report["unserved_reasons"].values()) == report["unserved"]
    assert "no_answer" not in report["unserved_reasons"]
    assert 0 < report["dispatch_ms"]["p50"] <= report["dispatch_ms"]["p99"]
    assert b"Idempotency-Key" in output


async def test_ctrl_c_ends_a_demo_with_its_report(tmp_path: Path) -> None:
    """It stops calling, drains, reports, and leaves neither process nor token behind."""
    process = await demo(tmp_path / "data", "--incidents-per-minute", "120")
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(WITHIN_S):
        while b"incidents" not in seen:
            seen += await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    assert b'"lost_messages": 0' in rest
    assert left_behind(tmp_path) == []


def left_behind(data: Path) -> list[Path]:
    """Return the processes that still name the data folder."""
    return [p for p in Path("/proc").iterdir() if p.name.isdigit() and _belongs(p, data)]


def _belongs(process: Path, data: Path) -> bool:
    try:
        return str(data).encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False
