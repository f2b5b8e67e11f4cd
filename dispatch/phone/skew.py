"""How far the server's clock is ahead of ours: bounds from questions and answers."""

import math


class Skew:
    """Bounds of (server - here), in ms, by what cannot be: heard before said, said before asked.

    With many phones they close to less than the fastest round trip. When one clock is set, so that
    the bounds cross, they move and keep their width.
    """

    __slots__ = ("_least", "_most")

    def __init__(self) -> None:
        self._least, self._most = -math.inf, math.inf

    @property
    def ms(self) -> float:
        """Return the middle of what is possible; 0 until there are both bounds."""
        middle = (self._least + self._most) / 2
        return middle if math.isfinite(middle) else 0.0

    def said(self, said_ms: float, heard_ms: float) -> None:
        """Take a frame: it was not heard before it was said."""
        least, width = said_ms - heard_ms, self._most - self._least
        self._least = max(self._least, least)
        if self._least > self._most:
            self._most = self._least + width

    def answered(self, asked_ms: float, said_ms: float) -> None:
        """Take an answer: it was not said before it was asked for."""
        most, width = said_ms - asked_ms, self._most - self._least
        self._most = min(self._most, most)
        if self._least > self._most:
            self._least = self._most - width
