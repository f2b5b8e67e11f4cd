"""A bar on the terminal for long work; silent where nobody watches."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import track

Row = TypeVar("Row")

STEP: Final = 500
"""Rows between two moves of the bar; also what one statement takes."""


def steps(rows: Sequence[Row], what: str) -> Iterator[Sequence[Row]]:
    """Hand out the rows in parts, and move a bar on stderr along if that is a terminal."""
    console = Console(stderr=True)
    starts = range(0, len(rows), STEP)
    bar = track(starts, what, console=console, disable=not console.is_terminal, transient=True)
    return (rows[start : start + STEP] for start in bar)
