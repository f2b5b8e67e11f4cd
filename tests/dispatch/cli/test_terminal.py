"""A terminal that is taken and given back."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from dispatch.cli.terminal import Terminal

SHOWN = "\x1b[?25h"


def table() -> Table:
    """Return a table with one figure."""
    found = Table(title="the run")
    found.add_row("phones", "7")
    return found


def test_a_table_is_drawn_on_a_terminal_and_the_cursor_given_back() -> None:
    """It is hidden only while the table is there."""
    file = StringIO()
    with Terminal(Console(file=file, force_terminal=True)) as terminal:
        assert terminal.draw(table)
        assert "phones" in file.getvalue()
        assert SHOWN not in file.getvalue()
    assert SHOWN in file.getvalue()


def test_elsewhere_nothing_is_drawn_nor_even_made() -> None:
    """A file or a pipe gets lines, if anything."""
    file = StringIO()
    with Terminal(Console(file=file)) as terminal:
        assert not terminal.draw(lambda: pytest.fail("a table that nobody sees"))
    assert file.getvalue() == ""
