"""Questions to one other process: each is answered within a second, or not at all."""

from typing import Final

from dispatch.desk import words
from dispatch.ports import Bus, BusAway, Nobody, NodeId, Reply

ANSWER_S: Final = 1.0


class Questions:
    """What one process may ask another, by a verb."""

    def __init__(self, bus: Bus, prefix: str) -> None:
        self._bus, self._prefix = bus, prefix

    async def ask(self, node_id: NodeId, verb: str, body: bytes = b"") -> bytes:
        """Return the answer; raise `Nobody` where there is no such process, or `BusAway`."""
        return await self._bus.ask(self._subject(node_id, verb), body, ANSWER_S)

    async def asked(self, node_id: NodeId, verb: str) -> bytes | None:
        """Return the answer; None where there is none."""
        try:
            return await self.ask(node_id, verb)
        except (Nobody, BusAway):
            return None

    async def answer(self, node_id: NodeId, verb: str, reply: Reply) -> None:
        """Answer whoever asks `node_id`: this process."""
        await self._bus.answer(self._subject(node_id, verb), reply)

    def _subject(self, node_id: NodeId, verb: str) -> str:
        return f"{self._prefix}.{words.GATEWAY}.{node_id}.{verb}"
