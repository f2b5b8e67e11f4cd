"""The phones that other processes hold, as far as they told."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from dispatch.ports import NodeId
from schemas.base import DeviceId, UnitId
from schemas.wire import Activity


class There(NamedTuple):
    """A phone that another process holds: since when, in which life of its app, in what state."""

    unit_id: UnitId
    at_ms: float
    inst: str
    quiet: bool = False
    activity: Activity = Activity.FOREGROUND


class Change(NamedTuple):
    """How many phones of a unit more are connected, and how many more of them are not heard."""

    unit_id: UnitId
    online: int
    quiet: int


class Elsewhere:
    """One place for each phone: the last process that said it holds it.

    Every method that changes anything returns what it means for the units.
    """

    def __init__(self) -> None:
        self._phones: dict[DeviceId, tuple[NodeId, There]] = {}

    def __len__(self) -> int:
        """Return how many phones other processes hold."""
        return len(self._phones)

    def __iter__(self) -> Iterator[There]:
        """Yield every phone that another process holds."""
        return (there for _, there in self._phones.values())

    def find(self, device_id: DeviceId) -> There | None:
        """Return where a phone is, None where no other process holds it."""
        held = self._phones.get(device_id)
        return held[1] if held else None

    def holders(self, device_ids: Iterable[DeviceId]) -> dict[NodeId, list[DeviceId]]:
        """Return which process holds which of these phones; those of nobody are left out."""
        found: dict[NodeId, list[DeviceId]] = {}
        for device_id in device_ids:
            if held := self._phones.get(device_id):
                found.setdefault(held[0], []).append(device_id)
        return found

    def put(self, node_id: NodeId, device_id: DeviceId, there: There) -> list[Change]:
        """Take a phone that a process holds, unless another holds it since later.

        Of two at one instant the greater id wins, as by the store.
        """
        held = self._phones.get(device_id)
        if held and held[0] != node_id and (held[1].at_ms, held[0]) > (there.at_ms, node_id):
            return []
        changes = self.forget(device_id)
        self._phones[device_id] = node_id, there
        return [*changes, Change(there.unit_id, +1, +there.quiet)]

    def forget(self, device_id: DeviceId, node_id: NodeId | None = None) -> list[Change]:
        """Drop a phone; one of a named process only where that one holds it still."""
        held = self._phones.get(device_id)
        if held is None or node_id not in {None, held[0]}:
            return []
        del self._phones[device_id]
        return [Change(held[1].unit_id, -1, -held[1].quiet)]

    def replace(
        self,
        node_id: NodeId,
        phones: Mapping[DeviceId, There],
        but: Container[DeviceId] = frozenset(),
    ) -> list[Change]:
        """Take all that a process holds, in place of what it said before; some stay as they are."""
        over = [d for d in self._of(node_id) if d not in phones and d not in but]
        changes = [change for d in over for change in self.forget(d, node_id)]
        fresh = [(d, there) for d, there in phones.items() if d not in but]
        return changes + [c for d, there in fresh for c in self.put(node_id, d, there)]

    def drop(self, node_id: NodeId) -> list[Change]:
        """Drop all phones of a process that is no more."""
        return self.replace(node_id, {})

    def _of(self, node_id: NodeId) -> Iterator[DeviceId]:
        return (device_id for device_id, (held_by, _) in self._phones.items() if held_by == node_id)
