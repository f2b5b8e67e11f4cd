"""A whole city for ten minutes: `kapok load` on two workers, and the floor of an offer meanwhile.

What `kapok load` reports is not measured again. It is not among `all`, for it takes too long.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bench.harness.floor import MS, Floor, Pair, rows
from bench.harness.load import Load, loading
from bench.harness.result import Found, Mark, Row
from bench.harness.serving import fill, folder, serving
from dispatch.cli.load.figures import COUNTS, STAGES
from dispatch.cli.load.processes import WARM_S
from dispatch.cli.load.report import Report
from dispatch.cli.load.threshold import USUAL
from dispatch.clock import SystemClock
from dispatch.phone.witness import Stage

LONGER: Final = "KAPOK_BENCH_CITY_S"
"""How many seconds are measured, in the environment; without it `USUAL_S`."""
ROADS: Final = "KAPOK_ROADS"
"""The service reads it itself: here it is only told whether there were roads."""
USUAL_S: Final = 600.0
LEAST_S: Final = 1.0
AROUND_S: Final = 400.0
"""For filling, starting, connecting and the proof afterwards."""
MOST_S: Final = float(os.environ.get(LONGER, USUAL_S)) + AROUND_S
UNITS: Final = 23_334
UNITS_LEAST: Final = 60
FIXES_PER_S: Final = 2_300
CALLS_PER_MIN: Final = 60.0
CALLS_LEAST: Final = 5
FLOOR_EVERY_S: Final = 0.5
FLOOR_LEAST: Final = 20
"""So many times at least in a short run."""
SKETCH: Final = 0.01
"""Below this share of all sizes one only looks whether it runs: people are quick then."""
IN_HASTE: Final = ("--haste", "20", "--drain", "0.5")
PSS_MOST_MB: Final = 1_600.0
GROWTH_MOST_PERCENT: Final = 5.0
GROWING_S: Final = WARM_S + 60.0
"""A shorter run does not know whether memory grows."""
TIMES_MOST: Final = 5.0

OFFER: Final = "post_to_received"
PROVED: Final = tuple(threshold.figure for threshold in USUAL)
"""What is wrong at any load: lost, doubled, out of order, booked twice."""
ONLINE: Final[Mapping[str, str]] = {
    "phones": "phones",
    "phones_online_least": "phones",
    "online_after_s": "s",
    "disconnected": "lines",
    "fixes_per_s": "per s",
}
CALLED: Final[Mapping[str, str]] = {
    "incidents": "incidents",
    "incidents_moved": "calls",
    "incidents_refused": "incidents",
    "incidents_given_up": "incidents",
    "nobody_at_first": "incidents",
    "unheard": "incidents",
    **dict.fromkeys(PROVED, "found"),
}
GROWTH: Final = "server_growth_percent"
MEMORY: Final[Mapping[str, str]] = {"server_pss_mb_max": "MB"}
GROWN: Final[Mapping[str, str]] = {GROWTH: "%"}
CORES: Final[Mapping[str, str]] = {"server_cpu_cores": "cores"}
"""Figures of the report, by their unit; what they mean it says itself."""


class Ran(NamedTuple):
    """What the load reports, what was measured beside it, and by which process of the database."""

    report: Report
    floor: list[Pair]
    database_pid: int


def measure(scale: float) -> Found:
    """Run all of it once."""
    units = max(UNITS_LEAST, int(UNITS * scale))
    return found(asyncio.run(_measure(units, _seconds(scale), quick=scale < SKETCH)))


def found(ran: Ran) -> Found:
    """Return what came of a run; what its report tells is told as it stands."""
    commit, trip, both = rows(ran.floor, _about(ran.report))
    offer = _stage(ran.report, OFFER, "POST until a phone has heard the first offer frame")
    times = {
        "POST to offer heard, to commit and round trip, median": _times(offer.median, both.median),
        "POST to offer heard, to commit and round trip, p99": _times(offer.p99, both.p99),
    }
    return Found(
        rows=[
            Row.count("measured for, all phones online", ran.report.seconds, "s"),
            *_counts(ran.report, ONLINE),
            *_counts(ran.report, CALLED),
            *_reasons(ran.report),
            commit,
            trip,
            both,
            offer,
            _slowest(ran.report, OFFER, "the slowest of them"),
            _stage(ran.report, Stage.PONG, STAGES[Stage.PONG]),
            _slowest(ran.report, Stage.PONG, "the slowest pong"),
            *_counts(ran.report, MEMORY),
            _ours(ran),
            *_counts(ran.report, GROWN if _is_long(ran.report.seconds) else {}),
            *_counts(ran.report, CORES),
        ],
        ratios=times,
        marks={
            **{name: Mark.at_most(TIMES_MOST, value) for name, value in times.items()},
            **_marks(ran.report.figures),
            **_growth(ran.report),
        },
    )


def _seconds(scale: float) -> float:
    given = os.environ.get(LONGER)
    return float(given) if given else max(LEAST_S, USUAL_S * min(1.0, scale))


def _is_long(seconds: float) -> bool:
    return seconds >= GROWING_S


# What came of it. ---------------------------------------------------------------------------------


def _about(report: Report) -> str:
    phones, per_s = report.figures["phones"], report.figures["fixes_per_s"]
    roads = "roads" if os.environ.get(ROADS) else "no roads"
    return f"{phones or 0:,.0f} phones, {per_s or 0:,.0f} fixes/s, {roads}"


def _counts(report: Report, units: Mapping[str, str]) -> Iterator[Row]:
    """Yield figures as rows."""
    for name, unit in units.items():
        value = report.figures[name]
        what = COUNTS[name]
        yield Row.missing(what) if value is None else Row.count(what, value, unit)


def _reasons(report: Report) -> Iterator[Row]:
    for code, count in sorted(report.incidents_refused.items()):
        yield Row.count(f"refused for good as {code}", count, "incidents")


def _stage(report: Report, stage: str, what: str) -> Row:
    taken = report.stages[stage]
    if not taken.n:
        return Row.missing(what)
    return Row(what=what, median=taken.p50, p99=taken.p99, unit=MS)


def _slowest(report: Report, stage: str, what: str) -> Row:
    taken = report.stages[stage]
    return Row.count(what, taken.max, MS) if taken.n else Row.missing(what)


def _ours(ran: Ran) -> Row:
    """Return what of the memory is not the service's: our own connection to the database."""
    what = "of it the connection by which the floor is measured"
    found = {use.pid: use.pss_mb_max for use in ran.report.server}.get(ran.database_pid)
    return Row.missing(what) if found is None else Row.count(what, found, "MB")


