"""`python -m bench`: all benchmarks or one; prints tables, writes results, publishes the page."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import FrameType
from typing import Any, Final

import click
import structlog
from rich.console import Console

import bench
from bench.harness.machine import ROOT
from bench.harness.page import PAGE, publish
from bench.harness.result import result, write
from bench.harness.table import show

RESULTS: Final = ROOT / "bench" / "results"
WAY_OUT_S: Final = 60.0
ALONE: Final = frozenset({"city"})
"""What takes as long as many others together is measured only where it is named."""


class TookTooLong(KeyboardInterrupt):
    """A benchmark is over its time.

    As an interrupt, since an event loop writes any other error of a callback down, and goes on.
    """


def names() -> list[str]:
    """Return the benchmarks: one module each, directly in this package."""
    found = iter_modules(bench.__path__)
    return sorted(m.name for m in found if not m.ispkg and not m.name.startswith("_"))


def usual() -> list[str]:
    """Return the benchmarks that are meant by all."""
    return [name for name in names() if name not in ALONE]


@click.command()
@click.argument("name", required=False, type=click.Choice(names()))
@click.option("--scale", type=click.FloatRange(0.0001, 1), default=1.0, help="Share of all sizes.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=False)
@click.option("--publish", "publishing", is_flag=True, help="Only make the page from the files.")
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, show_default=False)
def main(name: str | None, scale: float, results: Path, publishing: bool, page: Path) -> None:
    """Measure one benchmark, or all of them in turn but for `city`: name that."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(width=120)
    if publishing:
        console.print(f"{publish(results, page)} results published")
        return
    wanted = [name] if name else usual()
    failed = [one for one in wanted if not _ran(one, scale, results, console)]
    if failed:
        raise click.ClickException(f"could not be measured: {', '.join(failed)}")


def _ran(name: str, scale: float, results: Path, console: Console) -> bool:
    """Run one benchmark; one that fails does not keep the others from running."""
    module: Any = import_module(f"bench.{name}")
    try:
        with within(module.MOST_S):
            found = module.measure(scale)
    except (Exception, TookTooLong):
        console.print_exception()
        return False
    measured = result(name, found)
    show(measured, console)
    write(measured, results)
    return True


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` when the time is over; what was started is ended on the way out.

    Once more, should the way out itself hang.
    """

    def over(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, WAY_OUT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
