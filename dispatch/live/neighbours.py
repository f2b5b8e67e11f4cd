"""The other processes: who is alive, who is heard, and whose words were missed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dispatch.ports import LIVE_S, Node, NodeId

SILENT_S: Final = LIVE_S + 1.0
"""Longer than a dead process is on the list: half a second lies between two beats, as between two
pulses. So who is alive there and was not heard for this long is cut off, not dead."""


class Heard(Enum):
    """What a word's number tells of the words before it."""

    NEW = auto()
    """It is the first of this process: what it said before was read."""
    NEXT = auto()
    MISSED = auto()


@dataclass(slots=True)
class _Neighbour:
    at_s: float
    number: int | None = None
    listed: bool = False
    gone: bool = False


class Neighbours:
    """Other processes by the store's list and by what is heard of them; times of one clock."""

    def __init__(self) -> None:
        self._known: dict[NodeId, _Neighbour] = {}

    def listed(self, others: Iterable[Node], now_s: float) -> list[NodeId]:
        """Take who is alive by the store; return who has ended, by that and by its silence."""
        alive = {node.id for node in others}
        for node_id in alive:
            self._known.setdefault(node_id, _Neighbour(now_s))
        for node_id, known in self._known.items():
            known.listed = node_id in alive
        over = [n for n, known in self._known.items() if not known.listed and _over(known, now_s)]
        return [node_id for node_id in over if not self._known.pop(node_id).gone]

    def hear(self, node_id: NodeId, number: int, now_s: float) -> Heard:
        """Note a word by its number, counted from 1."""
        return self._note(node_id, number, number, now_s)

    def pulse(self, node_id: NodeId, last: int, now_s: float) -> Heard:
        """Note that a process lives, and the number of its last word; 0 where it said none."""
        return self._note(node_id, last, last + 1, now_s)

    def _note(self, node_id: NodeId, number: int, expected_by: int, now_s: float) -> Heard:
        known = self._known.setdefault(node_id, _Neighbour(now_s))
        before, known.at_s = known.number, now_s
        if before is None or known.gone:
            known.number, known.gone = number, False
            return Heard.NEW
        known.number = max(before, number)
        return Heard.MISSED if expected_by > before + 1 else Heard.NEXT

    def gone(self, node_id: NodeId) -> bool:
        """Note that nobody answers for a process any more; say whether that is new."""
        known = self._known.get(node_id)
        if known is None or known.gone:
            return False
        known.gone = True
        return True

    def alive(self) -> list[NodeId]:
        """Return who is on the store's list, and not known to be gone."""
        return sorted(n for n, known in self._known.items() if known.listed and not known.gone)

    def silent(self, now_s: float) -> list[NodeId]:
        """Return who is alive by the store and was not heard for long: who is cut off from us."""
        return sorted(
            n for n, known in self._known.items() if known.listed and now_s - known.at_s > SILENT_S
        )


def _over(known: _Neighbour, now_s: float) -> bool:
    return known.gone or now_s - known.at_s > LIVE_S
