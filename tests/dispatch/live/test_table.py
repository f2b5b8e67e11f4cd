"""Numbers of all units, by column and by row."""

import numpy as np

from dispatch.live.table import Stayed, Table

KINDS = np.dtype([("lon", "f8"), ("engaged", "?")])


def test_a_table_begins_with_zeros() -> None:
    """Each column of its kind."""
    table = Table(KINDS, 2)
    assert table["lon"].tolist() == [0.0, 0.0]
    assert table["engaged"].dtype == np.bool_


def test_what_is_written_into_a_column_is_read_in_its_row() -> None:
    """As it stands when it is read."""
    table = Table(KINDS, 2)
    row = table.row(1)
    table["lon"][1] = 113.5
    assert row["lon"] == 113.5
    assert table.row(0)["lon"] == 0.0


def test_a_table_grows_by_a_row_of_zeros() -> None:
    """The others keep what they hold."""
    table = Table(KINDS, 1)
    table["engaged"][0] = True
    table.grow()
    assert table["engaged"].tolist() == [True, False]


def test_a_table_without_columns_has_none() -> None:
    """Nothing to ask for, and nothing that fails."""
    Table(np.dtype([]), 3).grow()
    assert not np.dtype([]).names


def test_a_table_made_anew_takes_over_the_rows_that_stayed() -> None:
    """Wherever they stand now, and only the columns that are named."""
    before, table = Table(KINDS, 3), Table(KINDS, 2)
    before["lon"][:] = [1.0, 2.0, 3.0]
    before["engaged"][:] = True
    table.carry(before, ("lon",), Stayed(here=np.array([0]), there=np.array([2])))
    assert table["lon"].tolist() == [3.0, 0.0]
    assert table["engaged"].tolist() == [False, False]
