"""A store some way off: every call takes a while, and now and then nobody hears the answer."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from dispatch.core.decision import Decision
from dispatch.ports import StoreAway
from dispatch.store.memory import MemoryStore
from tests.simulation.dice import Dice
from tests.simulation.weather import Weather

FAR: Final = frozenset({"load", "commit", "set_duty", "remember", "outbox"})
"""Calls that take a while; the others are read by everybody's beat, where nothing races."""

Committed = Callable[[Decision], None]


class DistantStore:
    """A process's way to the store that all processes share; cut when the process dies.

    While it is not `awake` the process does not run: no call begins, and none comes back.
    `committed` is told of every decision at the moment it is on disk, whoever hears of it.
    """

    def __init__(
        self,
        store: MemoryStore,
        dice: Dice,
        weather: Callable[[], Weather],
        committed: Committed,
    ) -> None:
        self._store = store
        self._dice = dice
        self._weather = weather
        self._committed = committed
        self.cut = False
        self.calls = 0
        self.awake = asyncio.Event()
        self.awake.set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def called(*args: Any, **facts: Any) -> Any:
            self.calls += 1
            try:
                return await self._call(name, method, args, facts)
            finally:
                self.calls -= 1

        return called

    async def _call(
        self,
        name: str,
        method: Callable[..., Coroutine[Any, Any, Any]],
        args: Sequence[Any],
        facts: dict[str, Any],
    ) -> Any:
        weather, dice = self._weather(), self._dice
        far = name in FAR
        await self.awake.wait()
        if far:
            await asyncio.sleep(weather.store_s * dice.between(0.2, 1.0))
        if self.cut:
            raise asyncio.CancelledError
        away = far and dice.chance(weather.away)
        if away and dice.chance(0.5):
            raise StoreAway("lost on the way there")
        result = await method(*args, **facts)
        if name == "commit":
            self._committed(args[0])
        if far:
            await asyncio.sleep(weather.store_s * dice.between(0.2, 1.0))
        await self.awake.wait()
        if self.cut:
            raise asyncio.CancelledError
        if away:
            raise StoreAway("lost on the way back")
        return result