def _times(ours_ms: float | None, floor_ms: float | None) -> float | None:
    return ours_ms / floor_ms if ours_ms is not None and floor_ms else None


def _marks(figures: Mapping[str, float | None]) -> dict[str, Mark]:
    away = _less(figures["phones"], figures["phones_online_least"])
    unanswered = _sum(figures, "incidents_refused", "incidents_given_up")
    return {
        "phones that were not online all the while": Mark.at_most(0.0, away),
        "lines lost": Mark.at_most(0.0, figures["disconnected"]),
        "incidents without an acknowledgement": Mark.at_most(0.0, unanswered),
        "lost, doubled, out of order, booked twice": Mark.at_most(0.0, _sum(figures, *PROVED)),
        "MB of all server processes": Mark.at_most(PSS_MOST_MB, figures["server_pss_mb_max"]),
    }


def _growth(report: Report) -> dict[str, Mark]:
    """Return the mark of growth, where the run was long enough to know."""
    if not _is_long(report.seconds):
        return {}
    grown = report.figures[GROWTH]
    return {"growth from the fifth minute on, %": Mark.at_most(GROWTH_MOST_PERCENT, grown)}


def _sum(figures: Mapping[str, float | None], *names: str) -> float | None:
    """Return the sum of figures; None where one was not measured."""
    values = [value for name in names if (value := figures[name]) is not None]
    return sum(values) if len(values) == len(names) else None


def _less(all_told: float | None, some: float | None) -> float | None:
    return None if all_told is None or some is None else all_told - some


# The run. -----------------------------------------------------------------------------------------


async def _measure(units: int, seconds: float, *, quick: bool) -> Ran:
    async with folder() as root:
        filled = await fill(root / "data", units, units)
        async with (
            serving(filled.folder, "--workers", "2") as service,
            Floor.opened(service.dsn) as floor,
            loading(filled, service, _asked(units, seconds, quick=quick)) as load,
        ):
            beside = await _beside(floor, load, min(FLOOR_EVERY_S, seconds / FLOOR_LEAST))
            return Ran(load.report, meanwhile(beside, load.report), floor.database_pid)


def _asked(units: int, seconds: float, *, quick: bool) -> Iterator[str]:
    """Yield what the load is asked for, and held to."""
    yield from ("--for", str(seconds), "--moving", "1")
    yield from ("--incidents-per-minute", str(max(CALLS_PER_MIN, CALLS_LEAST * 60 / seconds)))
    yield from ("--fixes-per-second", str(FIXES_PER_S * units / UNITS))
    yield from ("--fail-if", "disconnected>0", "--fail-if", f"phones_online_least<{units}")
    yield from ("--fail-if", f"server_pss_mb_max>{PSS_MOST_MB:g}")
    yield from ("--fail-if", f"{GROWTH}>{GROWTH_MOST_PERCENT:g}") if _is_long(seconds) else ()
    yield from IN_HASTE if quick else ()


async def _beside(floor: Floor, load: Load, every_s: float) -> list[tuple[datetime, Pair]]:
    """Measure the floor again and again, until the load is over."""
    clock, measured = SystemClock(), list[tuple[datetime, Pair]]()
    while not load.is_over:
        measured.append((clock.now(), await floor.once()))
        await asyncio.sleep(every_s)
    return measured


def meanwhile(measured: list[tuple[datetime, Pair]], report: Report) -> list[Pair]:
    """Return what was measured of the floor while all phones were online, as the report says."""
    end = report.measured_from + timedelta(seconds=report.seconds)
    return [pair for at, pair in measured if report.measured_from <= at <= end]
