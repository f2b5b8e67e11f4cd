"""Joining the other processes: nobody begins beside one that lives and does not hear him."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dispatch.desk.questions import Questions
from dispatch.ports import LIVE_S, Beat, Node, NodeId, Store

JOIN_S: Final = LIVE_S + 2.0
"""Longer than one that died a moment ago is still on the list."""
JOIN_PAUSE_S: Final = 0.25


class OtherBus(Exception):
    """A process works on the same store and does not hear us: both would send the same units."""


class Joining:
    """Asks those on the list whether they hear us; `dead` knows who was killed on this machine."""

    def __init__(
        self,
        store: Store,
        questions: Questions,
        node_id: NodeId,
        *,
        dead: Callable[[Node], bool],
        within_s: float = JOIN_S,
    ) -> None:
        self._store, self._questions, self._node_id = store, questions, node_id
        self._dead, self._within_s = dead, within_s

    async def meet(self, beat: Callable[[], Awaitable[Beat]]) -> Beat:
        """Return the beat at which all on the list hear us; the dead are waited for till off it.

        Raises:
            OtherBus: one does not; this process is off the list again.
        """
        loop = asyncio.get_running_loop()
        till = loop.time() + self._within_s
        met = await beat()
        while strangers := await self._strangers(met):
            if loop.time() >= till:
                await self._store.leave(self._node_id)
                raise OtherBus(
                    f"a process on {strangers[0].host} (pid {strangers[0].pid}) works on this "
                    "database and is not on this bus: give both the same BUS_URL, or stop it"
                )
            await asyncio.sleep(JOIN_PAUSE_S)
            met = await beat()
        return met

    async def _strangers(self, beat: Beat) -> list[Node]:
        return [node for node in beat.others if not await self._hears(node)]

    async def _hears(self, node: Node) -> bool:
        """Say whether a process answers, or is known to be dead; it is taken off the list then."""
        if self._dead(node):
            await self._store.leave(node.id)
            return True
        return await self._questions.asked(node.id, "there") is not None
