"""Counts of what is there: whatever is counted down to nothing is gone."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Times(Counter[T]):
    """How often each is counted; costs as much as what changes, however much is counted."""

    def less(self, some: Iterable[T]) -> None:
        """Count each of these once less."""
        for one in some:
            if self[one] > 1:
                self[one] -= 1
            else:
                self.pop(one, None)
