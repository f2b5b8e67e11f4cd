"""The report of a load run: figures by name, what they are made of, and both as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dispatch.cli.load.figures import COUNTS, STAGES
from dispatch.cli.load.processes import Use
from dispatch.cli.load.threshold import Judged
from dispatch.phone.latency import Quantiles
from schemas.base import Instant, Record

USES_MOST: Final = 12
WIDE: Final = 24


class Report(Record, frozen=True, kw_only=True):
    """What a run found. Latencies are ms; a figure that was not measured is None.

    From `measured_from` on, for `seconds`, all phones were online and people called.
    """

    url: str
    began: Instant
    measured_from: Instant
    ended: Instant
    seconds: float
    figures: Mapping[str, float | None]
    stages: Mapping[str, Quantiles]
    disconnects: Mapping[str, int]
    connect_failures: Mapping[str, int]
    incidents_refused: Mapping[str, int]
    commands_refused: Mapping[str, int]
    ended_by: Mapping[str, int]
    thresholds: Sequence[Judged]
    examples: Sequence[str]
    dead: Sequence[str]
    server: Sequence[Use]
    load: Sequence[Use]

    @property
    def failed(self) -> bool:
        """Whether a threshold was not met."""
        return not all(judged.met for judged in self.thresholds)


def text(report: Report) -> str:
    """Return the report for a person."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.url}: measured for {report.seconds:.0f} s"
    yield ""
    yield f"  {'ms':<{WIDE}}{'n':>9}{'p50':>10}{'p90':>10}{'p99':>10}{'max':>10}"
    for stage in STAGES:
        yield _stage(stage, report.stages.get(stage, Quantiles()))
    yield ""
    for name, meaning in COUNTS.items():
        value = report.figures.get(name)
        if value is not None:
            yield f"  {name:<{WIDE}}{_number(value):>11}  {meaning}"
    yield from _tallies(report)
    yield from _uses("server", report.server)
    yield from _uses("load", report.load)
    yield from _wrong(report)
    yield ""
    for judged in report.thresholds:
        yield f"  {'ok  ' if judged.met else 'FAIL'}  fail if {judged.fail_if}: {_found(judged)}"


def _stage(stage: str, taken: Quantiles) -> str:
    if not taken.n:
        return f"  {stage:<{WIDE}}{0:>9}"
    values = "".join(f"{value:>10.1f}" for value in (taken.p50, taken.p90, taken.p99, taken.max))
    return f"  {stage:<{WIDE}}{taken.n:>9}{values}"


def _tallies(report: Report) -> Iterator[str]:
    named = {
        "disconnected by": report.disconnects,
        "connect failures": report.connect_failures,
        "incidents refused": report.incidents_refused,
        "commands refused": report.commands_refused,
        "ended by": report.ended_by,
    }
    for name, counts in named.items():
        if counts:
            yield f"  {name:<{WIDE}}" + ", ".join(f"{k} {v}" for k, v in sorted(counts.items()))


def _uses(whose: str, uses: Sequence[Use]) -> Iterator[str]:
    if uses:
        yield ""
        yield f"  {whose:<{WIDE}}{'pid':>9}{'CPU s':>10}{'RSS MB':>10}{'PSS MB':>10}{'most':>10}"
    for use in uses[:USES_MOST]:
        memory = "".join(f"{_mb(value):>10}" for value in (use.rss_mb, use.pss_mb, use.pss_mb_max))
        name = f"{use.name} (ended)" if use.ended else use.name
        yield f"  {name:<{WIDE}}{use.pid:>9}{use.cpu_s:>10.1f}{memory}"
    if len(uses) > USES_MOST:
        yield f"  and {len(uses) - USES_MOST} smaller ones"


def _wrong(report: Report) -> Iterator[str]:
    for line in (*report.dead, *report.examples):
        yield f"  ! {line}"


def _found(judged: Judged) -> str:
    return "not measured" if judged.value is None else _number(judged.value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _mb(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
