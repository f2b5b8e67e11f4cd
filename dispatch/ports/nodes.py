"""The processes of an installation, and which of them holds which phone; a part of every store."""

from collections.abc import Sequence
from typing import Final, NewType, Protocol

from schemas.base import DeviceId, Instant, Record
from schemas.unit import Position

NodeId = NewType("NodeId", str)
LIVE_S: Final = 3.0
"""A process is alive while its last beat is no older, by the database's clock."""


class Node(Record, frozen=True, kw_only=True):
    """A process that holds phones and serves REST: new with every start.

    `host` names the machine until its next boot, so that a dead neighbour can be told by its `pid`.
    """

    id: NodeId
    host: str
    pid: int
    started_at: Instant
    build: str = ""


class Beat(Record, frozen=True, kw_only=True):
    """What a process learns with each beat: who else is alive, ordered by id, and the epoch."""

    others: tuple[Node, ...]
    epoch: str


class Binding(Record, frozen=True, kw_only=True):
    """A phone said hello to a process at an instant."""

    device_id: DeviceId
    at: Instant


class Nodes(Protocol):
    """Who is alive, and who holds whom; a part of every store. No incident depends on it."""

    async def beat(self, node: Node, time: Instant | None = None) -> Beat:
        """Say that this process is alive, and its own time. The dead are forgotten in an hour."""

    async def leave(self, node_id: NodeId) -> None:
        """Take a process off the list: it ends, or is known to be dead."""

    async def bind(self, node_id: NodeId, bindings: Sequence[Binding]) -> list[DeviceId]:
        """Bind phones to a process, each unless it is bound later elsewhere; return those lost.

        A process off the list holds none; a later instant than the service's time counts as that.
        Of two at one instant the greater id wins. A phone that nobody knows is lost.
        """

    async def moved(self, node_id: NodeId, since: Instant) -> list[Binding]:
        """Return the phones bound to other processes since an instant."""

    async def heads(self) -> list[tuple[DeviceId, int]]:
        """Return the head of every phone's stream that has mail not acknowledged."""

    async def positions(self, since: Instant) -> list[Position]:
        """Return the positions written down since an instant, by the time of their fix."""
