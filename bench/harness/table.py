"""A result as a reader sees it: on the terminal, and as Markdown for the reference."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from bench.harness.result import NOT_RUN, Mark, Result, Row


def show(result: Result, console: Console) -> None:
    """Print the rows, the ratios and every mark, met or not."""
    table = Table("", "median", "p99", "unit", title=f"{result.name} ({result.commit})")
    for row in result.rows:
        table.add_row(*cells(row))
    console.print(table)
    for line in lines(result):
        console.print(line, highlight=False, markup=False)


def cells(row: Row) -> tuple[str, str, str, str]:
    """Return a row as text."""
    if row.median is None:
        return row.what, NOT_RUN, "", ""
    return row.what, number(row.median), "" if row.p99 is None else number(row.p99), row.unit


def lines(result: Result) -> Iterator[str]:
    """Yield a line for each ratio and for each mark."""
    for name, value in result.ratios.items():
        yield f"ratio  {name}: {shown(value)}"
    for name, mark in result.marks.items():
        yield f"mark   {name}: {shown(mark.value)} of {number(mark.mark)} at most: {verdict(mark)}"


def verdict(mark: Mark) -> str:
    """Return whether a mark is met, in words."""
    return "met" if mark.met else "NOT MET"


def shown(value: float | None) -> str:
    """Return a value as text; what has none was not run."""
    return NOT_RUN if value is None else number(value)


def number(value: float) -> str:
    """Return three figures, thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
