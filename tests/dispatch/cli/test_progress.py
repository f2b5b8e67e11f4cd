"""Rows in parts, with a bar only where somebody watches."""

import pytest

from dispatch.cli.progress import STEP, steps


def test_all_rows_come_once_in_parts_and_nobody_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A log file is no terminal."""
    rows = list(range(2 * STEP + 1))
    parts = [list(part) for part in steps(rows, "units")]
    assert [len(part) for part in parts] == [STEP, STEP, 1]
    assert [row for part in parts for row in part] == rows
    assert capsys.readouterr() == ("", "")


def test_no_rows_are_no_parts() -> None:
    """Nothing to do is no trouble."""
    assert list(steps([], "units")) == []
