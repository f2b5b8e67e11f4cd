"""Processes on PostgreSQL: who is alive, and which of them holds which phone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dispatch.ports import LIVE_S, Beat, Binding, Node, NodeId
from dispatch.store import node_statements as sql
from dispatch.store.pools import Pools, Row, epoch_of, translated
from schemas.base import DeviceId, Instant, UnitId
from schemas.unit import Position

LIVE: Final = timedelta(seconds=LIVE_S)
MANY_S: Final = 30.0
"""What reads a row of every phone or unit takes longer than a decision may."""


class PostgresNodes(Pools):
    """The part of the store that knows the processes of an installation."""

    async def beat(self, node: Node, time: Instant | None = None) -> Beat:
        """Say that this process is alive, on a connection of its own; dead ones are forgotten."""
        own = (node.id, node.host, node.pid, node.started_at, node.build)
        with translated():
            rows = await self._pulse.fetch(sql.BEAT, *own, LIVE, time)
        others = tuple(_node(r) for r in rows if r["id"] is not None)
        return Beat(others=others, epoch=epoch_of(rows[0]["epoch"]))

    async def leave(self, node_id: NodeId) -> None:
        """Take a process off the list; what it held is anybody's."""
        await self._rows(sql.LEAVE, node_id)

    async def bind(self, node_id: NodeId, bindings: Sequence[Binding]) -> list[DeviceId]:
        """Bind phones to a process, unless bound later to one on the list; return those lost."""
        devices = [b.device_id for b in bindings]
        rows = await self._rows(sql.BIND, node_id, devices, [b.at for b in bindings])
        held = {r["device_id"] for r in rows if r["node_id"] == node_id}
        return [d for d in dict.fromkeys(devices) if d not in held]

    async def moved(self, node_id: NodeId, since: Instant) -> list[Binding]:
        """Return the phones bound to other processes since an instant, oldest first."""
        rows = await self._rows(sql.MOVED, node_id, since)
        return [Binding(device_id=DeviceId(r["device_id"]), at=r["at"]) for r in rows]

    async def heads(self) -> list[tuple[DeviceId, int]]:
        """Return the head of every phone's stream that has mail not acknowledged."""
        with translated():
            rows = await self._side.fetch(sql.HEADS, timeout=MANY_S)
        return [(DeviceId(r["id"]), r["head"]) for r in rows]

    async def positions(self, since: Instant) -> list[Position]:
        """Return the positions written down since an instant, by the time of their fix."""
        with translated():
            rows = await self._side.fetch(sql.POSITIONS, since, timeout=MANY_S)
        return [_position(r) for r in rows]


def _node(r: Row) -> Node:
    return Node(
        id=NodeId(r["id"]),
        host=r["host"],
        pid=r["pid"],
        started_at=r["started_at"],
        build=r["build"],
    )


def _position(r: Row) -> Position:
    return Position(
        unit_id=UnitId(r["unit_id"]), lon=r["lon"], lat=r["lat"], acc_m=r["acc_m"], at=r["at"]
    )
