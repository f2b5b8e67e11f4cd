"""A bus some way off: words take a while, some are lost, and now and then nobody is heard."""

import asyncio
from collections.abc import Callable
from typing import Final

from dispatch.bus.local import LocalBus, Wire
from tests.simulation.dice import Dice
from tests.simulation.weather import Weather

APART_S: Final = 1e-6
"""Timers of one instant ring in any order."""


class DistantBus(LocalBus):
    """A process's way to the bus; what one sender says is heard in its order."""

    def __init__(self, wire: Wire, dice: Dice, weather: Callable[[], Weather]) -> None:
        super().__init__(wire)
        self._dice, self._weather = dice, weather
        self._last_s = 0.0
        self.deaf = False
        self._unheard: list[tuple[str, bytes]] = []

    def hear(self, subject: str, body: bytes) -> None:
        """Hear after a while what is not lost on the way."""
        weather, loop = self._weather(), asyncio.get_running_loop()
        if self._dice.chance(weather.unheard):
            return
        delay_s = weather.bus_s * self._dice.roll()
        self._last_s = max(self._last_s + APART_S, loop.time() + delay_s)
        loop.call_at(self._last_s, self._arrive, subject, body)

    async def ask(self, subject: str, body: bytes, within_s: float) -> bytes:
        """Ask from afar; the answer comes in no order with what else is said."""
        await asyncio.sleep(self._weather().bus_s * self._dice.roll())
        answer = await super().ask(subject, body, within_s)
        await asyncio.sleep(self._weather().bus_s * self._dice.roll())
        return answer

    def answer_to(self, subject: str, body: bytes) -> bytes | None:
        """Answer, unless this process does not run."""
        return None if self.deaf else super().answer_to(subject, body)

    def wake(self) -> None:
        """Hear what was said while the process did not run."""
        self.deaf = False
        unheard, self._unheard = self._unheard, []
        for subject, body in unheard:
            super().hear(subject, body)

    def _arrive(self, subject: str, body: bytes) -> None:
        if self.deaf:
            self._unheard.append((subject, body))
        elif self.here:
            super().hear(subject, body)
