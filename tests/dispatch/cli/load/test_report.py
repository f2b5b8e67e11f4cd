"""The report as a person reads it, and the screen before."""

from io import StringIO

from rich.console import Console

from dispatch.cli.calls import Called
from dispatch.cli.load.processes import Use
from dispatch.cli.load.report import USES_MOST, Report, text
from dispatch.cli.load.screen import Look, Screen
from dispatch.cli.load.threshold import Judged
from dispatch.phone.diary import Tally
from dispatch.phone.latency import Quantiles
from tests.fakes import START

USE = Use(pid=7, name="kapok worker", cpu_s=1.5, rss_mb=80.0, pss_mb=None, pss_mb_max=None)
REPORT = Report(
    url="http://127.0.0.1:8110",
    began=START,
    measured_from=START,
    ended=START,
    seconds=60.0,
    figures={"phones": 1_234.0, "fixes_per_s": 12.345, "connects_per_s": None},
    stages={"pong": Quantiles(n=9, p50=1.0, p90=2.0, p99=3.04, max=4.0)},
    disconnects={"4104": 2},
    connect_failures={},
    incidents_refused={"outside": 2},
    commands_refused={"taken": 3, "expired": 1},
    ended_by={},
    thresholds=[
        Judged(fail_if="doubled>0", value=0.0, met=True),
        Judged(fail_if="push_p99_ms>50", value=None, met=False),
    ],
    examples=["lost_messages: offer o1 to phone d1"],
    dead=["load process 9 with 20 phones ended by code -9"],
    server=[USE] * (USES_MOST + 2),
    load=[],
)


def test_a_person_reads_figures_faults_and_which_threshold_failed() -> None:
    """What was not measured is left out, but for a threshold on it."""
    lines = text(REPORT).splitlines()
    words = [line.split() for line in lines]
    assert ["pong", "9", "1.0", "2.0", "3.0", "4.0"] in words
    assert ["push", "0"] in words
    assert any(line[:2] == ["phones", "1,234"] for line in words)
    assert any(line[:2] == ["fixes_per_s", "12.35"] for line in words)
    assert not any(line[:1] == ["connects_per_s"] for line in words)
    assert any("disconnected by" in line and "4104 2" in line for line in lines)
    assert any("expired 1, taken 3" in line for line in lines)
    assert ["kapok", "worker", "7", "1.5", "80.0", "-", "-"] in words
    assert "  and 2 smaller ones" in lines
    assert "  ! lost_messages: offer o1 to phone d1" in lines
    assert "  ! load process 9 with 20 phones ended by code -9" in lines
    assert "  ok    fail if doubled>0: 0" in lines
    assert "  FAIL  fail if push_p99_ms>50: not measured" in lines
    assert REPORT.failed


def look() -> Look:
    """Return how it goes."""
    return Look(
        doing="measuring",
        seconds=12.0,
        tally=Tally(phones=2_000, online=1_999),
        called=Called(sent=3, acknowledged=2),
        push_ms=Quantiles(n=1, p50=1.0, p99=7.7),
        pong_ms=Quantiles(),
        dead=0,
    )


def test_a_terminal_shows_how_it_goes_and_a_file_gets_nothing() -> None:
    """One table, drawn over and over."""
    for terminal in (True, False):
        out = StringIO()
        with Screen(Console(file=out, force_terminal=terminal, width=100)) as screen:
            screen.show(look())
        assert ("1,999 of 2,000" in out.getvalue()) is terminal
        assert ("7.7 ms" in out.getvalue()) is terminal
