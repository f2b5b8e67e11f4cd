"""The published page: every result file as tables, with its date and its machine."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from bench.harness import table
from bench.harness.machine import ROOT
from bench.harness.result import Result, read

PAGE: Final = ROOT / "docs" / "reference" / "benchmarks.md"
LEAD: Final = """\
# Benchmarks

<!-- Made by `python -m bench --publish` from the files of the last runs; do not edit. -->

`make bench` measures all of it again, `make bench BENCH=nearest` one. `city` takes a quarter of \
an hour, and runs only by its name; `KAPOK_BENCH_CITY_S` makes it longer, and with `KAPOK_ROADS` \
it is a city with roads. Floor, peers and ours run in turn within one run: compare figures of one \
table, never absolute times of two machines. A mark is a bound from above; one that is not met \
stands here as it is. What could not be had reads "not run". Figures are as they came: what else \
the machine did meanwhile is in them, and most of all in stalls and in every p99.
"""


def publish(folder: Path, page: Path = PAGE) -> int:
    """Write the page from the result files of a folder; return how many there are."""
    files = sorted(folder.glob("*.json"))
    parts = [_section(read(path), _day(path)) for path in files]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([LEAD, *parts]), encoding="utf-8")
    return len(files)


def _day(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _section(result: Result, day: date) -> str:
    where = result.machine
    ratios = [(name, table.shown(value)) for name, value in result.ratios.items()]
    marks = [
        (name, table.number(m.mark), table.shown(m.value), table.verdict(m))
        for name, m in result.marks.items()
    ]
    return "\n".join(
        (
            f"## {result.name}\n",
            f"{day}, commit {result.commit}. {where.cpu}, {where.cores} cores, "
            f"{where.memory_gib:g} GiB, {where.os}.\n",
            _table(("", "median", "p99", "unit"), [table.cells(row) for row in result.rows]),
            _table(("ratio", "value"), ratios) if ratios else "",
            _table(("mark", "at most", "value", ""), marks) if marks else "",
        )
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
