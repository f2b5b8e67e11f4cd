"""One timing wheel for all sockets: who is due, without a timer for each."""

from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
SLOT_S: Final = 1.0


class Wheel(Generic[Item]):
    """Hands each item back once, within `SLOT_S` after its time; whoever goes on adds it again."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Item]] = {}

    def add(self, item: Item, due_at: float) -> None:
        """Keep the item until `due_at`, in seconds of the clock that `due` is asked by."""
        self._slots.setdefault(int(due_at // SLOT_S) + 1, []).append(item)

    def due(self, now: float) -> list[Item]:
        """Take out every item whose time has come."""
        present = int(now // SLOT_S)
        come = sorted(slot for slot in self._slots if slot <= present)
        return [item for slot in come for item in self._slots.pop(slot)]
