"""A terminal that is taken while something runs, and given back; elsewhere nothing is drawn."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table


class Terminal:
    """One live table in place of lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Take the screen, if there is one."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._live.stop()

    def draw(self, table: Callable[[], Table]) -> bool:
        """Draw a table in place of the last one; False where there is no terminal."""
        if not self._console.is_terminal:
            return False
        self._live.update(table(), refresh=True)
        return True
