"""What is made of a load's report: reasons, growth of a long run, and the floor of its seconds."""

from datetime import timedelta

from bench import city
from bench.harness.floor import Pair
from dispatch.cli.load.figures import FIGURES, STAGES
from dispatch.cli.load.processes import Use
from dispatch.cli.load.report import Report
from dispatch.phone.latency import Quantiles
from tests.fakes import START

OURS = Use(pid=7, name="postgres", cpu_s=1.0, rss_mb=9.0, pss_mb=2.0, pss_mb_max=2.5)
FLOOR = [Pair(1.0, 0.25), Pair(2.0, 0.5), Pair(3.0, 0.75)]
GROWTH = "growth from the fifth minute on, %"


def report(seconds: float, **figures: float) -> Report:
    """Return the report of a run in which all went well, but for some figures."""
    return Report(
        url="http://127.0.0.1:8110",
        began=START,
        measured_from=START + timedelta(seconds=30),
        ended=START + timedelta(seconds=50 + seconds),
        seconds=seconds,
        figures=dict.fromkeys(FIGURES, 0.0) | {"server_pss_mb_max": 1_500.0} | figures,
        stages={stage: Quantiles(n=9, p50=5.0, p90=6.0, p99=7.0, max=8.0) for stage in STAGES},
        disconnects={},
        connect_failures={},
        incidents_refused={"invalid": 2} if figures.get("incidents_refused") else {},
        commands_refused={},
        ended_by={},
        thresholds=[],
        examples=[],
        dead=[],
        server=[OURS],
        load=[],
    )


def test_quantiles_are_held_against_the_same_ones_of_the_floor() -> None:
    """And what of the memory is our own is told."""
    found = city.found(city.Ran(report(600.0), FLOOR, OURS.pid))
    assert found.ratios["POST to offer heard, to commit and round trip, median"] == 5.0 / 2.5
    assert all(mark.met for mark in found.marks.values())
    values = {row.what: row.median for row in found.rows}
    assert values["of it the connection by which the floor is measured"] == OURS.pss_mb_max


def test_growth_is_known_of_a_long_run_only() -> None:
    """Of a shorter one it is neither told nor held to anything."""
    grown = {city.GROWTH: 5.5}
    marks = city.found(city.Ran(report(600.0, **grown), FLOOR, OURS.pid)).marks
    assert not marks[GROWTH].met
    assert GROWTH not in city.found(city.Ran(report(310.0, **grown), FLOOR, OURS.pid)).marks


def test_what_is_lost_or_refused_misses_its_mark() -> None:
    """Each by the sum of its counts, and a refusal with its reason."""
    bad = report(600.0, lost_messages=1, doubled=1, incidents_refused=2, phones=9, disconnected=1)
    found = city.found(city.Ran(bad, FLOOR, OURS.pid))
    assert {name: mark.value for name, mark in found.marks.items() if not mark.met} == {
        "phones that were not online all the while": 9,
        "lines lost": 1,
        "incidents without an acknowledgement": 2,
        "lost, doubled, out of order, booked twice": 2,
    }
    assert {row.what: row.median for row in found.rows}["refused for good as invalid"] == 2


def test_the_floor_is_that_of_the_seconds_that_are_measured() -> None:
    """What was measured while phones came, or while all was proved, is left out."""
    at = [START + timedelta(seconds=after) for after in (29, 31, 91)]
    measured = list(zip(at, FLOOR, strict=True))
    assert city.meanwhile(measured, report(60.0)) == [FLOOR[1]]
