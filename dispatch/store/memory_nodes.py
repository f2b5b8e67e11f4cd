"""Processes in memory: who is alive, and which of them holds which phone."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from dispatch.ports import LIVE_S, Beat, Binding, Node, NodeId
from dispatch.store.memory_tables import MemoryTables
from schemas.base import DeviceId, Instant
from schemas.unit import Position

LIVE: Final = timedelta(seconds=LIVE_S)
FORGOTTEN: Final = timedelta(hours=1)


class MemoryNodes(MemoryTables):
    """The part of the store in memory that knows the processes of an installation."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._nodes: dict[NodeId, tuple[Node, Instant]] = {}
        self._claims: dict[NodeId, tuple[Instant, float]] = {}
        self._bindings: dict[DeviceId, tuple[Instant, NodeId]] = {}

    async def beat(self, node: Node, time: Instant | None = None) -> Beat:
        """Say that this process is alive; dead ones are forgotten after an hour."""
        now = self._now()
        if time is not None and time >= node.started_at + LIVE:
            self._claims[node.id] = now, (time - now).total_seconds()
        listed = {**self._nodes, node.id: (node, now)}
        self._nodes = {i: (n, at) for i, (n, at) in listed.items() if now - at <= FORGOTTEN}
        others = (n for i, (n, at) in sorted(self._nodes.items()) if abs(now - at) <= LIVE)
        return Beat(others=tuple(n for n in others if n.id != node.id), epoch=self._epoch)

    async def leave(self, node_id: NodeId) -> None:
        """Take a process off the list; what it held is anybody's."""
        self._nodes.pop(node_id, None)
        self._claims.pop(node_id, None)

    async def bind(self, node_id: NodeId, bindings: Sequence[Binding]) -> list[DeviceId]:
        """Bind phones to a process, unless bound later to one on the list; return those lost."""
        for binding in bindings:
            if self._outbox.stream(binding.device_id) is not None:
                self._bind(binding.device_id, (min(binding.at, self._now()), node_id))
        devices = dict.fromkeys(b.device_id for b in bindings)
        return [d for d in devices if self._holder(d) != node_id]

    async def moved(self, node_id: NodeId, since: Instant) -> list[Binding]:
        """Return the phones bound to other processes since an instant, oldest first."""
        found = sorted((at, d) for d, (at, n) in self._bindings.items() if n != node_id)
        return [Binding(device_id=d, at=at) for at, d in found if at >= since]

    async def heads(self) -> list[tuple[DeviceId, int]]:
        """Return the head of every phone's stream that has mail not acknowledged."""
        waiting = (d for d in self._outbox.devices() if d.head > d.acked)
        return sorted((d.id, d.head) for d in waiting if self._tokens.of(d.id))

    async def positions(self, since: Instant) -> list[Position]:
        """Return the positions written down since an instant, by the time of their fix."""
        return [p for _, p in sorted(self._positions.items()) if p.at >= since]

    def _bind(self, device_id: DeviceId, wanted: tuple[Instant, NodeId]) -> None:
        """Bind a phone, unless it is bound later to a process on the list."""
        held = self._bindings.get(device_id)
        if held is None or held[1] not in self._nodes or held < wanted:
            self._bindings[device_id] = wanted

    def _holder(self, device_id: DeviceId) -> NodeId | None:
        held = self._bindings.get(device_id)
        return None if held is None else held[1]
