"""The numbers of all units: one contiguous array a fact, read by column or by row."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Stayed(NamedTuple):
    """The rows of a table made anew whose unit was in the one before, and where it was there."""

    here: NDArray[np.intp]
    there: NDArray[np.intp]


class Table:
    """Columns by name; a search touches the few it needs, and a fix writes single cells."""

    def __init__(self, kinds: "np.dtype[np.void]", rows: int) -> None:
        names = kinds.names or ()
        self._columns: dict[str, NDArray[Any]] = {n: np.zeros(rows, kinds[n]) for n in names}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, to be read and written."""
        return self._columns[name]

    def grow(self) -> None:
        """Add a row of zeros at the end."""
        self._columns = {n: np.append(c, np.zeros(1, c.dtype)) for n, c in self._columns.items()}

    def carry(self, before: "Table", names: Iterable[str], stayed: Stayed) -> None:
        """Take over what some columns of another table say of the rows that stayed."""
        for name in names:
            self._columns[name][stayed.here] = before[name][stayed.there]

    def row(self, number: int) -> "Row":
        """Return a row, read by the names of its cells as they stand then."""
        return Row(self._columns, number)


class Row:
    """One row of a table."""

    __slots__ = ("_columns", "_number")

    def __init__(self, columns: dict[str, NDArray[Any]], number: int) -> None:
        self._columns, self._number = columns, number

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a cell is of its column's kind
        """Return a cell."""
        return self._columns[name][self._number]
