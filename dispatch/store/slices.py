"""Makes what is asked for of rows, some at a time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

Read = TypeVar("Read")
Made = TypeVar("Made")

SLICE: Final = 1000
"""Rows made in one turn of the loop: some 5 ms. A whole city's at once would stop all else."""


async def in_slices(rows: Sequence[Read], make: Callable[[Read], Made]) -> list[Made]:
    """Return what is made of rows, in their order; others run between two slices."""
    made = [make(row) for row in rows[:SLICE]]
    for start in range(SLICE, len(rows), SLICE):
        await asyncio.sleep(0)
        made += map(make, rows[start : start + SLICE])
    return made
